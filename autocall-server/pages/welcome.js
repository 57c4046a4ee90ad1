// Sets a password with the secret behind the '#', which no server and no log has seen so far.
"use strict";
const said = document.getElementById("said");
const form = document.getElementById("form");
const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
if (!token) said.textContent = "This link is not whole. Ask for a new one.";
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const password = document.getElementById("password").value;
  if (password !== document.getElementById("again").value) {
    said.textContent = "The two are not the same.";
    return;
  }
  try {
    const answer = await fetch("/api/auth/reset", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, password, code: document.getElementById("code").value || null }),
    });
    if (answer.ok) {
      form.hidden = true;
      said.textContent = "Done. You are signed in with the new password.";
      return;
    }
    const problem = await answer.json();
    const field = (problem.errors || [])[0];
    said.textContent = field ? `The ${field.field} ${field.wrong}: ${field.remedy}.` : `${problem.title}. ${problem.remedy || ""}`;
  } catch {
    said.textContent = "The server cannot be reached. Try again.";
  }
});

//! The server as people run it: the binary, with environment variables, in a folder of its own.

use super::{Client, http_client};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A program that runs.
pub struct Process {
    child: Child,
    /// What it printed.
    pub out: Arc<Mutex<String>>,
    /// What it logged.
    pub err: Arc<Mutex<String>>,
    pub base: String,
}

/// A folder with the rules "any-hour": tests run at every hour, and the people are not real.
pub const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/rules");

/// `autocall` with these arguments and this environment alone.
pub fn autocall(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_autocall"));
    command.args(args).current_dir(folder).env_clear();
    for name in ["PATH", "HOME", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.envs(env.iter().copied());
    command
}

/// Runs `autocall` to its end; what it printed and what it complained of.
pub fn run(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> (bool, String, String) {
    let out = autocall(folder, args, env).stdin(Stdio::null()).output().expect("autocall runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.success(), text(&out.stdout), text(&out.stderr))
}

fn collect(from: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let into = text.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut text = into.lock().expect("no panic holds it");
            text.push_str(&line);
            text.push('\n');
        }
    });
    text
}

impl Process {
    /// Starts it and waits until a line of its output begins a URL after this word.
    pub fn start(folder: &Path, args: &[&str], env: &[(&str, &str)], word: &str) -> Process {
        let mut command = autocall(folder, args, env);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("autocall runs");
        let (out, err) = (collect(child.stdout.take().expect("piped")), collect(child.stderr.take().expect("piped")));
        let mut process = Process { child, out, err, base: String::new() };
        process.base = process.word_after(word).trim_end_matches(['/', ';']).to_owned();
        process
    }

    /// `autocall serve` in this environment, on a free port unless it names one.
    pub fn serve(folder: &Path, env: &[(&str, &str)]) -> Process {
        let trial = !env.iter().any(|(name, _)| *name == "TWILIO_ACCOUNT_SID");
        let mut all = vec![("PORT", "0")];
        all.extend(env);
        Process::start(folder, &[], &all, if trial { "open" } else { "serves" })
    }

    /// The word that it printed after another one; waits for it.
    pub fn word_after(&mut self, word: &str) -> String {
        let begun = Instant::now();
        loop {
            let out = self.out.lock().expect("no panic holds it").clone();
            let found = out.lines().find_map(|line| {
                let mut words = line.split_whitespace().skip_while(|w| *w != word);
                words.next()?;
                words.next().map(str::to_owned)
            });
            if let Some(found) = found {
                return found;
            }
            let ended = self.child.try_wait().expect("a child");
            assert!(
                ended.is_none() && begun.elapsed() < Duration::from_secs(60),
                "no {word} ({ended:?}) in\n{out}\n{}",
                self.err.lock().expect("no panic holds it")
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A client without credentials.
    pub fn nobody(&self) -> Client {
        Client { http: http_client(), base: self.base.clone(), bearer: None }
    }

    /// Dies at once, as after a power cut.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, as a service manager does; how it ended and how long that took.
    pub fn terminate(mut self) -> (ExitStatus, Duration, String) {
        let begun = Instant::now();
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                let err = self.err.lock().expect("no panic holds it").clone();
                return (status, begun.elapsed(), err);
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

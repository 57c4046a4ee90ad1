//! Passwords: Argon2id, off the async threads, a bounded number at once.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Shortest password (NIST SP 800-63B, 5.1.1.2 asks for 8 at least, and forbids rules of
/// composition).
pub const CHARS_MIN: usize = 12;
/// Longest password in bytes: hashing must not be a way to keep us busy.
pub const BYTES_MAX: usize = 256;
/// How many hashings wait at most for their turn.
const WAITING_MAX: usize = 64;

/// Why a password is not taken.
pub fn weakness(password: &str, login: &str) -> Option<&'static str> {
    let folded = password.to_lowercase();
    let mut letters: Vec<char> = folded.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    if password.chars().count() < CHARS_MIN {
        Some("is shorter than 12 characters")
    } else if password.len() > BYTES_MAX {
        Some("is longer than 256 bytes")
    } else if letters.len() < 5 {
        Some("repeats too few characters")
    } else if !login.is_empty() && folded.contains(&login.to_lowercase()) {
        Some("contains the login name")
    } else {
        None
    }
}

/// Hashes and checks passwords.
#[derive(Clone)]
pub struct Hasher {
    places: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// A hash that fits no password: checking against it takes as long as against a real one, so
    /// an unknown login name is not told from a wrong password.
    nobody: Arc<str>,
}

/// Too many hashings wait already.
#[derive(Debug, PartialEq, Eq)]
pub struct Busy;

impl Hasher {
    /// With so many hashings at once; each takes 19 MiB (OWASP's minimum, the library's default).
    pub fn new(at_once: usize) -> Hasher {
        let nobody = hash("not a password of anybody").unwrap_or_default();
        Hasher {
            places: Arc::new(Semaphore::new(at_once.max(1))),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            nobody: nobody.into(),
        }
    }

    /// A new hash, salted, as a PHC string.
    pub async fn hash(&self, password: &str) -> Result<String, Busy> {
        let password = password.to_owned();
        self.work(move || hash(&password)).await?.ok_or(Busy)
    }

    /// Whether the password fits the hash; `None` for a user that does not exist.
    pub async fn fits(&self, password: &str, phc: Option<&str>) -> Result<bool, Busy> {
        let password = password.to_owned();
        let known = phc.is_some();
        let phc = phc.unwrap_or(&self.nobody).to_owned();
        let fits = self
            .work(move || {
                let parsed = PasswordHash::new(&phc).ok()?;
                Some(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
            })
            .await?;
        Ok(known && fits == Some(true))
    }

    async fn work<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Busy)?;
        let place = self.places.clone().acquire_owned().await.map_err(|_| Busy)?;
        tokio::task::spawn_blocking(move || {
            let done = f();
            drop(place);
            done
        })
        .await
        .map_err(|_| Busy)
    }
}

fn hash(password: &str) -> Option<String> {
    Argon2::default().hash_password(password.as_bytes()).ok().map(|h| h.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_same_password_fits() {
        let hasher = Hasher::new(2);
        let phc = hasher.hash("correct horse battery").await.expect("hashed");
        assert!(phc.starts_with("$argon2id$"));
        assert_eq!(hasher.fits("correct horse battery", Some(&phc)).await, Ok(true));
        assert_eq!(hasher.fits("correct horse batterz", Some(&phc)).await, Ok(false));
        assert_eq!(hasher.fits("not a password of anybody", None).await, Ok(false));
    }

    #[test]
    fn weak_passwords_are_told_why() {
        assert_eq!(weakness("short", "me"), Some("is shorter than 12 characters"));
        assert_eq!(weakness("aaaaaaaaaaaaaaa", "me"), Some("repeats too few characters"));
        assert_eq!(weakness("my-name-is-anna-lee", "Anna-Lee"), Some("contains the login name"));
        assert_eq!(weakness(&"abcdefgh".repeat(40), ""), Some("is longer than 256 bytes"));
        assert_eq!(weakness("correct horse battery", "anna"), None);
    }
}

//! The PINs with which agents who call in prove who they are: a caller id alone can be forged.
//!
//! A PIN is kept as an Argon2id hash in a sealed document of the tenant. Wrong attempts are counted
//! there too, so that they are limited over all nodes and all calls.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use autocall_core::ports::catalog::{Catalog, CatalogError, Document};
use autocall_core::ports::{Put, Versioned};
use autocall_core::{AgentId, Millis, Private, Timestamp};
use serde::{Deserialize, Serialize};

/// Digits of a PIN.
pub const PIN_DIGITS: std::ops::RangeInclusive<usize> = 6..=8;

/// Wrong attempts in a row after which an agent's PIN is not taken for a while.
pub const ATTEMPTS_MAX: u8 = 5;

/// How long that lasts.
pub const LOCKED: Millis = Millis::from_mins(30);

/// The kind of the documents.
const KIND: &str = "agent-pin";

/// How often a document is read again that changed while we counted.
const CONFLICTS_MAX: usize = 8;

/// What came of a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinCheck {
    /// It is right.
    Right,
    /// It is wrong; another attempt is allowed.
    Wrong,
    /// Too many attempts were wrong, or the agent has no PIN: none is taken.
    Locked,
}

/// Why a PIN was not set.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// It is not six to eight digits, or too easy.
    #[error("a PIN has six to eight digits, not all the same and not in a row")]
    Weak,
    /// The store.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The hash could not be made.
    #[error("the PIN could not be hashed")]
    Hash,
}

#[derive(Serialize, Deserialize, Default)]
struct Body {
    phc: String,
    #[serde(default)]
    wrong: u8,
    #[serde(default)]
    locked_until: Option<Timestamp>,
}

/// Whether a PIN is digits, and neither one digit repeated nor a staircase.
fn is_good(pin: &str) -> bool {
    let digits = pin.as_bytes();
    let steps = |by: i16| digits.windows(2).all(|w| i16::from(w[1]) - i16::from(w[0]) == by);
    PIN_DIGITS.contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) && ![0, 1, -1].into_iter().any(steps)
}

/// Sets an agent's PIN, and forgives wrong attempts.
///
/// # Errors
/// It is too weak, or could not be stored.
pub async fn set(catalog: &dyn Catalog, agent: AgentId, pin: &Private) -> Result<(), PinError> {
    if !is_good(pin.expose()) {
        return Err(PinError::Weak);
    }
    let text = pin.expose().to_owned();
    let hash = move || Argon2::default().hash_password(text.as_bytes()).ok().map(|h| h.to_string());
    let phc = tokio::task::spawn_blocking(hash).await.ok().flatten().ok_or(PinError::Hash)?;
    let expected = match read(catalog, agent).await? {
        Some((found, _)) => found.version,
        None => 0,
    };
    Ok(write(catalog, agent, &Body { phc, ..Body::default() }, expected).await?)
}

/// Takes an agent's PIN away: they cannot call in.
///
/// # Errors
/// The store.
pub async fn remove(catalog: &dyn Catalog, agent: AgentId) -> Result<(), CatalogError> {
    match read(catalog, agent).await? {
        Some((found, _)) => catalog.remove_document(agent.tenant(), KIND, &agent.to_string(), found.version).await,
        None => Ok(()),
    }
}

/// Checks a PIN and counts a wrong one.
///
/// # Errors
/// The store: nothing was checked.
pub async fn check(
    catalog: &dyn Catalog,
    agent: AgentId,
    pin: &Private,
    now: Timestamp,
) -> Result<PinCheck, CatalogError> {
    for _ in 0..CONFLICTS_MAX {
        let Some((found, mut body)) = read(catalog, agent).await? else { return Ok(PinCheck::Locked) };
        if body.locked_until.is_some_and(|until| now < until) {
            return Ok(PinCheck::Locked);
        }
        // The attempt is counted before it is judged: many at once are not more attempts.
        let (text, phc, before) = (pin.expose().to_owned(), body.phc.clone(), body.wrong);
        body.wrong = before.saturating_add(1);
        body.locked_until = (body.wrong >= ATTEMPTS_MAX).then(|| now + LOCKED);
        match write(catalog, agent, &body, found.version).await {
            Ok(()) => {}
            Err(CatalogError::Changed) => continue,
            Err(error) => return Err(error),
        }
        let fits = move || {
            let parsed = PasswordHash::new(&phc).ok()?;
            Some(Argon2::default().verify_password(text.as_bytes(), &parsed).is_ok())
        };
        let right = tokio::task::spawn_blocking(fits).await.ok().flatten().unwrap_or(false);
        if !right {
            return Ok(if body.locked_until.is_some() { PinCheck::Locked } else { PinCheck::Wrong });
        }
        (body.wrong, body.locked_until) = (0, None);
        // If somebody failed meanwhile, their failure stays counted.
        let _ = write(catalog, agent, &body, found.version + 1).await;
        return Ok(PinCheck::Right);
    }
    Ok(PinCheck::Wrong)
}

async fn read(catalog: &dyn Catalog, agent: AgentId) -> Result<Option<(Versioned<Document>, Body)>, CatalogError> {
    match catalog.document(agent.tenant(), KIND, &agent.to_string()).await {
        Ok(found) => {
            let body = serde_json::from_value(found.row.body.clone()).unwrap_or_default();
            Ok(Some((found, body)))
        }
        Err(CatalogError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn write(catalog: &dyn Catalog, agent: AgentId, body: &Body, expected: u64) -> Result<(), CatalogError> {
    let body = serde_json::to_value(body).unwrap_or_default();
    let key = agent.to_string().into();
    let row = Document { tenant: agent.tenant(), kind: KIND.into(), key, body, until: None };
    catalog.put_document(&Put { row, expected }).await
}

#[cfg(test)]
mod tests {
    use super::is_good;

    #[test]
    fn easy_pins_are_not_taken() {
        for bad in ["12345", "123456789", "111111", "123456", "987654", "12345a", ""] {
            assert!(!is_good(bad), "{bad}");
        }
        for good in ["482915", "00112233", "1213141"] {
            assert!(is_good(good), "{good}");
        }
    }
}

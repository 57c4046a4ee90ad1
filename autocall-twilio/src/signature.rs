//! Who sent this webhook? The carrier signs each request with the account's auth token.
//!
//! The signature is `base64(HMAC-SHA1(token, url + name1 + value1 + name2 + …))` over the form
//! fields sorted by the bytes of their names (Twilio: "Security", "Validating requests"). A body
//! that is not a form is covered by its SHA-256 in the query parameter `bodySHA256`.
//!
//! Libraries differ in how they spell the URL (with or without the default port, a lone `?`, an
//! apostrophe escaped or not). We never rebuild the URL through a parser: the candidates are the
//! configured public base plus the raw request target, in those few spellings, at most
//! [`HMACS_MAX`] for two tokens, and each comparison takes the same time wherever it differs.

use crate::form::Form;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The most keyed hashes that one request may cost: 2 tokens, 2 ports, 2 spellings of an
/// apostrophe, with and without a lone question mark.
pub const HMACS_MAX: usize = 16;

/// The most tokens that are tried: the current one and the one before it, during a rotation.
pub const TOKENS_MAX: usize = 2;

/// Why a request is not taken for the carrier's. Every one of them is answered 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// The signature header is missing, empty, or not base64 of 20 bytes.
    #[error("the signature header is missing or malformed")]
    Missing,
    /// The body is not a form and the query carries no hash of it.
    #[error("the body is not a form and its hash is not in the signed query")]
    NoBodyHash,
    /// The body is not the one whose hash was signed.
    #[error("the body does not match its signed hash")]
    BodyChanged,
    /// The form has too many fields.
    #[error("the form has more than {} fields", crate::form::FIELDS_MAX)]
    TooManyFields,
    /// No token and no spelling of the URL gives this signature.
    #[error("the signature does not match")]
    Mismatch,
}

/// The body of a request, as the signature sees it.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// Form fields: they are part of what is signed. A GET has none.
    Form(&'a Form),
    /// Anything else, covered by `bodySHA256` in the query.
    Raw(&'a [u8]),
}

/// Checks that `signature` was made for this request with one of `tokens` (the first
/// [`TOKENS_MAX`] are tried).
///
/// `base` is the configured public base, scheme and authority (`https://calls.example.com`);
/// `target` is the raw request target, path and query (`/webhooks/…?x=1`), exactly as received.
///
/// # Errors
/// Why the request is not authentic.
pub fn verify(
    tokens: &[SecretString],
    signature: Option<&[u8]>,
    base: &str,
    target: &str,
    body: Body<'_>,
) -> Result<(), BadSignature> {
    let given = signature.filter(|s| s.len() == 28).ok_or(BadSignature::Missing)?;
    let given: [u8; 20] = BASE64.decode(given).ok().and_then(|s| s.try_into().ok()).ok_or(BadSignature::Missing)?;
    let fields = match body {
        Body::Form(form) => signed_fields(form),
        Body::Raw(raw) => {
            check_body_hash(target, raw)?;
            Vec::new()
        }
    };
    let urls = spellings(base, target);
    for token in tokens.iter().take(TOKENS_MAX) {
        for url in &urls {
            let mut mac = keyed(token.expose_secret());
            mac.update(url.as_bytes());
            mac.update(&fields);
            if mac.verify_slice(&given).is_ok() {
                return Ok(());
            }
        }
    }
    Err(BadSignature::Mismatch)
}

/// The signature that the carrier would put on a request with this URL and these form fields.
pub fn sign(token: &str, url: &str, form: &Form) -> String {
    let mut mac = keyed(token);
    mac.update(url.as_bytes());
    mac.update(&signed_fields(form));
    BASE64.encode(mac.finalize().into_bytes())
}

/// Lowercase hexadecimal SHA-256, the form of `bodySHA256`.
pub fn body_sha256(body: &[u8]) -> String {
    Sha256::digest(body).iter().map(|b| format!("{b:02x}")).collect()
}

fn keyed(token: &str) -> Hmac<Sha1> {
    Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("HMAC takes a key of any length")
}

/// Names in byte order, equal pairs once, several values of one name in their order, each with
/// the name before it.
fn signed_fields(form: &Form) -> Vec<u8> {
    let mut pairs: Vec<&(Vec<u8>, Vec<u8>)> = form.fields().iter().collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs.iter().flat_map(|(name, value)| name.iter().chain(value)).copied().collect()
}

fn check_body_hash(target: &str, raw: &[u8]) -> Result<(), BadSignature> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let signed = query.split('&').find_map(|pair| pair.strip_prefix("bodySHA256=")).ok_or(BadSignature::NoBodyHash)?;
    let same: bool = signed.as_bytes().ct_eq(body_sha256(raw).as_bytes()).into();
    if same { Ok(()) } else { Err(BadSignature::BodyChanged) }
}

/// Every spelling of `base + target` that a signer may have used, without repeats, at most eight.
fn spellings(base: &str, target: &str) -> Vec<String> {
    let target = target.split('#').next().unwrap_or_default();
    let mut targets = vec![target.to_owned()];
    if let Some((path, query)) = target.split_once('?') {
        if query.contains('\'') {
            targets.push(format!("{path}?{}", query.replace('\'', "%27")));
        }
        if query.is_empty() {
            targets.push(path.to_owned());
        }
    } else {
        targets.push(format!("{target}?"));
    }
    let base = base.trim_end_matches('/');
    let mut urls = Vec::with_capacity(8);
    for base in std::iter::once(base.to_owned()).chain(other_port(base)) {
        urls.extend(targets.iter().map(|target| format!("{base}{target}")));
    }
    urls
}

/// The base without its port if it has one, with the scheme's default port otherwise.
fn other_port(base: &str) -> Option<String> {
    let (scheme, authority) = base.split_once("://")?;
    let host_at = authority.rfind('@').map_or(0, |at| at + 1);
    let host = &authority[host_at..];
    let port_at = host.rfind(':').filter(|&at| !host[at..].contains(']'));
    match port_at {
        Some(at) => Some(format!("{scheme}://{}", &authority[..host_at + at])),
        None => {
            let port = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
            Some(format!("{base}:{port}"))
        }
    }
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;

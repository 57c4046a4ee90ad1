//! Personal data at rest: sealed with a data key per tenant, found by keyed blind indexes.
//!
//! A key-encryption key (KEK) from the environment or a file wraps each tenant's keys. Data keys
//! rotate: new rows take the newest, old rows are sealed anew in the background. The index key
//! never changes, or every look-up would miss; it is wrapped anew like the others.
//!
//! AES-256-GCM-SIV (RFC 8452): a nonce that ever repeats reveals only that two plaintexts are
//! equal. Envelope: one byte of form, four of key number, twelve of nonce, then the ciphertext
//! with its tag. Form 0 is plain (sealing is off), form 1 sealed.

use crate::db::SqlError;
use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use autocall_core::{Phone, TenantId};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use rand::Rng as _;
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// 256 bits.
pub type Secret = Zeroizing<[u8; 32]>;

/// A fresh secret from the operating system's randomness.
pub fn fresh_secret() -> Secret {
    let mut key = Zeroizing::new([0u8; 32]);
    rand::rng().fill_bytes(&mut key[..]);
    key
}

/// How data is sealed: the key-encryption keys, the active one first; none turns sealing off.
#[derive(Clone, Default)]
pub struct Sealing {
    keks: Vec<(u32, Secret)>,
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sealing with {} key-encryption key(s)", self.keks.len())
    }
}

/// A text that names no keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected `number:base64` pairs of 32-byte keys, separated by commas, the active one first: {0}")]
pub struct BadKeys(String);

impl Sealing {
    /// Nothing is sealed: for a trial.
    pub fn off() -> Sealing {
        Sealing::default()
    }
    /// Sealing with one key.
    pub fn with(number: u32, kek: [u8; 32]) -> Sealing {
        Sealing { keks: vec![(number, Zeroizing::new(kek))] }
    }
    /// From `2:base64,1:base64`: the first key wraps from now on, the others still unwrap.
    pub fn from_text(text: &str) -> Result<Sealing, BadKeys> {
        let mut keks = Vec::new();
        for pair in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let (number, key) = pair.split_once(':').ok_or_else(|| BadKeys("a pair has no colon".into()))?;
            let number = number.trim().parse().map_err(|_| BadKeys("a key's number is not one".into()))?;
            let bytes = Zeroizing::new(STANDARD.decode(key.trim()).map_err(|_| BadKeys("a key is not base64".into()))?);
            let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| BadKeys("a key is not 32 bytes".into()))?;
            if keks.iter().any(|(n, _)| *n == number) {
                return Err(BadKeys("two keys have one number".into()));
            }
            keks.push((number, Zeroizing::new(key)));
        }
        if keks.is_empty() {
            return Err(BadKeys("there is none".into()));
        }
        Ok(Sealing { keks })
    }
    /// Whether new rows are sealed.
    pub fn is_on(&self) -> bool {
        !self.keks.is_empty()
    }
    /// The number of the key that wraps now; 0 where sealing is off.
    pub fn active(&self) -> u32 {
        self.keks.first().map_or(0, |k| k.0)
    }
    /// Wraps a tenant's key for storage.
    pub fn wrap(&self, tenant: TenantId, number: i64, key: &Secret) -> Vec<u8> {
        let aad = wrap_aad(tenant, number);
        match self.keks.first() {
            Some((kek_number, kek)) => envelope(1, *kek_number, kek, &aad, &key[..]),
            None => envelope_plain(&key[..]),
        }
    }
    /// Unwraps a tenant's key.
    pub fn unwrap(&self, tenant: TenantId, number: i64, wrapped: &[u8]) -> Result<Secret, SqlError> {
        let plain = Zeroizing::new(open(wrapped, &wrap_aad(tenant, number), |n| {
            self.keks.iter().find(|(k, _)| *k == n).map(|(_, key)| key)
        })?);
        let key: [u8; 32] = plain.as_slice().try_into().map_err(|_| unreadable("a wrapped key has a wrong length"))?;
        Ok(Zeroizing::new(key))
    }
    /// Whether a wrapped key was wrapped by the active key-encryption key.
    pub fn is_current(&self, wrapped: &[u8]) -> bool {
        key_number(wrapped) == self.active() && (wrapped.first() == Some(&1)) == self.is_on()
    }
}

fn wrap_aad(tenant: TenantId, number: i64) -> Vec<u8> {
    format!("tenant_keys/{tenant}/{number}").into_bytes()
}

fn unreadable(what: &str) -> SqlError {
    SqlError::Unreadable(what.to_owned())
}

fn envelope(form: u8, number: u32, key: &Secret, aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut nonce = [0u8; 12];
    rand::rng().fill_bytes(&mut nonce);
    let cipher = Aes256GcmSiv::new((&**key).into());
    // Fails only for plaintexts beyond 64 GiB.
    let sealed = cipher.encrypt(&Nonce::from(nonce), Payload { msg: plain, aad }).unwrap_or_default();
    let mut out = Vec::with_capacity(17 + sealed.len());
    out.push(form);
    out.extend_from_slice(&number.to_be_bytes());
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&sealed);
    out
}

fn envelope_plain(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + plain.len());
    out.push(0);
    out.extend_from_slice(plain);
    out
}

/// The number of the key that sealed an envelope; 0 for a plain one.
pub(crate) fn key_number(sealed: &[u8]) -> u32 {
    match sealed {
        [1, a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]),
        _ => 0,
    }
}

fn open<'k>(sealed: &[u8], aad: &[u8], key: impl Fn(u32) -> Option<&'k Secret>) -> Result<Vec<u8>, SqlError> {
    match sealed.first() {
        Some(0) => Ok(sealed[1..].to_vec()),
        Some(1) if sealed.len() >= 33 => {
            let key =
                key(key_number(sealed)).ok_or_else(|| unreadable("a row is sealed with a key that is not here"))?;
            let nonce: [u8; 12] = sealed[5..17].try_into().map_err(|_| unreadable("a sealed row is cut short"))?;
            Aes256GcmSiv::new((&**key).into())
                .decrypt(&Nonce::from(nonce), Payload { msg: &sealed[17..], aad })
                .map_err(|_| unreadable("a sealed row does not open: altered, moved, or another key"))
        }
        _ => Err(unreadable("a sealed row has an unknown form")),
    }
}

/// What a blind index is about; each has its own key space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Field {
    Number,
    Name,
    External,
    Guard,
    Print,
}

/// One tenant's keys, unwrapped.
pub struct TenantKeys {
    tenant: TenantId,
    /// The keyed hash before its text: made once, since keying costs as much as a short text.
    index: Hmac<Sha256>,
    /// Data keys by number, the newest last.
    data: Vec<(u32, Secret)>,
    on: bool,
}

impl fmt::Debug for TenantKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keys of tenant {}", self.tenant)
    }
}

impl TenantKeys {
    /// From unwrapped keys. `on`: whether new rows are sealed.
    pub fn new(tenant: TenantId, index: Secret, data: Vec<(u32, Secret)>, on: bool) -> TenantKeys {
        // Keys of any length are taken, so this never falls back.
        let keyed = <Hmac<Sha256> as KeyInit>::new_from_slice(&index[..]);
        let index = keyed.unwrap_or_else(|_| <Hmac<Sha256> as KeyInit>::new(&Default::default()));
        TenantKeys { tenant, index, data, on }
    }
    /// The number of the key that seals new rows; 0 where they stay plain.
    pub fn active(&self) -> u32 {
        if self.on { self.data.last().map_or(0, |k| k.0) } else { 0 }
    }
    /// Seals a column of a row. `place` names the column and the row, so that nothing sealed can
    /// be moved to another place.
    pub fn seal(&self, place: &str, row: &[u8], plain: &[u8]) -> Vec<u8> {
        match self.data.last().filter(|_| self.on) {
            Some((number, key)) => envelope(1, *number, key, &self.aad(place, row), plain),
            None => envelope_plain(plain),
        }
    }
    /// Opens what [`TenantKeys::seal`] sealed in the same place.
    pub fn open(&self, place: &str, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SqlError> {
        open(sealed, &self.aad(place, row), |n| self.data.iter().find(|(k, _)| *k == n).map(|(_, key)| key))
    }
    fn aad(&self, place: &str, row: &[u8]) -> Vec<u8> {
        let mut aad = Vec::with_capacity(place.len() + row.len() + 8);
        aad.extend_from_slice(&self.tenant.0.to_be_bytes());
        aad.extend_from_slice(place.as_bytes());
        aad.push(0);
        aad.extend_from_slice(row);
        aad
    }
    /// A keyed hash of 16 bytes: equal texts of one tenant and field have equal ones, and nobody
    /// without the key can try texts.
    pub fn blind(&self, field: Field, text: &[u8]) -> Vec<u8> {
        let mut mac = self.index.clone();
        mac.update(&[field as u8]);
        mac.update(text);
        mac.finalize().into_bytes()[..16].to_vec()
    }
    /// The blind index of a number.
    pub fn number(&self, phone: Phone) -> Vec<u8> {
        self.blind(Field::Number, &phone.digits().to_be_bytes())
    }
    /// A fingerprint: changes when the text does.
    pub fn print(&self, text: &[u8]) -> i64 {
        let hash = self.blind(Field::Print, text);
        hash.get(..8).and_then(|b| b.try_into().ok()).map_or(0, i64::from_be_bytes)
    }
    /// The blind index of a full name: letter case and spacing aside.
    pub fn name(&self, name: &str) -> Option<Vec<u8>> {
        let folded = fold_name(name);
        (!folded.is_empty()).then(|| self.blind(Field::Name, folded.as_bytes()))
    }
}

/// A name as it is compared: lower case, single spaces.
pub fn fold_name(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(on: bool) -> TenantKeys {
        TenantKeys::new(TenantId(7), Zeroizing::new([9; 32]), vec![(1, Zeroizing::new([1; 32]))], on)
    }

    #[test]
    fn what_is_sealed_opens_only_in_its_place() {
        let k = keys(true);
        let sealed = k.seal("leads.person", b"row", b"Jane +14155552671");
        assert!(!String::from_utf8_lossy(&sealed).contains("Jane"));
        assert_eq!(k.open("leads.person", b"row", &sealed).expect("same place"), b"Jane +14155552671");
        assert!(k.open("leads.person", b"other", &sealed).is_err(), "moved to another row");
        assert!(k.open("calls.person", b"row", &sealed).is_err(), "moved to another column");
        let other = TenantKeys::new(TenantId(8), Zeroizing::new([9; 32]), vec![(1, Zeroizing::new([1; 32]))], true);
        assert!(other.open("leads.person", b"row", &sealed).is_err(), "moved to another tenant");
        let mut bent = sealed.clone();
        *bent.last_mut().expect("not empty") ^= 1;
        assert!(k.open("leads.person", b"row", &bent).is_err(), "altered");
        for cut in [0, 1, 5, 16, 32] {
            assert!(k.open("leads.person", b"row", &sealed[..cut]).is_err(), "cut to {cut}");
        }
        assert_ne!(sealed, k.seal("leads.person", b"row", b"Jane +14155552671"), "equal rows look different");
    }

    #[test]
    fn keys_rotate_and_sealing_can_be_turned_on_later() {
        let plain = keys(false).seal("p", b"r", b"text");
        let first = keys(true).seal("p", b"r", b"text");
        let rotated = TenantKeys::new(
            TenantId(7),
            Zeroizing::new([9; 32]),
            vec![(1, Zeroizing::new([1; 32])), (2, Zeroizing::new([2; 32]))],
            true,
        );
        assert_eq!(rotated.open("p", b"r", &plain).expect("plain"), b"text");
        assert_eq!(rotated.open("p", b"r", &first).expect("old key"), b"text");
        assert_eq!((key_number(&plain), key_number(&first), rotated.active()), (0, 1, 2));
        assert!(keys(true).open("p", b"r", &rotated.seal("p", b"r", b"text")).is_err(), "a newer key");
        assert_eq!(rotated.blind(Field::Name, b"x"), keys(true).blind(Field::Name, b"x"), "the index key stays");
    }

    #[test]
    fn key_encryption_keys_wrap_and_rotate() {
        let old = Sealing::with(1, [3; 32]);
        let key = fresh_secret();
        let wrapped = old.wrap(TenantId(7), 1, &key);
        let text = format!("2:{},1:{}", STANDARD.encode([4u8; 32]), STANDARD.encode([3u8; 32]));
        let both = Sealing::from_text(&text).expect("well-formed");
        assert_eq!(both.unwrap(TenantId(7), 1, &wrapped).expect("old key still unwraps"), key);
        assert!(!both.is_current(&wrapped));
        assert!(both.is_current(&both.wrap(TenantId(7), 1, &key)));
        assert!(both.unwrap(TenantId(8), 1, &wrapped).is_err(), "another tenant's");
        assert!(Sealing::with(1, [5; 32]).unwrap(TenantId(7), 1, &wrapped).is_err(), "a wrong key");
        for bad in ["", ",", "x", "1:zz", "1:AAAA", "a:b"] {
            let error = Sealing::from_text(bad).expect_err("malformed").to_string();
            assert!(!error.contains("AAAA") && !error.contains("zz"), "{error}");
        }
    }

    #[test]
    fn names_fold_and_fields_are_apart() {
        let k = keys(true);
        assert_eq!(k.name("  Jane   DOE "), k.name("jane doe"));
        assert_ne!(k.name("jane doe"), k.name("jane do"));
        assert_eq!(k.name("  "), None);
        assert_ne!(k.blind(Field::Name, b"x"), k.blind(Field::External, b"x"));
    }
}

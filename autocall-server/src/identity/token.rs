//! Random secrets, their hashes, and signed short-lived tokens.

use aws_lc_rs::{digest, hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

/// How long an access token holds, seconds.
pub const ACCESS_S: i64 = 600;
/// How long a refresh token holds, seconds: 14 days without use end a session.
pub const REFRESH_S: i64 = 14 * 86_400;
/// How long a one-time link holds, seconds.
pub const LINK_S: i64 = 24 * 3600;

/// Random bytes from the operating system's generator.
///
/// # Panics
/// If the system has no randomness: nothing secret can be made then.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A new secret: a prefix that says what it is, and 256 random bits.
pub fn secret(prefix: &str) -> String {
    format!("{prefix}_{}", URL_SAFE_NO_PAD.encode(random::<32>()))
}

/// The name by which a secret is found. The secret has 256 random bits, so a plain hash is as good
/// as a slow one.
pub fn digest_of(secret: &str) -> String {
    hex(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref())
}

/// Bytes in small hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What an access token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The user.
    pub sub: String,
    /// The tenant.
    pub ten: u32,
    /// The session.
    pub sid: String,
    /// When it was made, seconds since the epoch.
    pub iat: i64,
    /// When it ends, seconds since the epoch.
    pub exp: i64,
}

/// Signs and reads access tokens.
pub struct Tokens {
    encode: EncodingKey,
    decode: DecodingKey,
    csrf: hmac::Key,
    validation: Validation,
}

impl Tokens {
    /// With this secret, 32 bytes or more.
    pub fn new(secret: &[u8]) -> Tokens {
        let mut validation = Validation::new(Algorithm::HS256);
        // Our own clock judges the end, so that tests and trials can set it.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        validation.validate_aud = false;
        Tokens {
            encode: EncodingKey::from_secret(secret),
            decode: DecodingKey::from_secret(secret),
            csrf: hmac::Key::new(hmac::HMAC_SHA256, &[b"autocall csrf ", secret].concat()),
            validation,
        }
    }

    /// An access token for a session.
    pub fn access(&self, user: &str, tenant: u32, session: &str, now_s: i64) -> Option<String> {
        let claims = Claims { sub: user.into(), ten: tenant, sid: session.into(), iat: now_s, exp: now_s + ACCESS_S };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encode).ok()
    }

    /// What a token says, if we signed it and it still holds.
    pub fn read(&self, token: &str, now_s: i64) -> Option<Claims> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decode, &self.validation).ok()?.claims;
        // A minute of grace for a clock that runs ahead on another node.
        (now_s < claims.exp && now_s >= claims.iat - 60).then_some(claims)
    }

    /// The value that a page must repeat in a header to change anything with its cookies.
    pub fn csrf(&self, session: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.csrf, session.as_bytes()).as_ref())
    }

    /// Whether a header repeats it; in constant time.
    pub fn is_csrf(&self, session: &str, given: &str) -> bool {
        URL_SAFE_NO_PAD.decode(given).is_ok_and(|tag| hmac::verify(&self.csrf, session.as_bytes(), &tag).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_only_while_it_holds_and_only_by_its_signer() {
        let tokens = Tokens::new(&[7; 32]);
        let token = tokens.access("u", 3, "s", 1_000).expect("signed");
        assert_eq!(tokens.read(&token, 1_000 + ACCESS_S - 1).map(|c| c.ten), Some(3));
        assert!(tokens.read(&token, 1_000 + ACCESS_S).is_none());
        assert!(tokens.read(&token, 900).is_none(), "from the future");
        assert!(Tokens::new(&[8; 32]).read(&token, 1_000).is_none());
        // A token that claims to need no signature.
        let body = token.split('.').nth(1).expect("a body");
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        assert!(tokens.read(&format!("{none}.{body}."), 1_000).is_none());
    }

    #[test]
    fn the_csrf_value_belongs_to_one_session() {
        let tokens = Tokens::new(&[7; 32]);
        let value = tokens.csrf("a");
        assert!(tokens.is_csrf("a", &value) && !tokens.is_csrf("b", &value) && !tokens.is_csrf("a", ""));
    }

    #[test]
    fn secrets_differ_and_say_what_they_are() {
        let (one, two) = (secret("ack"), secret("ack"));
        assert!(one.starts_with("ack_") && one != two && one.len() == 47);
        assert_eq!(digest_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}

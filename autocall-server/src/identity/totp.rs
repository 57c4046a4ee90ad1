//! Time-based one-time passwords, RFC 6238: six digits, thirty seconds, SHA-1 (what every
//! authenticator app knows).

use aws_lc_rs::hmac;

const STEP_S: i64 = 30;
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The code of a time step.
fn code(secret: &[u8], step: i64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 0x0F);
    let word = u32::from_be_bytes([tag[at], tag[at + 1], tag[at + 2], tag[at + 3]]);
    (word & 0x7FFF_FFFF) % 1_000_000
}

/// The time step in which the text is the code: this one or a neighbour, later than `last`.
/// A step is used once: keep what this returns as the next `last`.
pub fn step(secret: &[u8], text: &str, now_s: i64, last: i64) -> Option<i64> {
    let digits: u32 = (text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())??;
    let now = now_s.div_euclid(STEP_S);
    (now - 1..=now + 1).find(|&step| step > last && code(secret, step) == digits)
}

/// A secret in base 32 (RFC 4648, without padding), as people type it into their app.
pub fn base32(bytes: &[u8]) -> String {
    let (mut text, mut bits, mut held) = (String::new(), 0u32, 0);
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(char::from(ALPHABET[(bits >> held) as usize & 31]));
        }
    }
    if held > 0 {
        text.push(char::from(ALPHABET[(bits << (5 - held)) as usize & 31]));
    }
    text
}

/// The address that an authenticator app reads from a picture.
pub fn address(secret: &[u8], login: &str) -> String {
    let login: String = url::form_urlencoded::byte_serialize(login.as_bytes()).collect();
    format!("otpauth://totp/autocall:{login}?secret={}&issuer=autocall", base32(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the last six of the eight digits.
    #[test]
    fn the_vectors_of_the_rfc() {
        let secret = b"12345678901234567890";
        for (at, digits) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            assert_eq!(step(secret, digits, at, 0), Some(at / 30));
        }
    }

    #[test]
    fn a_code_is_taken_once_and_not_for_long() {
        let secret = b"12345678901234567890";
        assert_eq!(step(secret, "287082", 59, 1), None, "its step was used");
        assert_eq!(step(secret, "287082", 59 + 30, 0), Some(1), "a slow typist");
        assert_eq!(step(secret, "287082", 59 + 90, 0), None);
        assert_eq!(step(secret, "28708x", 59, 0), None);
        assert_eq!(base32(b"foobar"), "MZXW6YTBOI");
    }
}

//! The Standard Webhooks signature: HMAC-SHA-256 over `id.timestamp.body`.

use crate::identity::token;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A new signing secret, `whsec_` and 32 random bytes in base64.
pub fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(token::random::<32>()))
}

/// The value of `webhook-signature`; `None` for a secret that is not one.
pub fn signature(secret: &str, id: &str, at_s: i64, body: &[u8]) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    let mut text = format!("{id}.{at_s}.").into_bytes();
    text.extend_from_slice(body);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &text);
    Some(format!("v1,{}", STANDARD.encode(tag.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn the_published_vector() {
        let signature = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn secrets_sign() {
        assert!(signature(&secret(), "a", 1, b"x").is_some());
        assert!(signature("hunter2", "a", 1, b"x").is_none());
    }
}

//! The fake's own signing of webhooks, written apart from the adapter's check so that the two
//! can disagree: `base64(HMAC-SHA1(token, url + sorted names and values))`.

use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use std::collections::{BTreeMap, BTreeSet};

/// The signature of a POST with these decoded fields to this URL (no fragment).
pub fn sign(token: &str, url: &str, fields: &[(String, String)]) -> String {
    let mut by_name: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in fields {
        by_name.entry(name).or_default().insert(value);
    }
    let mut text = url.to_owned();
    for (name, values) in by_name {
        for value in values {
            text.push_str(name);
            text.push_str(value);
        }
    }
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(token.as_bytes()).expect("any key length");
    mac.update(text.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

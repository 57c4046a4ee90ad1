//! Lock-out after wrong passwords: by login name and by where the guesses come from, so that nobody
//! locks somebody else's account from afar. A name that does not exist is locked like one that
//! does, and so is not told apart.

use super::token;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Wrong passwords in a row that lock a name, for one place.
const MISSES_MAX: u32 = 8;
/// How long at first, milliseconds; doubles with each further miss, to an hour.
const LOCK_MS: i64 = 60_000;
/// Misses older than this are forgotten, milliseconds.
const FORGOTTEN_MS: i64 = 24 * 3_600_000;
/// Names and places remembered at most.
const KEPT_MAX: usize = 100_000;

#[derive(Clone, Copy, Default)]
struct Misses {
    count: u32,
    until_ms: i64,
    last_ms: i64,
}

/// The wrong passwords of late.
#[derive(Default)]
pub struct Lockouts(Mutex<HashMap<String, Misses>>);

/// Where guesses come from: an address, or for IPv6 the network of one customer.
fn place(ip: Option<IpAddr>) -> String {
    match ip {
        None => String::new(),
        Some(IpAddr::V4(v4)) => v4.to_string(),
        Some(IpAddr::V6(v6)) => {
            let s = v6.segments();
            format!("{:x}:{:x}:{:x}:{:x}", s[0], s[1], s[2], s[3])
        }
    }
}

fn key(login: &str, ip: Option<IpAddr>) -> String {
    token::digest_of(&format!("{login}\n{}", place(ip)))
}

impl Lockouts {
    /// Seconds for which the name is locked for this place.
    pub fn locked_s(&self, login: &str, ip: Option<IpAddr>, now_ms: i64) -> Option<u64> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = kept.get(&key(login, ip))?.until_ms - now_ms;
        (left > 0).then(|| (left as u64).div_ceil(1000))
    }

    /// A wrong password.
    pub fn miss(&self, login: &str, ip: Option<IpAddr>, now_ms: i64) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, m| m.until_ms > now_ms);
        }
        let misses = kept.entry(key(login, ip)).or_default();
        if now_ms - misses.last_ms > FORGOTTEN_MS {
            *misses = Misses::default();
        }
        misses.count = misses.count.saturating_add(1);
        misses.last_ms = now_ms;
        if misses.count >= MISSES_MAX {
            misses.until_ms = now_ms + (LOCK_MS << (misses.count - MISSES_MAX).min(6)).min(3_600_000);
        }
    }

    /// The right password.
    pub fn hit(&self, login: &str, ip: Option<IpAddr>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(login, ip));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_misses_lock_one_place_and_no_other() {
        let (lockouts, thief, owner) =
            (Lockouts::default(), "203.0.113.9".parse().ok(), "2001:db8:1:2::7".parse().ok());
        for n in 0..8 {
            assert_eq!(lockouts.locked_s("ann", thief, n), None);
            lockouts.miss("ann", thief, n);
        }
        assert_eq!(lockouts.locked_s("ann", thief, 8), Some(60));
        assert_eq!(lockouts.locked_s("ann", owner, 8), None, "the owner is elsewhere");
        assert_eq!(lockouts.locked_s("ann", thief, 60_008), None);
        lockouts.miss("ann", thief, 60_008);
        assert_eq!(lockouts.locked_s("ann", thief, 60_008), Some(120), "longer each time");
        // A network of one customer counts as one place.
        (0..8).for_each(|n| lockouts.miss("bob", format!("2001:db8:1:2::{n}").parse().ok(), 0));
        assert!(lockouts.locked_s("bob", owner, 1).is_some());
        lockouts.hit("bob", owner);
        assert_eq!(lockouts.locked_s("bob", owner, 1), None);
    }
}

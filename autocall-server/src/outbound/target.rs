//! Where webhooks may go: https, to addresses of the open internet only. The check is made on the
//! addresses that are then connected to, so a name cannot change its meaning in between.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Longest time to connect.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Longest time of one delivery.
pub const DELIVERY_MAX: Duration = Duration::from_secs(15);

/// Whether an address is of the open internet (IANA special-purpose registries, RFC 6890 and
/// later): not this machine, not a private or shared net, not link-local (cloud metadata), not
/// multicast, not reserved.
pub fn is_open(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_open_v4(v4),
        IpAddr::V6(v6) => is_open_v6(v6),
    }
}

fn is_open_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let closed = a == 0
        || a == 10
        || a == 127
        || (a == 100 && (64..128).contains(&b))
        || (a == 169 && b == 254)
        || (a == 172 && (16..32).contains(&b))
        || (a == 192 && b == 168)
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        || a >= 224;
    !closed
}

fn is_open_v6(v6: Ipv6Addr) -> bool {
    let s = v6.segments();
    // Addresses that wrap an older one mean that one.
    if let Some(v4) = v6.to_ipv4_mapped() {
        return is_open_v4(v4);
    }
    let inner = |hi: u16, lo: u16| Ipv4Addr::from((u32::from(hi) << 16) | u32::from(lo));
    if s[0] == 0x64 && s[1] == 0xff9b {
        return s[2..6] == [0, 0, 0, 0] && is_open_v4(inner(s[6], s[7]));
    }
    if s[0] == 0x2002 {
        return is_open_v4(inner(s[1], s[2]));
    }
    // Only global unicast, without documentation, benchmarking and Teredo.
    let global = (0x2000..0x4000).contains(&s[0]);
    let special = s[0] == 0x2001 && (s[1] < 0x200 || s[1] == 0xdb8);
    let documentation = s[0] == 0x3fff && s[1] < 0x1000;
    global && !special && !documentation
}

/// What is wrong with a target; also asked at each delivery, because a literal address is not
/// resolved.
pub fn refusal(url: &url::Url, loopback_allowed: bool) -> Option<&'static str> {
    if loopback_allowed && crate::config::is_loopback(url) && matches!(url.scheme(), "http" | "https") {
        return None;
    }
    if url.scheme() != "https" {
        return Some("is not https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("holds a user name or a password");
    }
    if url.as_str().len() > 2_000 {
        return Some("is over 2000 bytes");
    }
    let literal = match url.host() {
        None => return Some("names no host"),
        Some(url::Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let inside = !name.contains('.')
                || [".localhost", ".local", ".internal", ".home.arpa"].iter().any(|s| name.ends_with(s));
            return if inside { Some("names a machine of an inner network") } else { None };
        }
        Some(url::Host::Ipv4(v4)) => IpAddr::V4(v4),
        Some(url::Host::Ipv6(v6)) => IpAddr::V6(v6),
    };
    if is_open(literal) { None } else { Some("is an address of an inner network") }
}

struct OpenOnly {
    loopback_allowed: bool,
}

impl Resolve for OpenOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let loopback = self.loopback_allowed;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let open: Vec<SocketAddr> =
                found.filter(|a| is_open(a.ip()) || (loopback && a.ip().is_loopback())).collect();
            if open.is_empty() {
                return Err("the name leads to no address of the open internet".into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

/// The client for deliveries: no redirects, no proxy, limits on time, and only open addresses.
///
/// # Errors
/// Where the TLS library cannot start.
pub fn client(loopback_allowed: bool) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .dns_resolver(std::sync::Arc::new(OpenOnly { loopback_allowed }))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_MAX)
        .timeout(DELIVERY_MAX)
        .pool_idle_timeout(Duration::from_secs(30))
        .user_agent(concat!("autocall/", env!("CARGO_PKG_VERSION")))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_networks_are_refused_in_every_disguise() {
        for inner in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2001:db8::1",
            "ff02::1",
            "2001::1",
            "::127.0.0.1",
        ] {
            assert!(!is_open(inner.parse().expect("an address")), "{inner}");
        }
        for open in ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "100.128.0.1", "172.32.0.1"] {
            assert!(is_open(open.parse().expect("an address")), "{open}");
        }
    }

    #[test]
    fn targets_are_https_and_outside() {
        let refused = |s: &str| refusal(&s.parse().expect("a url"), false);
        for wrong in [
            "http://example.com/",
            "https://localhost/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://user:pw@example.com/",
            "https://metadata.google.internal/",
            "https://printer/",
            "ftp://example.com/",
            "https://app.localhost./",
        ] {
            assert!(refused(wrong).is_some(), "{wrong}");
        }
        assert_eq!(refused("https://example.com:8443/hook?x=1"), None);
        assert_eq!(refusal(&"http://127.0.0.1:9/".parse().expect("a url"), true), None);
        assert!(refusal(&"http://10.0.0.1/".parse().expect("a url"), true).is_some());
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_connected_to() {
        let client = client(false).expect("a client");
        let error = client.get("https://localhost:9/").send().await.expect_err("refused");
        assert!(format!("{error:?}").contains("open internet"), "{error:?}");
    }
}

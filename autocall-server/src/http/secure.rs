//! Security headers, and whether a request came over https.

use crate::app::App;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use std::net::{IpAddr, SocketAddr};

/// What pages may load: only from here. Styles may be written in place, scripts may not.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
img-src 'self' data:; media-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Adds the headers that every answer carries.
pub async fn headers(State(app): State<App>, request: Request, next: Next) -> Response {
    let https = app.config.is_https();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &'static str| {
        let name = HeaderName::from_static(name);
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    set("x-content-type-options", "nosniff");
    set("referrer-policy", "no-referrer");
    set("x-frame-options", "DENY");
    set("cross-origin-opener-policy", "same-origin");
    set("cross-origin-resource-policy", "same-origin");
    set("permissions-policy", "camera=(), geolocation=(), microphone=(self)");
    set("content-security-policy", POLICY);
    if https {
        set("strict-transport-security", "max-age=31536000");
    }
    headers.remove(header::SERVER);
    response
}

/// Where a request really comes from: the peer, or what a trusted proxy says of it.
pub fn client_ip(app: &App, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<IpAddr> {
    let peer = peer?.ip();
    let trusted = |ip: IpAddr| app.config.trusted_proxies.iter().any(|net| net.holds(ip));
    if !trusted(peer) {
        return Some(peer);
    }
    // From the right: the first address that is not one of our own proxies.
    let forwarded = headers.get_all("x-forwarded-for").into_iter().filter_map(|v| v.to_str().ok());
    let chain: Vec<IpAddr> = forwarded.flat_map(|v| v.split(',')).filter_map(|s| s.trim().parse().ok()).collect();
    chain.into_iter().rev().find(|ip| !trusted(*ip)).or(Some(peer))
}

/// The peer's address, where the listener gave it.
pub fn peer(request_extensions: &axum::http::Extensions) -> Option<SocketAddr> {
    request_extensions.get::<ConnectInfo<SocketAddr>>().map(|c| c.0)
}

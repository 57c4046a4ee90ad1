//! Security headers, and whether a request came over https.

use super::problem::Problem;
use crate::app::App;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::net::{IpAddr, SocketAddr};

/// What pages may load: only from here. Styles may be written in place, scripts may not.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
img-src 'self' data:; media-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Headers that show that somebody passed a request on.
const FORWARDING: [&str; 7] =
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via", "cf-connecting-ip"];

/// Whether somebody passed the request on.
pub fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDING.iter().any(|name| headers.contains_key(*name))
}

/// Whether a request came over https: by a trusted proxy's word where it gives one, otherwise by
/// the public address, which is https unless it is this machine itself.
pub fn is_https(app: &App, peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    if app.config.tls.is_some() {
        return true;
    }
    match forwarded_proto(app, peer, headers) {
        Some(proto) => proto.eq_ignore_ascii_case("https"),
        None => app.config.is_https(),
    }
}

/// What a trusted proxy says of the scheme. Of several values the last one is the nearest proxy's.
fn forwarded_proto<'a>(app: &App, peer: Option<SocketAddr>, headers: &'a HeaderMap) -> Option<&'a str> {
    let ip = peer?.ip();
    if !app.config.trusted_proxies.iter().any(|net| net.holds(ip)) {
        return None;
    }
    let last = headers.get_all("x-forwarded-proto").into_iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next().map(str::trim)
}

/// Paths that are asked by machines inside, over plain http.
const PLAIN: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Adds the headers that every answer carries. A request that came to a public https address over
/// plain http is not answered: a page is sent on, anything else is refused, so that nobody gets
/// used to sending a password in the clear.
pub async fn headers(State(app): State<App>, request: Request, next: Next) -> Response {
    let https = is_https(&app, peer(request.extensions()), request.headers());
    let plain = PLAIN.contains(&request.uri().path());
    let mut response =
        if app.config.is_https() && !https && !plain { send_on(&app, &request) } else { next.run(request).await };
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

fn send_on(app: &App, request: &Request) -> Response {
    let target = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let there = format!("{}{target}", app.config.public_base.as_str().trim_end_matches('/'));
    match HeaderValue::try_from(there) {
        Ok(there) if request.method().is_safe() => {
            (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, there)]).into_response()
        }
        _ => Problem::forbidden("this server is reached over https").remedy("use the https address").into_response(),
    }
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

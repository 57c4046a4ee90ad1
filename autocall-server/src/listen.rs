//! The socket: plain, or with the server's own certificate. Slow senders and too many connections
//! are bounded; at the end it takes no new connection, and lets requests that run finish.

use crate::app::App;
use crate::config::{Net, Tls};
use axum::Router;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// How long a handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// How long the head of a request may take to arrive; also how long a kept connection may idle.
const HEAD_MAX: Duration = Duration::from_secs(30);
/// The largest head, bytes.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// Streams of one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;
/// How long a connection of HTTP/2 may last.
const AGE_MAX: Duration = Duration::from_secs(3_600);
/// How long to rest when the system has no room for another connection.
const REST: Duration = Duration::from_millis(50);

/// Serves until told to stop; then waits for running requests, bounded.
pub async fn serve(app: &App, listener: TcpListener, router: Router, stop: CancellationToken) -> Result<(), String> {
    let acceptor = match &app.config.tls {
        Some(tls) => Some(TlsAcceptor::from(Arc::new(server_config(tls)?))),
        None => None,
    };
    let places = Arc::new(Semaphore::new(app.config.limits.connections_max));
    let peers = Arc::new(Peers::new(app));
    let graceful = GracefulShutdown::new();
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = places.clone().acquire_owned() => place.map_err(|e| e.to_string())?,
        };
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(_) => {
                    tokio::time::sleep(REST).await;
                    continue;
                }
            },
        };
        let Some(seat) = Seat::take(&peers, peer.ip()) else { continue };
        let (router, acceptor, watcher) = (router.clone(), acceptor.clone(), graceful.watcher());
        tokio::spawn(async move {
            connection(stream, peer, acceptor, router, watcher).await;
            drop((place, seat));
        });
    }
    drop(listener);
    let wait = Duration::from_secs(app.config.shutdown_s_max);
    let _ = tokio::time::timeout(wait, graceful.shutdown()).await;
    Ok(())
}

/// How many connections each address has. One address alone cannot take all of them; our own
/// proxies stand for many clients, and are not counted.
struct Peers {
    most: usize,
    trusted: Vec<Net>,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

impl Peers {
    fn new(app: &App) -> Peers {
        let most = (app.config.limits.connections_max / 8).max(8);
        Peers { most, trusted: app.config.trusted_proxies.clone(), taken: Mutex::default() }
    }
}

/// One connection's place among those of its address.
struct Seat(Arc<Peers>, IpAddr);

impl Seat {
    fn take(peers: &Arc<Peers>, ip: IpAddr) -> Option<Seat> {
        let counted = !ip.is_loopback() && !peers.trusted.iter().any(|net| net.holds(ip));
        let mut taken = peers.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = taken.entry(ip).or_insert(0);
        if counted && *mine >= peers.most {
            return None;
        }
        *mine += 1;
        Some(Seat(peers.clone(), ip))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = taken.get_mut(&self.1) {
            *mine -= 1;
            if *mine == 0 {
                taken.remove(&self.1);
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    watcher: Watcher,
) {
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = acceptor else { return talk(stream, peer, router, watcher, false).await };
    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
        let newer = stream.get_ref().1.alpn_protocol() == Some(b"h2".as_slice());
        talk(stream, peer, router, watcher, newer).await;
    }
}

/// Talks HTTP/1, or HTTP/2 where the handshake agreed on it. The protocol is not guessed from the
/// first bytes: waiting for those would have no end.
async fn talk<S>(stream: S, peer: SocketAddr, router: Router, watcher: Watcher, newer: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_MAX).max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .keep_alive_interval(Some(HEAD_MAX))
        .keep_alive_timeout(HANDSHAKE_MAX);
    let builder = if newer { builder.http2_only() } else { builder.http1_only() };
    let service = router.map_request(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
    let served = watcher.watch(connection.into_owned());
    // A client that breaks off is no news. One of HTTP/2 that only answers pings ends in time;
    // whoever was listening comes back with a cursor.
    if newer {
        let _ = tokio::time::timeout(AGE_MAX, served).await;
    } else {
        let _ = served.await;
    }
}

fn server_config(tls: &Tls) -> Result<ServerConfig, String> {
    let certs: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_file_iter(&tls.cert).map_err(|e| format!("TLS_CERT: {e}"))?.collect();
    let certs = certs.map_err(|e| format!("TLS_CERT: {e}"))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|e| format!("TLS_KEY: {e}"))?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_no_client_auth()
        .with_single_cert(certs, key)
        .map_err(|e| format!("TLS_CERT and TLS_KEY: {e}"))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

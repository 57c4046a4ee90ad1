//! The socket: plain, or with the server's own certificate; stops taking connections first, and
//! lets requests that run finish.

use crate::app::App;
use crate::config::Tls;
use axum::Router;
use axum::serve::{Listener, ListenerExt as _};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// How long a handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Connections that wait for their handshake or to be served.
const WAITING_MAX: usize = 1024;

/// Serves until told to stop; then waits for running requests, bounded.
pub async fn serve(app: &App, listener: TcpListener, router: Router, stop: CancellationToken) -> Result<(), String> {
    let say = |error: io::Error| format!("serving ended: {error}");
    let wait = Duration::from_secs(app.config.shutdown_s_max);
    let stopped = {
        let stop = stop.clone();
        async move { stop.cancelled().await }
    };
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving: std::pin::Pin<Box<dyn Future<Output = io::Result<()>> + Send>> = match &app.config.tls {
        None => {
            let listener = listener.tap_io(|stream| {
                let _ = stream.set_nodelay(true);
            });
            Box::pin(axum::serve(listener, service).with_graceful_shutdown(stopped).into_future())
        }
        Some(tls) => {
            let listener = Secure::new(listener, tls)?.tap_io(|_| {});
            Box::pin(axum::serve(listener, service).with_graceful_shutdown(stopped).into_future())
        }
    };
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => ended.map_err(say),
        () = async { stop.cancelled().await; tokio::time::sleep(wait).await } => Ok(()),
    }
}

/// A listener whose handshakes run side by side: a slow one holds nobody up.
pub struct Secure {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl Secure {
    fn new(listener: TcpListener, tls: &Tls) -> Result<Secure, String> {
        let acceptor = TlsAcceptor::from(Arc::new(server_config(tls)?));
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        let (give, ready) = mpsc::channel(WAITING_MAX);
        tokio::spawn(async move {
            loop {
                let Ok(place) = give.clone().reserve_owned().await else { return };
                let Ok((stream, peer)) = listener.accept().await else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let _ = stream.set_nodelay(true);
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
                        place.send((stream, peer));
                    }
                });
            }
        });
        Ok(Secure { ready, address })
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

impl Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(ready) => ready,
            // The accepting task lives as long as the process.
            None => std::future::pending().await,
        }
    }
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

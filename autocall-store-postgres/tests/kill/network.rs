//! What lies between the processes: questions and answers as lines of JSON, and the road from a node
//! to its database, which can be cut.

use serde_json::Value;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// Asks somebody who [`serve`]s, and waits for the answer.
pub(crate) async fn ask(address: &str, question: &Value, patience: Duration) -> io::Result<Value> {
    let talk = async {
        let mut stream = BufReader::new(TcpStream::connect(address).await?);
        stream.get_mut().write_all(format!("{question}\n").as_bytes()).await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        serde_json::from_str(&line).map_err(io::Error::other)
    };
    tokio::time::timeout(patience, talk).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Answers questions, each on a task of its own, for as long as the process lives.
pub(crate) fn serve<F>(listener: TcpListener, answer: impl Fn(Value) -> F + Send + Sync + 'static)
where
    F: Future<Output = Value> + Send + 'static,
{
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                if stream.read_line(&mut line).await.is_ok()
                    && let Ok(question) = serde_json::from_str(&line)
                {
                    let told = answer(question).await;
                    let _ = stream.get_mut().write_all(format!("{told}\n").as_bytes()).await;
                }
            });
        }
    });
}

/// How a road is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Route {
    /// Everything passes.
    Open,
    /// Nothing passes, and nobody is told.
    Silent,
    /// Connections are reset, new ones refused.
    Refused,
}

/// The road from one node to the database.
pub(crate) struct Proxy {
    address: String,
    route: Arc<AtomicU8>,
}

impl Proxy {
    pub(crate) async fn open(to: PathBuf) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let route = Arc::new(AtomicU8::new(Route::Open as u8));
        let state = route.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (to, state) = (to.clone(), state.clone());
                tokio::spawn(async move {
                    pass(&state).await?;
                    let far = UnixStream::connect(to).await?;
                    let (near_in, near_out) = near.into_split();
                    let (far_in, far_out) = far.into_split();
                    tokio::select! {
                        done = carry(near_in, far_out, &state) => done,
                        done = carry(far_in, near_out, &state) => done,
                    }
                });
            }
        });
        Proxy { address, route }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn set(&self, route: Route) {
        self.route.store(route as u8, Ordering::Relaxed);
    }
}

/// Waits while the road is silent; fails where it refuses.
async fn pass(state: &AtomicU8) -> io::Result<()> {
    loop {
        match state.load(Ordering::Relaxed) {
            r if r == Route::Open as u8 => return Ok(()),
            r if r == Route::Refused as u8 => return Err(io::ErrorKind::ConnectionReset.into()),
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    state: &AtomicU8,
) -> io::Result<()> {
    let mut chunk = vec![0; 16 << 10];
    loop {
        // A road that refuses must end a connection on which nothing is said, too.
        let n = match tokio::time::timeout(Duration::from_millis(50), from.read(&mut chunk)).await {
            Ok(read) => read?,
            Err(_) => {
                if state.load(Ordering::Relaxed) == Route::Refused as u8 {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                continue;
            }
        };
        if n == 0 {
            return Ok(());
        }
        pass(state).await?;
        to.write_all(&chunk[..n]).await?;
    }
}

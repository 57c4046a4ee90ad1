//! The bus between nodes over a NATS server, for fleets that have one. Core NATS: at most once, as
//! every bus is.

use async_nats::{Client, ConnectOptions, Event, Subscriber};
use async_trait::async_trait;
use autocall_core::ports::{Bus, BusError, Ear, carriable};
use futures::StreamExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Words that may wait in a subscription: more than a burst of a busy fleet.
const WAITING_MAX: usize = 65_536;

/// A bus on a NATS server; nodes with one prefix hear each other.
#[derive(Clone)]
pub struct NatsBus {
    client: Client,
    subject: String,
    /// How often words may have been lost so far.
    lost: Arc<AtomicU64>,
}

fn failed(what: &str) -> BusError {
    BusError(format!("NATS: {what}"))
}

impl NatsBus {
    /// Connects to `url` (`nats://host:4222`, with user and password where they are needed). `prefix`
    /// keeps several fleets on one server apart.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn open(url: &str, prefix: &str) -> Result<NatsBus, BusError> {
        let lost = Arc::new(AtomicU64::new(0));
        let count = lost.clone();
        let options =
            ConnectOptions::new().name("autocall").subscription_capacity(WAITING_MAX).event_callback(move |event| {
                let count = count.clone();
                async move {
                    if matches!(event, Event::Disconnected | Event::SlowConsumer(_)) {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        let client = options.connect(url).await.map_err(|e| failed(&format!("{:?}", e.kind())))?;
        Ok(NatsBus { client, subject: format!("{prefix}.notes"), lost })
    }
}

#[async_trait]
impl Bus for NatsBus {
    async fn say(&self, word: &str) -> Result<(), BusError> {
        carriable(word)?;
        let said = self.client.publish(self.subject.clone(), word.to_owned().into()).await;
        said.map_err(|_| failed("a word could not be said"))
    }

    async fn listen(&self) -> Result<Box<dyn Ear>, BusError> {
        let words = self.client.subscribe(self.subject.clone()).await.map_err(|_| failed("no subscription"))?;
        // Whoever listens hears everything that is said from now on.
        self.client.flush().await.map_err(|_| failed("the server does not answer"))?;
        let seen = self.lost.load(Ordering::Relaxed);
        Ok(Box::new(Listening { words, lost: self.lost.clone(), seen }))
    }
}

struct Listening {
    words: Subscriber,
    lost: Arc<AtomicU64>,
    seen: u64,
}

#[async_trait]
impl Ear for Listening {
    async fn next(&mut self) -> Result<Option<String>, BusError> {
        let lost = self.lost.load(Ordering::Relaxed);
        if lost != self.seen {
            self.seen = lost;
            return Ok(None);
        }
        let word = self.words.next().await.ok_or_else(|| failed("the subscription ended"))?;
        String::from_utf8(word.payload.to_vec()).map(Some).map_err(|_| failed("a word that is not text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autocall_testkit::need;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    struct Server(std::process::Child, String);

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    async fn server() -> Option<Server> {
        let program = need::program("the bus over NATS", "nats-server")?;
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
        let mut nats = Command::new(program);
        nats.args(["-a", "127.0.0.1", "-p", &free.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Server(nats.spawn().expect("starts"), format!("nats://127.0.0.1:{free}"));
        for _ in 0..100 {
            if NatsBus::open(&server.1, "test").await.is_ok() {
                return Some(server);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nats-server does not answer");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_node_hears_every_word_of_its_fleet_in_order() {
        let Some(server) = server().await else { return };
        let open = |prefix: &'static str| NatsBus::open(&server.1, prefix);
        let (one, two, other) = (open("a").await, open("a").await, open("b").await);
        let (one, two, other) = (one.expect("opens"), two.expect("opens"), other.expect("opens"));
        let (mut mine, mut yours) = (one.listen().await.expect("hears"), two.listen().await.expect("hears"));
        let mut foreign = other.listen().await.expect("hears");
        for n in 0..100 {
            one.say(&n.to_string()).await.expect("said");
        }
        other.say("elsewhere").await.expect("said");
        for n in 0..100 {
            assert_eq!(mine.next().await, Ok(Some(n.to_string())));
            assert_eq!(yours.next().await, Ok(Some(n.to_string())));
        }
        assert_eq!(foreign.next().await, Ok(Some("elsewhere".into())), "fleets are apart");
        assert!(one.say(&"x".repeat(autocall_core::ports::WORD_BYTES_MAX + 1)).await.is_err(), "too long for some bus");
    }
}

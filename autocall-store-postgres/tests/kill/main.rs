//! Processes that die at any moment while a campaign runs.
//!
//! A node is a process of its own: the engine with its loop, the Postgres store, and a server for
//! the carrier's webhooks on the loopback. Nodes are killed with SIGKILL, Postgres is crashed, nodes
//! are cut off from it and let back. The simulated carrier and its log live in this process, which
//! is never killed: its log is the judge.
//!
//! Eight kills in the tests; `cargo xtask soak stores` makes it 200 kills and 10,000 leads.

mod judge;
mod network;
mod node;
mod scene;

use autocall_store_postgres::{Options, Sealing, open};
use autocall_testkit::dice::Dice;
use autocall_testkit::need;
use autocall_testkit::postgres::Cluster;
use network::{Proxy, Route};
use scene::{Clockwork, Exchange};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Leads for each kill, so that the campaign outlasts them.
const LEADS_PER_KILL: u64 = 50;
/// Nodes that run at a time.
const NODES: usize = 3;
/// No lead closes for so long: nothing moves any more. Every timer of a call is shorter.
const STUCK: Duration = Duration::from_secs(180);

/// Not a test of its own: the program of a node, started by the test below.
#[test]
fn node_program() {
    let Ok(told) = std::env::var(node::TOLD) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runs");
    runtime.block_on(node::run(&told));
}

fn spawn(told: &str) -> Child {
    let me = std::env::current_exe().expect("a program");
    let mut command = Command::new(me);
    command.args(["--exact", "node_program", "--nocapture"]).env(node::TOLD, told);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts")
}

/// What is done to the nodes and to Postgres.
struct Saboteur {
    cluster: Cluster,
    nodes: Vec<Child>,
    told: Vec<String>,
    routes: Vec<Arc<Proxy>>,
    dice: Dice,
    /// Nodes killed, crashes of Postgres, nodes cut off.
    done: [u32; 3],
    /// Whether a node may be cut off for longer than its store waits for an answer.
    patient: bool,
}

impl Saboteur {
    async fn strike(&mut self) {
        let n = self.dice.below(NODES as u64) as usize;
        match self.dice.below(8) {
            0 => {
                self.cluster.stop(true).expect("crashes");
                tokio::time::sleep(Duration::from_millis(self.dice.below(300))).await;
                self.cluster.start().expect("comes back");
                self.done[1] += 1;
            }
            1 | 2 => self.cut(n),
            _ => {
                self.nodes[n].kill().expect("killed");
                self.nodes[n].wait().expect("gone");
                tokio::time::sleep(Duration::from_millis(self.dice.below(300))).await;
                self.nodes[n] = spawn(&self.told[n]);
                self.done[0] += 1;
            }
        }
    }

    /// Kills and crashes; a cut kills nobody.
    fn kills(&self) -> u32 {
        self.done[0] + self.done[1]
    }

    /// Cuts a node off from its database for a while; what was on the way is lost or late.
    fn cut(&mut self, n: usize) {
        let route = self.routes[n].clone();
        let how = if self.dice.chance(0.5) { Route::Silent } else { Route::Refused };
        let long = self.patient && self.dice.chance(0.1);
        let span = if long { 25_000 } else { 300 + self.dice.below(2_500) };
        self.done[2] += 1;
        tokio::spawn(async move {
            route.set(how);
            tokio::time::sleep(Duration::from_millis(span)).await;
            route.set(Route::Open);
        });
    }
}

impl Drop for Saboteur {
    /// Nodes must not outlive a test that failed.
    fn drop(&mut self) {
        for node in &mut self.nodes {
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_dialled_twice_when_nodes_and_postgres_die() {
    let Some(cluster) = Cluster::own("kill") else {
        need::left_out("the kill test on Postgres", "a Postgres server");
        return;
    };
    let told = |name: &str| std::env::var(name).ok().and_then(|k| k.parse::<u64>().ok());
    let kills = told("AUTOCALL_KILLS").unwrap_or(8) as u32;
    let seed = told("AUTOCALL_SEED").unwrap_or(1);
    let n = u64::from(kills) * LEADS_PER_KILL;
    let name = cluster.database_named("kill");
    let options = Options { connections_max: 3, ..Options::new(cluster.url(&name)) };
    let store = Arc::new(open(&options, Sealing::with(1, [7; 32])).await.expect("opens"));
    let clock = Clockwork::begin();
    scene::furnish(&store, n, clock.now()).await;
    let exchange = Exchange::open(clock, seed).await;
    let mut saboteur = Saboteur {
        cluster: cluster.clone(),
        nodes: Vec::new(),
        told: Vec::new(),
        routes: Vec::new(),
        dice: Dice::seeded(seed),
        done: [0; 3],
        patient: kills >= 100,
    };
    for node in 0..NODES {
        let route = Proxy::open(cluster.dir().join(".s.PGSQL.5432")).await;
        let url = format!("postgres://autocall@{}/{name}", route.address());
        saboteur.told.push(format!("{node}|{url}|{}|{}", exchange.address(), clock.told()));
        saboteur.nodes.push(spawn(&saboteur.told[node]));
        saboteur.routes.push(Arc::new(route));
    }
    exchange.until_a_node_listens().await;
    let (mut at_work, mut dialled) = (0, 0);
    while saboteur.kills() < kills {
        tokio::time::sleep(Duration::from_millis(400 + saboteur.dice.below(800))).await;
        // On a machine that is busy with other things nodes are slow to come back: a strike at nodes
        // that have not dialled since the last one would show nothing.
        exchange.until_dialled(dialled + 3, Duration::from_secs(10)).await;
        dialled = exchange.placed();
        at_work += u32::from(judge::is_at_work(&store).await);
        let before = saboteur.kills();
        saboteur.strike().await;
        if saboteur.kills() / 10 > before / 10 {
            println!("{} of {kills} kills, {} dials", saboteur.kills(), exchange.placed());
        }
    }
    let strikes: u32 = saboteur.done.iter().sum();
    assert!(at_work * 2 > strikes, "only {at_work} of {strikes} strikes met a campaign at work");
    for route in &saboteur.routes {
        route.set(Route::Open);
    }
    // However slow the machine is: a lead that is lost, or an agent who is stuck, stops the count.
    let (mut most, mut since) = (0, Instant::now());
    while let Err((closed, left)) = judge::is_over(&store, n).await {
        if closed > most {
            (most, since) = (closed, Instant::now());
        }
        assert!(since.elapsed() < STUCK, "the campaign does not end: {left}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    exchange.let_pass(Duration::from_secs(20)).await;
    let verdict = judge::judge(&store, &exchange, n).await;
    let [killed, crashed, cut] = saboteur.done;
    println!("{killed} nodes killed, {crashed} crashes of Postgres, {cut} nodes cut off; {verdict}");
    drop(saboteur);
    cluster.stop(true).expect("stops");
}

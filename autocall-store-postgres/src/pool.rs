//! Connections, kept for the next transaction.
//!
//! A pool of our own, and a small one: the library's asks each connection whether it lives when it
//! is taken and when it comes back, two journeys more for every transaction. Here a connection that
//! died shows at `BEGIN`, which may be said again on another one; and one whose fate is unknown (a
//! cut network, a caller who went away in the middle) is closed at once, never used again.

use crate::conn::{PgTx, failed};
use autocall_sql::SqlError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long to wait for a free connection, and for a new one to be made.
const WAIT: Duration = Duration::from_secs(5);
/// Connections are renewed after this time: servers keep caches per connection, and after a
/// failover half a fleet should not stay on the old host.
const LIFE_MAX: Duration = Duration::from_secs(30 * 60);
/// How often a connection's plans are made anew. The server plans a statement once per connection,
/// by the size that its tables have then: on a database that was empty a minute ago, that is wrong
/// until statistics are gathered, and a look-up by key reads the whole table. A young connection
/// plans again sooner: each time that its age has doubled.
const PLANS_KEPT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A connection that nobody used for so long is closed.
const IDLE_MAX: Duration = Duration::from_secs(10 * 60);

/// The connections of one role.
#[derive(Clone)]
pub(crate) struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    options: PgConnectOptions,
    role: &'static str,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    closed: AtomicBool,
}

struct Idle {
    conn: PgConnection,
    age: Age,
    since: Instant,
}

/// How old a connection is, and its plans.
#[derive(Clone, Copy)]
struct Age {
    made_at: Instant,
    planned_at: Instant,
}

impl Age {
    fn new(now: Instant) -> Age {
        Age { made_at: now, planned_at: now }
    }

    /// Whether its plans are too old.
    fn must_plan(&self, now: Instant) -> bool {
        let (least, most) = PLANS_KEPT;
        now - self.planned_at >= (self.planned_at - self.made_at).clamp(least, most)
    }
}

/// A connection that is taken. Dropped without [`Held::give_back`], it is closed.
pub(crate) struct Held {
    pub(crate) conn: PgConnection,
    age: Age,
    home: Pool,
    _place: OwnedSemaphorePermit,
}

impl Held {
    /// The connection is at rest: the next transaction may have it.
    pub(crate) fn give_back(self) {
        let inner = &self.home.inner;
        if inner.closed.load(Ordering::Relaxed) || self.age.made_at.elapsed() > LIFE_MAX {
            return;
        }
        let mut idle = inner.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // The one used last is taken first; those at the other end grow old and go.
        let old = idle.iter().take_while(|i| i.since.elapsed() > IDLE_MAX).count();
        idle.drain(..old);
        idle.push(Idle { conn: self.conn, age: self.age, since: Instant::now() });
    }
}

/// Whether a connection is of no use any more, in contrast to words that the server refuses: those of
/// its administrator's shutdown (57P) and of the connection itself (08) are its last.
fn is_dead(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(said) = error else { return true };
    said.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("08") || code == "25P03")
}

fn gone(why: &str) -> SqlError {
    SqlError::Gone(why.to_owned())
}

impl Pool {
    pub(crate) fn new(options: PgConnectOptions, max: u32, role: &'static str) -> Pool {
        let places = Arc::new(Semaphore::new(max.max(1) as usize));
        let closed = AtomicBool::new(false);
        Pool { inner: Arc::new(Inner { options, role, places, idle: Mutex::default(), closed }) }
    }

    /// A new connection in the pool's role.
    pub(crate) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let set = format!("SET ROLE {}", self.inner.role);
        let connect = async {
            let mut conn = PgConnection::connect_with(&self.inner.options).await?;
            conn.execute(AssertSqlSafe(set)).await?;
            Ok(conn)
        };
        timeout(WAIT, connect).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// Begins a transaction with these words.
    pub(crate) async fn begin(&self, words: &str) -> Result<PgTx, SqlError> {
        if self.inner.closed.load(Ordering::Relaxed) {
            return Err(gone("the store is closed"));
        }
        let place = timeout(WAIT, self.inner.places.clone().acquire_owned()).await;
        let place = place.ok().and_then(Result::ok).ok_or_else(|| gone("every connection to Postgres is in use"))?;
        loop {
            let kept = self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let fresh = kept.is_none();
            let (mut conn, mut age) = match kept {
                Some(kept) => (kept.conn, kept.age),
                None => (self.connect().await.map_err(failed)?, Age::new(Instant::now())),
            };
            let plans_anew = age.must_plan(Instant::now());
            let words = if plans_anew { format!("{words}; DISCARD PLANS") } else { words.to_owned() };
            match timeout(WAIT, conn.execute(AssertSqlSafe(words))).await {
                Ok(Ok(_)) => {
                    if plans_anew {
                        age.planned_at = Instant::now();
                    }
                    let held = Held { conn, age, home: self.clone(), _place: place };
                    return Ok(PgTx::begun(held));
                }
                // It died while it rested. Nothing was said on it, so another one may be tried.
                Ok(Err(error)) if !fresh && is_dead(&error) => {}
                Ok(Err(error)) => return Err(failed(error)),
                // A network that swallows packets: the others would keep the caller waiting as well.
                Err(_) => return Err(gone("Postgres does not answer")),
            }
        }
    }

    /// Closes what rests; what is taken is closed when it comes back.
    pub(crate) async fn close(&self) {
        self.inner.closed.store(true, Ordering::Relaxed);
        let idle = std::mem::take(&mut *self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for kept in idle {
            let _ = timeout(WAIT, kept.conn.close()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_plans_anew_each_time_its_age_has_doubled_and_every_minute() {
        let made = Instant::now();
        let mut age = Age::new(made);
        let mut planned = Vec::new();
        for second in 1..=300 {
            if age.must_plan(made + Duration::from_secs(second)) {
                age.planned_at = made + Duration::from_secs(second);
                planned.push(second);
            }
        }
        assert_eq!(planned, [1, 2, 4, 8, 16, 32, 64, 124, 184, 244]);
    }
}

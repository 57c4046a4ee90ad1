//! The bus between nodes over `LISTEN` and `NOTIFY`.
//!
//! A notification takes a lock of the whole database when it is committed, so none is ever sent from
//! a transaction that does something else.

use crate::OpenError;
use async_trait::async_trait;
use autocall_core::ports::{Bus, BusError, Ear, carriable};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use std::str::FromStr;
use std::time::Duration;

const CHANNEL: &str = "autocall";

/// A bus on a Postgres database: every process that listens there hears every word.
#[derive(Debug, Clone)]
pub struct PostgresBus {
    pool: PgPool,
}

impl PostgresBus {
    /// Opens a bus on the database at this address.
    ///
    /// # Errors
    /// The database cannot be reached, or the address is wrong.
    pub async fn open(url: &str) -> Result<PostgresBus, OpenError> {
        let at = PgConnectOptions::from_str(url)?.application_name("autocall bus");
        let pool = PgPoolOptions::new().max_connections(3).acquire_timeout(Duration::from_secs(5));
        Ok(PostgresBus { pool: pool.connect_with(at).await? })
    }
}

/// What went wrong, without the server's texts: they could quote the word.
fn failed(e: &sqlx::Error) -> BusError {
    BusError(match e {
        sqlx::Error::Database(db) => format!("Postgres {}", db.code().unwrap_or_default()),
        _ => "Postgres cannot be reached".to_owned(),
    })
}

#[async_trait]
impl Bus for PostgresBus {
    async fn say(&self, word: &str) -> Result<(), BusError> {
        carriable(word)?;
        let said = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(word).execute(&self.pool);
        said.await.map(drop).map_err(|e| failed(&e))
    }

    async fn listen(&self) -> Result<Box<dyn Ear>, BusError> {
        let mut listener = PgListener::connect_with(&self.pool).await.map_err(|e| failed(&e))?;
        listener.listen(CHANNEL).await.map_err(|e| failed(&e))?;
        Ok(Box::new(Listening(listener)))
    }
}

struct Listening(PgListener);

#[async_trait]
impl Ear for Listening {
    async fn next(&mut self) -> Result<Option<String>, BusError> {
        let heard = self.0.try_recv().await.map_err(|e| failed(&e))?;
        Ok(heard.map(|word| word.payload().to_owned()))
    }
}

//! Who is there: each worker says so from time to time, and is forgotten when it stops.

use std::time::Duration;

use ::redis::Value;

use super::claims::ms;
use super::names::Names;
use super::{Answer, RedisConnection, scripts};

/// The workers on one Redis, of all mirrors.
#[derive(Debug, Clone)]
pub struct RedisWorkers {
    connection: RedisConnection,
    names: Names,
}

/// A worker that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its name in claims.
    pub name: String,
    /// What it said of itself; opaque here.
    pub what: String,
    /// For how long it may stay silent, in milliseconds since 1970 UTC by the server's clock.
    pub until_ms: u64,
}

impl RedisConnection {
    /// The list of workers.
    #[must_use]
    pub fn workers(&self) -> RedisWorkers {
        RedisWorkers {
            connection: self.clone(),
            names: Names::new(self.namespace(), &["workers"]),
        }
    }
}

impl RedisWorkers {
    fn keys(&self) -> [String; 2] {
        [self.names.of("until"), self.names.of("what")]
    }

    /// Says that the worker is there for `ttl` from now, and what it does.
    ///
    /// # Errors
    /// When Redis is away for longer than the patience, or refuses.
    pub async fn announce(&self, worker: &str, what: &str, ttl: Duration) -> Answer<()> {
        let call = scripts::ANNOUNCE
            .on(self.keys())
            .arg(worker)
            .arg(what)
            .arg(ms(ttl));
        let announced = self.connection.ask::<Value>("announce", call);
        announced.await.map(|_| ())
    }

    /// The workers that are there, at most `limit`, those first that were heard of last; and how many
    /// there are.
    ///
    /// # Errors
    /// When Redis is away for longer than the patience, or refuses.
    pub async fn live(&self, limit: usize) -> Answer<(Vec<Worker>, u64)> {
        let call = scripts::WORKERS.on(self.keys()).arg(limit);
        let (rows, count): (Vec<(String, u64, Option<String>)>, u64) =
            self.connection.ask("workers", call).await?;
        let worker = |(name, until_ms, what): (String, u64, Option<String>)| Worker {
            name,
            what: what.unwrap_or_default(),
            until_ms,
        };
        Ok((rows.into_iter().map(worker).collect(), count))
    }
}

//! The ledger of many machines: Redis 7 or later, standalone or a cluster, with or without persistence.
//!
//! Every transition is one script, so it happens as a whole or not at all, in one round trip, and by the
//! server's clock. The scripts repeat the rules of `build_row` and `outcome`; the conformance suite and a
//! test of random transitions beside the embedded ledger keep the two alike. All keys of a subdir have
//! one hash tag, so a cluster keeps them in one slot. A million done files take some 70 bytes each
//! (`packed`, `place`).
//!
//! What Redis loses costs probes, never correctness: see [`Outcomes::id`](crate::Outcomes::id).

mod budget;
mod claims;
mod connection;
mod controls;
mod dial;
mod failure;
mod leases;
mod names;
mod outcomes;
mod packed;
mod parked;
mod place;
mod scripts;
mod tallies;
mod workers;

use std::fmt;

use crate::error::LedgerError;

pub use budget::RedisHostBudget;
pub use connection::{RedisConnection, RedisOptions};
pub use parked::Parked;
pub use workers::{RedisWorkers, Worker};

use connection::Answer;
use names::Names;
use place::Placement;

/// The ledger of one (registry, channel) in a Redis that it shares with others. Cheap to make and to
/// clone: workers that serve many mirrors have one for each on one connection.
#[derive(Clone)]
pub struct RedisLedger {
    connection: RedisConnection,
    registry: String,
    channel: String,
    placement: Placement,
}

impl RedisConnection {
    /// The ledger of what is mirrored from `channel` to `registry` (with its namespace). Opaque keys, but
    /// those of one mirror must be written alike by all who work on it.
    #[must_use]
    pub fn ledger(&self, registry: &str, channel: &str) -> RedisLedger {
        RedisLedger {
            connection: self.clone(),
            registry: registry.to_owned(),
            channel: channel.to_owned(),
            placement: Placement::default(),
        }
    }
}

impl RedisLedger {
    fn names(&self, subdir: &str) -> Names {
        let parts = [&self.registry, &self.channel, subdir];
        Names::new(self.connection.namespace(), &parts)
    }

    /// An answer that no version of ours gives, or a row that none wrote.
    fn unreadable(&self, what: &'static str, cause: impl fmt::Display) -> LedgerError {
        self.connection.unreadable(what, cause)
    }
}

impl fmt::Debug for RedisLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLedger")
            .field("redis", &self.connection.shown())
            .field("registry", &self.registry)
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

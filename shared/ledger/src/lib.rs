//! What the mirror remembers between runs and between workers: the outcome of every file, who
//! works on which build, and who runs which subdir.
//!
//! The registry is the truth; the ledger saves asking it. A ledger that is lost costs probes, never
//! correctness. Five seams ([`Outcomes`], [`Claims`], [`Lease`], [`Controls`], [`Tallies`]) stand before a driver for
//! a single machine ([`RedbLedger`]) and one for many ([`RedisLedger`]); both keep the promises of the
//! `conformance` module. What else workers share by Redis is here too: the budgets of hosts
//! ([`RedisHostBudget`]) and who is there ([`RedisWorkers`]).

mod build_row;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod encoding;
pub mod error;
mod hex_digest;
pub mod ledger;
pub mod outcome;
mod redb;
mod redis;
pub mod subdir_state;
pub mod tally;

pub use error::LedgerError;
pub use ledger::{
    Claim, Claims, Control, Controls, Lease, LeaseGrant, LeaseHolder, Ledger, Outcomes, Pulse,
    Settled, Settlement,
};
pub use outcome::{Cause, Failure, FailureKind, FileOutcome, Recorded, Wanted};
pub use redb::RedbLedger;
pub use redis::{
    Parked, RedisConnection, RedisHostBudget, RedisLedger, RedisOptions, RedisWorkers, Worker,
};
pub use subdir_state::SubdirState;
pub use tally::{Counts, Tallies, Tally};

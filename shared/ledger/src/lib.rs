//! What the mirror remembers between runs and between workers: the outcome of every file, who
//! works on which build, and who runs which subdir.
//!
//! The registry is the truth; the ledger saves asking it. A ledger that is lost costs probes, never
//! correctness. Three seams ([`Outcomes`], [`Claims`], [`Lease`]) stand before one driver for a
//! single machine ([`RedbLedger`]); every driver keeps the promises of the `conformance` module.

mod build_row;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod encoding;
pub mod error;
mod hex_digest;
pub mod ledger;
pub mod outcome;
mod redb;
pub mod subdir_state;

pub use error::LedgerError;
pub use ledger::{Claim, Claims, Lease, LeaseGrant, Ledger, Outcomes, Settled, Settlement};
pub use outcome::{Cause, Failure, FailureKind, FileOutcome, Recorded, Wanted};
pub use redb::RedbLedger;
pub use subdir_state::SubdirState;

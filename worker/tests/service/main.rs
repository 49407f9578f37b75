//! The worker as a service over the real queue and ledger: what becomes of tasks, whatever happens
//! to them.
#![allow(clippy::unwrap_used)]

mod bench;
mod broken;
mod claims;
mod failures;
mod for_others;
mod overlap;
mod stopping;
mod twice;
mod unanswered;
mod unverified;

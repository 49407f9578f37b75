//! The seams. Each method is one transition or one question, one round trip for a ledger across
//! the network; callers hold `Arc<dyn Ledger>`.
//!
//! `subdir`, `file`, `stem`, `worker` and `owner` are opaque keys here. Times to live are counted
//! on the ledger's clock.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::LedgerError;
use crate::outcome::{FileOutcome, Recorded};
use crate::subdir_state::SubdirState;
use crate::tally::Tallies;

/// All seams of one ledger.
pub trait Ledger: Outcomes + Claims + Lease + Controls + Tallies {}

impl<T: Outcomes + Claims + Lease + Controls + Tallies + ?Sized> Ledger for T {}

/// What became of files, and what is known of their subdir.
#[async_trait]
pub trait Outcomes: Send + Sync + fmt::Debug {
    /// Whether the ledger still knows of the subdir what it knew: see [`Pulse`].
    async fn pulse(&self, subdir: &str) -> Result<Pulse, LedgerError>;

    /// The outcomes of `files`, in their order. Meant for batches of some thousand.
    async fn get_many(
        &self,
        subdir: &str,
        files: &[String],
    ) -> Result<Vec<Option<Recorded>>, LedgerError>;

    /// Writes the outcomes of a build and releases the worker's claim on it, both or neither. Where
    /// the same plan has the very file done already, a failure of it is not written.
    async fn settle(&self, settlement: Settlement) -> Result<Settled, LedgerError>;

    /// Writes outcomes that need no claim (found in a registry, decided by the planner), except
    /// over those of a higher plan, or a failure over the same plan's done file. Returns how many
    /// were written. One call may be written in
    /// several steps.
    async fn adopt(
        &self,
        subdir: &str,
        plan: u64,
        outcomes: Vec<(String, FileOutcome)>,
    ) -> Result<u64, LedgerError>;

    /// The failed files in the order of their names, at most `limit` of those after `after`. An answer
    /// that is shorter than `limit` is the last.
    async fn failures(
        &self,
        subdir: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Recorded)>, LedgerError>;

    /// How many files have failed.
    async fn count_failures(&self, subdir: &str) -> Result<u64, LedgerError>;

    /// Drops the outcomes of `files`, whatever they are: the next plan decides about them anew.
    /// Returns how many there were. One call may be carried out in several steps. Until then
    /// [`has_forgotten`](Tallies::has_forgotten) is true.
    async fn forget(&self, subdir: &str, files: &[String]) -> Result<u64, LedgerError>;

    /// What is known of the subdir's last publication.
    async fn subdir_state(&self, subdir: &str) -> Result<Option<SubdirState>, LedgerError>;

    /// Replaces what is known of the subdir's last publication, unless that is of a later plan. The holder of its lease
    /// does this; one that lost it without noticing must not undo what the next one has written.
    async fn set_subdir_state(
        &self,
        subdir: &str,
        state: &SubdirState,
    ) -> Result<Settled, LedgerError>;

    /// A number for a new plan: higher than every one given before for this subdir, and no lower
    /// than the milliseconds since 1970 UTC.
    async fn begin_plan(&self, subdir: &str) -> Result<u64, LedgerError>;
}

/// One answer of a ledger about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulse {
    /// The random id of what it knows of the subdir. When that was lost, the next asker makes another one.
    pub id: String,
    /// Higher than in every answer before. One that is not: the ledger went back to what it knew then, as a server does
    /// that died and read an older file of its data, or handed over to a copy that lagged behind.
    pub beat: u64,
}

/// The outcomes of one build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The build's subdir.
    pub subdir: String,
    /// The build, `name-version-build`.
    pub stem: String,
    /// Whose claim is released.
    pub worker: String,
    /// The plan of the task.
    pub plan: u64,
    /// The outcomes by file name.
    pub files: Vec<(String, FileOutcome)>,
    /// Whether every file of the build has its outcome now: attempts and the mark of an
    /// interruption are forgotten. Otherwise they stay for the build's next claim.
    pub finished: bool,
    /// Whether the try counts as one of the build's attempts; says something only where the build
    /// is not finished. Who gives a try back must see to it that the next one probes.
    pub counted: bool,
}

/// What became of a [`Settlement`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// All of it is written.
    Accepted,
    /// A later plan has claimed the build or settled one of its files: nothing is written. The
    /// worker's claim is released all the same.
    Superseded {
        /// The later plan.
        by: u64,
    },
}

/// Who works on which build. A claim ends when it is settled, released, or not renewed in time.
#[async_trait]
pub trait Claims: Send + Sync + fmt::Debug {
    /// Claims a build for `worker` and counts an attempt under `plan`; a higher plan counts from 1
    /// anew. `worker` is one process, not a machine: its name must not outlive it.
    async fn claim(
        &self,
        subdir: &str,
        stem: &str,
        plan: u64,
        worker: &str,
        ttl: Duration,
    ) -> Result<Claim, LedgerError>;

    /// Extends the worker's claim, and makes it again if the ledger lost it. True: the claim lives for
    /// most of `ttl` from now, three quarters of it at the least, if not all of it. False when the build
    /// belongs to another worker or a later plan: what this worker does is no longer wanted.
    async fn renew(
        &self,
        subdir: &str,
        stem: &str,
        plan: u64,
        worker: &str,
        ttl: Duration,
    ) -> Result<bool, LedgerError>;

    /// Ends the worker's claim without an outcome. Not `counted` gives the attempt back; only who
    /// has written nothing to the destination may ask for that, for a first attempt does not probe.
    async fn release(
        &self,
        subdir: &str,
        stem: &str,
        plan: u64,
        worker: &str,
        counted: bool,
    ) -> Result<(), LedgerError>;

    /// Whether somebody works on each of the builds, in their order.
    async fn claimed(&self, subdir: &str, stems: &[String]) -> Result<Vec<bool>, LedgerError>;
}

/// The answer to a wish to work on a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The build is the worker's.
    Granted {
        /// Which attempt under this plan it is, from 1.
        attempt: u32,
        /// Whether an earlier claim ended without word from its worker and the build was not
        /// finished since: the destination's state is unknown.
        interrupted: bool,
    },
    /// A claim on it is alive. It may be an earlier one of the same worker.
    Busy {
        /// Whose it is.
        worker: String,
        /// When it ends if not renewed, in milliseconds since 1970 UTC.
        expires_ms: u64,
    },
    /// A later plan has claimed the build, or the asker's was cancelled.
    Superseded {
        /// The later plan, or the last one that was cancelled.
        plan: u64,
    },
    /// The subdir is paused: nobody gets a build until it is resumed.
    Paused,
}

/// Says whether the work on a subdir goes on. Claims and renewals obey.
#[async_trait]
pub trait Controls: Send + Sync + fmt::Debug {
    /// What was said last.
    async fn control(&self, subdir: &str) -> Result<Control, LedgerError>;

    /// No claim is granted while the subdir is paused; what is claimed goes on.
    async fn set_paused(&self, subdir: &str, paused: bool) -> Result<(), LedgerError>;

    /// Ends the plans up to `plan`: their claims are neither granted nor renewed any more. A lower
    /// number than one given before changes nothing; plans begun later are higher.
    async fn cancel(&self, subdir: &str, plan: u64) -> Result<(), LedgerError>;
}

/// What users want of a subdir's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Control {
    /// No build is given out.
    pub paused: bool,
    /// Plans up to this one are cancelled; 0: none.
    pub cancelled: u64,
}

/// One run at a time for each subdir.
#[async_trait]
pub trait Lease: Send + Sync + fmt::Debug {
    /// Takes the lease for `owner` (one run), or extends it if it is already `owner`'s.
    async fn acquire_lease(
        &self,
        subdir: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<LeaseGrant, LedgerError>;

    /// Extends the lease. False when it has ended or is another's: the run must stop or acquire.
    async fn renew_lease(
        &self,
        subdir: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<bool, LedgerError>;

    /// Gives the lease up, if it is `owner`'s.
    async fn release_lease(&self, subdir: &str, owner: &str) -> Result<(), LedgerError>;

    /// Who has the lease, if anybody has.
    async fn lease_holder(&self, subdir: &str) -> Result<Option<LeaseHolder>, LedgerError>;
}

/// Who has a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseHolder {
    /// Which run.
    pub owner: String,
    /// When it ends if not renewed, in milliseconds since 1970 UTC by the ledger's clock. No plan that was begun under
    /// it has a number as high.
    pub expires_ms: u64,
}

/// The answer to a wish for the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseGrant {
    /// The lease is the asker's.
    Granted,
    /// Another run has it.
    Held {
        /// Which.
        owner: String,
        /// When it ends if not renewed, in milliseconds since 1970 UTC.
        expires_ms: u64,
    },
}

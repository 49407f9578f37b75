//! What can go wrong with a ledger.

use std::path::PathBuf;

use mirror_runtime::{Disposed, Disposition};

/// An operation on a ledger that did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Another process has the ledger; it is alive, for the lock dies with it.
    #[error("ledger {} is in use by {owner}; wait for it or stop it, or choose another folder with --state DIR", path.display())]
    LockedBy {
        /// The ledger file.
        path: PathBuf,
        /// Its process id and command line, as it wrote them down.
        owner: String,
    },
    /// Written by a later version of the mirror.
    #[error("ledger {} has format {found}, this program knows up to {known}; use the newer program, or move the file away (the next run asks the registry)", path.display())]
    NewerVersion {
        /// The ledger file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known.
        known: u32,
    },
    /// No ledger, or one that lost its integrity.
    #[error("ledger {} is damaged: {cause}; move the file away and run again: the registry is the truth, the next run asks it", path.display())]
    Damaged {
        /// The ledger file.
        path: PathBuf,
        /// What was found.
        cause: String,
    },
    /// The operating system did not let us at the file.
    #[error("cannot open ledger {}: {cause}", path.display())]
    Open {
        /// The file or folder that was tried.
        path: PathBuf,
        /// What came back, and what to do.
        cause: String,
    },
    /// A transition was not committed for sure: ask again before relying on either.
    #[error("cannot write `{what}` to ledger {}: {cause}", path.display())]
    Write {
        /// The ledger file.
        path: PathBuf,
        /// The transition.
        what: &'static str,
        /// What came back, and what to do.
        cause: String,
    },
    /// A question was not answered.
    #[error("cannot read `{what}` from ledger {}: {cause}", path.display())]
    Read {
        /// The ledger file.
        path: PathBuf,
        /// The question.
        what: &'static str,
        /// What came back, and what to do.
        cause: String,
    },
}

impl Disposed for LedgerError {
    /// An embedded ledger is a file of this machine.
    fn disposition(&self) -> Disposition {
        Disposition::Local
    }
}

//! What ends a run before its time, where it needs more than a text.

/// An end of a subdir's run that [`subdirs`](crate::subdirs) tells apart.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The registry wants a login for pushing, and none was given: the run becomes a dry run.
    #[error("{registry} wants a login and none was given")]
    LoginNeeded {
        registry: String,
        /// Whether it is the one that is read from.
        reads: bool,
    },
    /// Another run is at work on this subdir.
    #[error("{owner} is at work on {subdir}; wait for it, or stop it")]
    LeaseHeld { subdir: String, owner: String },
    /// A user ended the plan.
    #[error("{subdir}: cancelled; what was done stays, and {next}")]
    Cancelled {
        subdir: String,
        /// What can be done about it.
        next: &'static str,
    },
    /// What the plan rests on is gone.
    #[error(
        "the ledger lost what it knew of {subdir} again and again while it was mirrored; is something emptying it?"
    )]
    LedgerLost { subdir: String },
    /// Somebody else took the lease.
    #[error("the lease on {subdir} went to {owner}; this run stops and publishes nothing")]
    LeaseLost { subdir: String, owner: String },
    /// Whose it is now is not known.
    #[error(
        "the lease on {subdir} ran out before its work was done, because the ledger did not renew it or this machine slept; run the same command again"
    )]
    LeaseLapsed { subdir: String },
}

impl RunError {
    /// The lease went to a run that may have ended since.
    pub(crate) fn lost_to_a_later(subdir: &str) -> Self {
        let owner = "a later run".to_owned();
        let subdir = subdir.to_owned();
        Self::LeaseLost { subdir, owner }
    }
}

/// After what was cancelled, where there is nothing to publish by itself.
pub(crate) const GOES_ON: &str = "the same command goes on from there";
/// After a cancelled mirror.
pub(crate) const PUBLISHES: &str = "`conda-oci publish` publishes it";

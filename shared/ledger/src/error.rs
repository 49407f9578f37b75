//! What can go wrong with a ledger.

use std::path::PathBuf;
use std::time::Duration;

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
    /// No Redis can be at this address.
    #[error(
        "cannot use Redis {url}: {cause}; give it as redis://user:password@host:port or rediss://…"
    )]
    RedisAddress {
        /// The address without its secrets.
        url: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The certificates to trust cannot be used.
    #[error("cannot use the certificates {} for Redis: {cause}; it must be a file of certificates in PEM", path.display())]
    RedisCertificates {
        /// Their file.
        path: PathBuf,
        /// What came back.
        cause: String,
    },
    /// No TLS came about.
    #[error(
        "no TLS with Redis {url}: {cause}; give the authority of its certificate as a file, or see that this port speaks TLS"
    )]
    RedisUntrusted {
        /// The address without its secrets.
        url: String,
        /// What came back.
        cause: String,
    },
    /// The login was refused, or does not allow the request.
    #[error(
        "Redis {url} refused `{what}`: {cause}; see user and password in its address and the user's ACL"
    )]
    RedisRefused {
        /// The address without its secrets.
        url: String,
        /// The request.
        what: &'static str,
        /// What came back.
        cause: String,
    },
    /// Redis was away for longer than the patience. Whether the request was carried out is not known.
    #[error("Redis {url} did not answer `{what}` within {} s: {cause}; see that it runs and can be reached from here", waited.as_secs_f32())]
    RedisUnreachable {
        /// The address without its secrets.
        url: String,
        /// The request.
        what: &'static str,
        /// How long it was waited for.
        waited: Duration,
        /// What came back last.
        cause: String,
    },
    /// Redis has used up the memory it may have.
    #[error(
        "Redis {url} has no memory left for `{what}`: raise its `maxmemory` (a million files take some 100 MB) or remove what does not belong there"
    )]
    RedisFull {
        /// The address without its secrets.
        url: String,
        /// The request.
        what: &'static str,
    },
    /// Redis answered what it should not, or keeps what no version of ours wrote.
    #[error(
        "Redis {url}, `{what}`: {cause}; if another program wrote these keys, use another namespace, else delete them (the next run asks the registry)"
    )]
    RedisAnswer {
        /// The address without its secrets.
        url: String,
        /// The request.
        what: &'static str,
        /// What came back.
        cause: String,
    },
    /// A number that cannot be a plan's.
    #[error("{0} is no plan of a ledger in Redis; they are milliseconds since 1970")]
    PlanTooHigh(u64),
}

impl Disposed for LedgerError {
    /// An embedded ledger is a file of this machine, the address of Redis one of its settings. A Redis
    /// that is away or full may be well again.
    fn disposition(&self) -> Disposition {
        match self {
            Self::RedisUnreachable { .. } | Self::RedisFull { .. } => Disposition::Retry,
            _ => Disposition::Local,
        }
    }
}

//! What can go wrong with one file of a task.

use std::io;
use std::path::PathBuf;

use mirror_channel::source::SourceError;
use mirror_ledger::{Failure, FailureKind};
use mirror_oci::DestinationError;
use mirror_runtime::{Disposed, Disposition};
use url::Url;

use crate::extract::ExtractError;
use crate::spool::SpoolError;

/// Why a file was not brought to the destination in this try.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The channel did not give it.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The mirror that is read from did not give it.
    #[error("at the source: {0}")]
    Mirror(DestinationError),
    /// The channel gave something else than its record says.
    #[error(
        "{url}: {problem}; the channel's index and its files disagree, or a cache on the way is stale: if it stays so, only the channel's owner can mend it"
    )]
    Mismatch {
        /// What was downloaded, redacted.
        url: String,
        /// What differs.
        problem: String,
    },
    /// It trickles.
    #[error(
        "{url}: only {size} bytes came in all the time that a slow connection would take; given up"
    )]
    TooSlow {
        /// What was downloaded, redacted.
        url: String,
        /// Bytes that came.
        size: u64,
    },
    /// The channel's index lists a file that it does not have.
    #[error(
        "{url}: not there (404, asked twice), although the channel's index lists it; the two can be apart for a while, a later run tries again"
    )]
    Missing {
        /// What was asked for, redacted.
        url: String,
    },
    /// The record has no hash to verify against, and the task does not allow that.
    #[error(
        "{file}: its record has neither sha256 nor md5, so nothing can vouch for its bytes; --allow-unverified mirrors such files as they come"
    )]
    Unverifiable {
        /// The file.
        file: String,
    },
    /// It is no package, or one past the limits.
    #[error("{file}: {source}{}", remedy(source))]
    Extract {
        /// The file.
        file: String,
        /// What is wrong with it.
        source: ExtractError,
    },
    /// No room or no disk.
    #[error("{file}: {source}")]
    Spool {
        /// The file.
        file: String,
        /// What is wrong.
        source: SpoolError,
    },
    /// The channel folder it goes to.
    #[error("{file}: cannot be kept in {}: {error}; {}", folder.display(), mirror_runtime::local::remedy(error))]
    Folder {
        /// The file.
        file: String,
        /// The channel's folder.
        folder: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// The destination did not take it.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// Listed by an index that somebody else wrote, and not there.
    #[error("{file}: listed by the published index, and the registry does not hold it")]
    NotHeld {
        /// The file.
        file: String,
    },
    /// Its names are none that a registry can hold, or those of several builds.
    #[error(
        "{build}: the names of its channel, subdir and files have no place in a registry; left out"
    )]
    NoPlace {
        /// The build.
        build: String,
    },
    /// This worker may not or cannot work for its mirror.
    #[error("{build}: not for this worker: {why}")]
    NotServed {
        /// The build.
        build: String,
        /// What is in the way, and what to do.
        why: String,
    },
    /// Its worker died each time it was tried.
    #[error("{build}: given up after {attempts} tries that ended with the worker's death")]
    Poison {
        /// The build.
        build: String,
        /// How many.
        attempts: u32,
    },
}

/// What to do about a package that is none; a bound that was passed and the spool say it themselves.
fn remedy(error: &ExtractError) -> &'static str {
    match error {
        ExtractError::TooMuch {
            option: Some(_), ..
        }
        | ExtractError::Spool(_) => "",
        _ => "; the channel serves it so: tell its owner, or leave it out with --exclude",
    }
}

/// The host in the text of an address; the text itself if it has none.
fn host_in(url: &str) -> String {
    let parsed = url.parse::<Url>().ok();
    let host = parsed
        .as_ref()
        .and_then(|url| Some((url.host_str()?, url.port())));
    match host {
        Some((host, Some(port))) => format!("{host}:{port}"),
        Some((host, None)) => host.to_owned(),
        None => url.to_owned(),
    }
}

impl Disposed for TransferError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Source(error) => error.disposition(),
            Self::Mirror(error) => error.disposition(),
            Self::Mismatch { .. } | Self::TooSlow { .. } => Disposition::Retry,
            Self::Missing { .. }
            | Self::Unverifiable { .. }
            | Self::NotHeld { .. }
            | Self::NoPlace { .. }
            | Self::Poison { .. } => Disposition::Permanent,
            // Another set-up of the workers may bring it: the next run tries it at once.
            Self::NotServed { .. } | Self::Folder { .. } => Disposition::Local,
            Self::Extract { source, .. } => source.disposition(),
            Self::Spool { source, .. } => source.disposition(),
            Self::Destination(error) => error.disposition(),
        }
    }
}

/// Tries of a file whose bytes are not what its record says. Copies at a CDN's edge stay bad for hours:
/// minutes between more tries would only keep the run, and its publication, waiting.
const TRIES_OF_WRONG_BYTES: u32 = 3;

impl TransferError {
    /// How many of `attempts` tries in one run are worth it after this error.
    #[must_use]
    pub fn tries(&self, attempts: u32) -> u32 {
        match self {
            Self::Mismatch { .. } => attempts.min(TRIES_OF_WRONG_BYTES),
            _ => attempts,
        }
    }

    /// Whether an option of this run ruled the file out before anything was fetched. With another
    /// value the next run would bring it, so it must not rest.
    fn is_refusal(&self) -> bool {
        let larger_than_the_spool = matches!(self, Self::Spool { source, .. } if matches!(source, SpoolError::TooLarge { .. }));
        matches!(self, Self::Unverifiable { .. }) || larger_than_the_spool
    }

    /// The host to which there was not even a connection: the channel's, the registry's, or one to which they sent a
    /// request on. `host[:port]`.
    #[must_use]
    pub fn unreached_host(&self) -> Option<String> {
        match self {
            Self::Source(SourceError::Unreachable { url, .. }) => Some(host_in(url)),
            Self::Destination(error) | Self::Mirror(error) => {
                error.unreached_host().map(str::to_owned)
            }
            _ => None,
        }
    }

    /// What the ledger keeps of this error.
    #[must_use]
    pub fn failure(&self, attempts: u32, at_ms: u64, wanted: Option<[u8; 32]>) -> Failure {
        let kind = match self.disposition() {
            _ if matches!(self, Self::NotHeld { .. }) => FailureKind::Absent,
            _ if self.is_refusal() => FailureKind::Refused,
            Disposition::Denied => FailureKind::Denied,
            Disposition::Local => FailureKind::Local,
            Disposition::Permanent => FailureKind::Permanent,
            // Nobody answered, which says nothing of the file: the next run tries it at once.
            Disposition::Retry if self.unreached_host().is_some() => FailureKind::Local,
            Disposition::Retry | Disposition::Throttled { .. } | Disposition::Cancelled => {
                FailureKind::Retry
            }
        };
        Failure {
            kind,
            cause: self.to_string().into(),
            attempts,
            at_ms,
            sha256: wanted,
        }
    }
}

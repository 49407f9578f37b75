//! What can go wrong with an index.

use mirror_channel::source::SourceError;
use mirror_oci::DestinationError;
use mirror_runtime::{Disposed, Disposition};

/// An index that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// At a channel.
    #[error(transparent)]
    Channel(#[from] SourceError),
    /// At a mirror.
    #[error(transparent)]
    Mirror(#[from] DestinationError),
    /// What a mirror has at `latest` names no index.
    #[error(
        "{repository}:latest at the source names no repodata.json: it is no index of a conda mirror"
    )]
    NoIndex {
        /// The repository, without host.
        repository: String,
    },
}

impl Disposed for IndexError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Channel(error) => error.disposition(),
            Self::Mirror(error) => error.disposition(),
            Self::NoIndex { .. } => Disposition::Permanent,
        }
    }
}

//! What can go wrong at a destination, whichever it is.

use std::io;
use std::path::PathBuf;

use mirror_runtime::{Disposed, Disposition};

use crate::Digest;
use crate::folder::FolderError;
use crate::local::remedy;
use crate::registry::RegistryError;

/// A failed operation on a destination.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// At a registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// In a folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A blob that did not come, or is not what its digest says.
    #[error("read blob {digest} of {repository}: {problem}")]
    Blob {
        /// The repository, without host.
        repository: String,
        /// The blob.
        digest: Digest,
        /// What is wrong.
        problem: String,
    },
    /// A blob that is not there.
    #[error("read blob {digest} of {repository}: it is not there")]
    BlobMissing {
        /// The repository, without host.
        repository: String,
        /// The blob.
        digest: Digest,
    },
    /// A blob that is what its digest says, and not what it should be.
    #[error("read blob {digest} of {repository}: {problem}")]
    Damaged {
        /// The repository, without host.
        repository: String,
        /// The blob.
        digest: Digest,
        /// What is wrong.
        problem: String,
    },
    /// A blob for which this machine has no room.
    #[error("cannot keep blob {digest} of {repository} in `{}`: {error}; {} (--spool)", dir.display(), remedy(error))]
    Spool {
        /// The repository, without host.
        repository: String,
        /// The blob.
        digest: Digest,
        /// Where it was to be kept.
        dir: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// A blob larger than anything that is read from there.
    #[error(
        "read blob {digest} of {repository}: its manifest says {size} bytes, and at most {max} are read"
    )]
    TooLarge {
        /// The repository, without host.
        repository: String,
        /// The blob.
        digest: Digest,
        /// Its size as its descriptor says, in bytes.
        size: u64,
        /// How much is read, in bytes.
        max: u64,
    },
}

impl DestinationError {
    /// Whether a manifest was refused because it names a blob that is not there.
    #[must_use]
    pub fn is_blob_unknown(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_blob_unknown(),
            Self::Folder(error) => error.is_blob_unknown(),
            // As a registry's own word for it: it may not be visible yet.
            Self::BlobMissing { .. } => true,
            Self::Blob { .. }
            | Self::Damaged { .. }
            | Self::Spool { .. }
            | Self::TooLarge { .. } => false,
        }
    }

    /// Whether the registry cannot even be connected to (refused, no such name, certificate): what is asked of it next
    /// will end so too. Never of a folder, nor of a connection that broke.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Registry(error) if error.is_unreachable())
    }

    /// The host that could not even be connected to: the registry, or one to which it sent a request on.
    #[must_use]
    pub fn unreached_host(&self) -> Option<&str> {
        match self {
            Self::Registry(error) => error.unreached_host(),
            _ => None,
        }
    }

    /// Whether a login would help.
    #[must_use]
    pub fn wants_login(&self) -> bool {
        matches!(self, Self::Registry(RegistryError::LoginNeeded { .. }))
    }
}

impl Disposed for DestinationError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Registry(error) => error.disposition(),
            Self::Folder(error) => error.disposition(),
            Self::Spool { .. } => Disposition::Local,
            Self::Blob { .. } | Self::BlobMissing { .. } => Disposition::Retry,
            Self::Damaged { .. } | Self::TooLarge { .. } => Disposition::Permanent,
        }
    }
}

//! What can go wrong in a folder of image layouts, and what is to be done about it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mirror_runtime::{Disposed, Disposition};

use crate::digest::Digest;
use crate::local::{plain, remedy};

/// An operation on a folder of image layouts that failed. Cheap to clone: one failed commit is
/// told to everyone who waits for it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FolderError {
    /// The file system refused.
    #[error("cannot {action} `{}`: {error}; {}", path.display(), remedy(error))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What came back.
        error: Arc<io::Error>,
    },
    /// A symbolic link below the root.
    #[error("`{}` is a symbolic link, and links inside a folder of image layouts are not followed; put a real folder or file there (a bind mount to use another disk)", .0.display())]
    Link(PathBuf),
    /// Something else than the folder or file that belongs there.
    #[error("`{}` is not a {expected}; move it out of the way", path.display())]
    InTheWay {
        /// What is in the way.
        path: PathBuf,
        /// What should be there.
        expected: &'static str,
    },
    /// A repository name that is refused.
    #[error("`{name}` cannot be a repository in a folder of image layouts: {why}")]
    Repository {
        /// The name, cut at 300 characters.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// A tag or reference that is refused.
    #[error(
        "`{0}` is neither a tag (at most 128 letters, digits, `_`, `.`, `-`; not beginning with `.` or `-`) nor a sha256 digest"
    )]
    Reference(String),
    /// An `index.json` or `oci-layout` that cannot be understood.
    #[error("`{}` is not what an OCI image layout has there: {why}; mend it, or move it away and let the mirror write it anew", path.display())]
    BrokenLayout {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Bytes given as a manifest that are none.
    #[error("the manifest for `{repository}:{tag}` is refused: {why}")]
    BadManifest {
        /// Where it was to go.
        repository: String,
        /// Under which tag.
        tag: String,
        /// What is wrong.
        why: String,
    },
    /// A stored manifest beyond the limit.
    #[error("`{}` has {size} bytes; manifests of more than {limit} are not read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A manifest names a blob that is not there.
    #[error("`{repository}:{tag}` names the blob {digest} of {size} bytes, and the folder has {}; put the blob first", found.map_or("no such blob".to_owned(), |found| format!("{found} bytes of it")))]
    MissingBlob {
        /// The repository.
        repository: String,
        /// The tag that was to move.
        tag: String,
        /// The blob.
        digest: Digest,
        /// Its size as the manifest has it.
        size: u64,
        /// The size found, if a file is there.
        found: Option<u64>,
    },
    /// Bytes that are not what their digest and length say.
    #[error(
        "the bytes for blob {digest} of `{repository}` are wrong: expected {expected_len} bytes, got {len} with digest {actual}; nothing was stored"
    )]
    WrongContent {
        /// The repository.
        repository: String,
        /// The digest asked for.
        digest: Digest,
        /// The length announced.
        expected_len: u64,
        /// The digest of what came.
        actual: Digest,
        /// The length of what came.
        len: u64,
    },
    /// The process is shutting down.
    #[error("the operation was cut off by shutdown")]
    Interrupted,
}

impl FolderError {
    /// Whether a manifest was refused because a blob it names is not there.
    #[must_use]
    pub fn is_blob_unknown(&self) -> bool {
        matches!(self, Self::MissingBlob { .. })
    }

    /// For `map_err`: a failed system call on `path`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io {
            action,
            path: path.to_owned(),
            error: Arc::new(plain(error)),
        }
    }
}

impl Disposed for FolderError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Io { .. } | Self::Link(_) | Self::InTheWay { .. } => Disposition::Local,
            Self::Repository { .. }
            | Self::Reference(_)
            | Self::BrokenLayout { .. }
            | Self::BadManifest { .. }
            | Self::TooLarge { .. } => Disposition::Permanent,
            Self::MissingBlob { .. } | Self::WrongContent { .. } => Disposition::Retry,
            Self::Interrupted => Disposition::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_refusal_of_the_file_system_names_path_and_remedy_and_is_local() {
        for (errno, remedy) in [
            (Errno::NOSPC, "make room"),
            (Errno::ROFS, "mount it writable"),
            (Errno::ACCESS, "access"),
            (Errno::MFILE, "ulimit"),
            (Errno::NOTDIR, "a file stands"),
            (Errno::IO, "disk is well"),
        ] {
            let error = FolderError::io("write", Path::new("/mirror/x"))(errno.into());
            let text = error.to_string();
            assert!(
                text.contains("cannot write `/mirror/x`") && text.contains(remedy),
                "{text}"
            );
            assert_eq!(error.disposition(), Disposition::Local);
        }
    }
}

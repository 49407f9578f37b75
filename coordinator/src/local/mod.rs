//! What `push-cache` added to a subdir: `repodata.json:local`, beside the published index and merged into it.
//!
//! Its records are written after their files, so whoever reads one knows its file to be held. They win over the records
//! that a channel lists under the same names.

mod additions;
mod merge;
mod registry;

use std::sync::Arc;

use mirror_oci::Digest;

pub(crate) use additions::{Additions, Local, Unusable};
pub(crate) use merge::{merge_published, merge_upstream};
pub(crate) use registry::{find, put, read};

/// `:local` as it was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Of its manifest.
    pub digest: Digest,
    pub additions: Arc<Additions>,
}

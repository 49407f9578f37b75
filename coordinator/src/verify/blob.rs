//! One blob that a manifest names: is it there, is it whole.

use mirror_oci::manifest::Descriptor;
use mirror_oci::{Destination, Seen};

use super::finding::{Finding, Kind};
use super::walk::unanswered;
use crate::patience::patiently;

/// What blobs are looked at for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    pub destination: &'a Destination,
    /// Whether their bytes are read.
    pub deep: bool,
}

impl Look<'_> {
    /// Looks at a blob; `what` it is in words, `subject` whose.
    ///
    /// # Errors
    /// When nobody answers.
    pub(crate) async fn blob(
        &self,
        repository: &str,
        blob: &Descriptor,
        subject: &str,
        what: &str,
    ) -> anyhow::Result<Option<Finding>> {
        let destination = self.destination;
        let seen = match self.deep {
            true => patiently(|| destination.hash_blob(repository, blob)).await,
            false => patiently(|| destination.look_at_blob(repository, blob)).await,
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => return unanswered(error, subject, repository).map(Some),
        };
        let (digest, size) = (blob.digest, blob.size);
        let (kind, cause) = match seen {
            Seen::Sound => return Ok(None),
            Seen::Absent => (
                Kind::BlobMissing,
                format!("{what} {digest} is not in {repository}"),
            ),
            Seen::OtherSize(found) => (
                Kind::BlobSize,
                format!(
                    "{what} {digest} in {repository} has {found} bytes, its descriptor says {size}"
                ),
            ),
            Seen::OtherBytes {
                digest: other,
                size: came,
            } => (
                Kind::BlobBytes,
                match came > size {
                    true => format!(
                        "{what} {digest} in {repository} has more than the {size} bytes that its descriptor says"
                    ),
                    false => format!(
                        "{what} {digest} in {repository} has other bytes: {came} came, with digest {other}"
                    ),
                },
            ),
        };
        Ok(Some(
            Finding::new(kind, subject, repository, cause).at(digest),
        ))
    }
}

//! The spans of what is done at a destination.

use mirror_runtime::telemetry::SPANS;
use tracing::Span;

use crate::Digest;

/// A blob on its way to a repository; a child of the span that is entered.
#[must_use]
pub fn blob(repository: &str, digest: &Digest, size: u64) -> Span {
    tracing::info_span!(
        target: SPANS,
        "push blob",
        oci.repository = repository,
        oci.digest = %digest,
        oci.size = size,
    )
}

/// A manifest that is put at a tag.
pub(crate) fn manifest(repository: &str, tag: &str) -> Span {
    tracing::info_span!(
        target: SPANS,
        "put manifest",
        oci.repository = repository,
        oci.tag = tag,
    )
}

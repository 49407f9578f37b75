//! Reads an index that is published.

use std::path::Path;

use anyhow::Context as _;
use mirror_channel::repodata::Limits;
use mirror_oci::layout::SubdirLayout;
use mirror_oci::{Destination, index};
use tempfile::NamedTempFile;

use crate::plan::Latest;

/// The index that `latest` names, unpacked; `None` where it names none.
pub(crate) async fn published(
    latest: &Latest,
    layout: &SubdirLayout,
    destination: &Destination,
    dir: &Path,
) -> anyhow::Result<Option<NamedTempFile>> {
    let Some(manifest) = &latest.manifest else {
        return Ok(None);
    };
    let repository = layout.index_repository();
    let limit = Limits::default().max_decompressed_bytes;
    index::read(destination, &repository, manifest, limit, dir)
        .await
        .with_context(|| format!("read the published index {repository}:latest"))
}

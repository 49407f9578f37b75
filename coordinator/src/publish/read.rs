//! Reads an index that is published.

use std::fs::File;
use std::path::Path;

use anyhow::Context as _;
use mirror_channel::repodata::Limits;
use mirror_channel::zst;
use mirror_oci::Destination;
use mirror_oci::layout::{self, SubdirLayout};
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
    let read = || format!("read the published index {repository}:latest");
    let limit = Limits::default().max_decompressed_bytes;
    if let Some(packed) = manifest.layer(layout::REPODATA_ZST) {
        let packed = destination
            .fetch_blob(&repository, packed, limit, dir)
            .await
            .with_context(read)?;
        let target = NamedTempFile::new_in(dir)?;
        let unpacked = tokio::task::spawn_blocking(move || {
            let mut file = target.as_file();
            zst::decompress(File::open(packed.path())?, &mut file, limit)?;
            anyhow::Ok(target)
        });
        return unpacked.await?.with_context(read).map(Some);
    }
    match manifest.layer(layout::REPODATA) {
        Some(plain) => Ok(Some(
            destination
                .fetch_blob(&repository, plain, limit, dir)
                .await
                .with_context(read)?,
        )),
        None => Ok(None),
    }
}

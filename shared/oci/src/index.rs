//! The published index of a subdir, read back.

use std::fs::File;
use std::path::Path;

use mirror_channel::zst;
use tempfile::NamedTempFile;

use crate::manifest::{Descriptor, Manifest};
use crate::{Destination, DestinationError, layout};

/// The index that `manifest`, the one at `latest`, names, unpacked in a temporary file in `dir`: the compressed form if
/// there is one. `None` where it names none.
///
/// # Errors
/// When it cannot be read, does not unpack, or is larger than `limit` bytes.
pub async fn read(
    destination: &Destination,
    repository: &str,
    manifest: &Manifest,
    limit: u64,
    dir: &Path,
) -> Result<Option<NamedTempFile>, DestinationError> {
    if let Some(packed) = manifest.layer(layout::REPODATA_ZST) {
        let file = destination
            .fetch_blob(repository, packed, limit, dir)
            .await?;
        return unpack(repository, packed, file, limit, dir).await.map(Some);
    }
    match manifest.layer(layout::REPODATA) {
        Some(plain) => {
            let fetched = destination.fetch_blob(repository, plain, limit, dir);
            fetched.await.map(Some)
        }
        None => Ok(None),
    }
}

async fn unpack(
    repository: &str,
    blob: &Descriptor,
    packed: NamedTempFile,
    limit: u64,
    dir: &Path,
) -> Result<NamedTempFile, DestinationError> {
    let failed = |problem: String| DestinationError::Damaged {
        repository: repository.to_owned(),
        digest: blob.digest,
        problem,
    };
    let dir = dir.to_owned();
    let unpacked = tokio::task::spawn_blocking(move || {
        let target = NamedTempFile::new_in(dir).map_err(|error| error.to_string())?;
        let packed = File::open(packed.path()).map_err(|error| error.to_string())?;
        zst::decompress(packed, &mut target.as_file(), limit).map_err(|error| error.to_string())?;
        Ok(target)
    });
    match unpacked.await {
        Ok(unpacked) => unpacked.map_err(failed),
        Err(ended) => Err(failed(ended.to_string())),
    }
}

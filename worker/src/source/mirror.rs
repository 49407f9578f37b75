//! One subdir of a mirror as a source: its index by the manifest at `latest`, its packages by their digests.
//!
//! A record's sha256 is the digest of its layer, so a package is one request; the manifest is read only where a record
//! has no sha256. Names and titles in manifests are not used.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use mirror_channel::repodata::Limits;
use mirror_channel::source::{FetchedIndex, IndexAnswer, Opened, SourceError};
use mirror_oci::layout::{LATEST, SubdirLayout};
use mirror_oci::manifest::Manifest;
use mirror_oci::package::Wanted;
use mirror_oci::{BlobStream, Destination, Digest, index};
use mirror_runtime::redact;
use url::Url;

use super::{IndexError, address};
use crate::error::TransferError;

/// A blob that sends no byte for so long is given up.
const SILENCE: Duration = Duration::from_secs(60);

/// Where a mirror holds a subdir.
#[derive(Debug, Clone)]
pub(crate) struct Mirror {
    pub(crate) destination: Arc<Destination>,
    pub(crate) layout: SubdirLayout,
}

impl Mirror {
    /// The index, unless the manifest is the one that `condition` names.
    pub(super) async fn index(
        &self,
        condition: Option<&str>,
        dir: &Path,
        limits: &Limits,
    ) -> Result<IndexAnswer, IndexError> {
        let repository = self.layout.index_repository();
        let Some(stored) = self.destination.manifest(&repository, LATEST).await? else {
            return Ok(IndexAnswer::Missing);
        };
        let validator = format!("{}/{repository}@{}", self.destination.host(), stored.digest);
        if condition == Some(&validator) {
            return Ok(IndexAnswer::Unchanged);
        }
        let limit = limits.max_decompressed_bytes;
        let read = match Manifest::from_bytes(&stored.bytes) {
            Ok(manifest) => {
                index::read(&self.destination, &repository, &manifest, limit, dir).await?
            }
            Err(_) => None,
        };
        let file = read.ok_or(IndexError::NoIndex { repository })?;
        let bytes = file
            .as_file()
            .metadata()
            .map_or(0, |metadata| metadata.len());
        Ok(IndexAnswer::Fetched(FetchedIndex {
            file,
            validator,
            bytes,
        }))
    }

    /// The package, which is known by `url` in errors.
    pub(super) async fn open(&self, url: &Url, wanted: &Wanted) -> Result<Opened, TransferError> {
        let not_found = || SourceError::NotFound {
            url: redact::url(url),
        };
        let place = self.layout.package(&wanted.file);
        let place = place.map_err(|reason| address(url, reason.to_string()))?;
        let digest = match wanted.sha256 {
            Some(sha256) => Digest::from_sha256(sha256),
            None => {
                let manifest = self.manifest(&place.repository, &place.tag).await?;
                let layer = manifest.as_ref().and_then(|found| wanted.layer_in(found));
                layer.ok_or_else(not_found)?.digest
            }
        };
        let read = self.destination.read_blob(&place.repository, &digest);
        let bytes = read.await.map_err(TransferError::Mirror)?;
        Ok(Opened {
            len: wanted.size,
            bytes: never_silent(url, bytes.ok_or_else(not_found)?),
        })
    }

    /// The manifest at a tag; `None` where there is none that can be read.
    pub(crate) async fn manifest(
        &self,
        repository: &str,
        tag: &str,
    ) -> Result<Option<Manifest>, TransferError> {
        let stored = self.destination.manifest(repository, tag).await;
        let stored = stored.map_err(TransferError::Mirror)?;
        Ok(stored.and_then(|stored| Manifest::from_bytes(&stored.bytes).ok()))
    }
}

/// The bytes as a channel would send them: an error where they break off, or where none come for too long.
fn never_silent(
    url: &Url,
    bytes: BlobStream,
) -> futures::stream::BoxStream<'static, Result<bytes::Bytes, SourceError>> {
    let url = redact::url(url);
    futures::stream::unfold(Some(bytes), move |bytes| {
        let url = url.clone();
        async move {
            let mut bytes = bytes?;
            match tokio::time::timeout(SILENCE, bytes.next()).await {
                Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(bytes))),
                Ok(Some(Err(error))) => {
                    let why = error.to_string();
                    Some((Err(SourceError::Interrupted { url, why }), None))
                }
                Ok(None) => None,
                Err(_) => {
                    let seconds = SILENCE.as_secs_f32();
                    Some((Err(SourceError::Stalled { url, seconds }), None))
                }
            }
        }
    })
    .boxed()
}

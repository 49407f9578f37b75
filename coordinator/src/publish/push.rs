//! The blobs of a publication, in the order that keeps every moment consistent.

use std::collections::BTreeMap;

use bytes::Bytes;
use mirror_channel::index::{self, Artifact, IndexFiles};
use mirror_oci::layout::{self, LATEST};
use mirror_oci::manifest::{Descriptor, Manifest};
use mirror_oci::{Body, DestinationError, Digest};
use mirror_runtime::fail_point;

use super::Publisher;
use crate::patience::patiently;
use crate::plan::{GENERATED_BY, GENERATOR, MERGED, RECORDS};

/// A blob of a publication.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer {
    pub(super) digest: Digest,
    pub(super) size: u64,
}

impl Layer {
    pub(super) fn of(descriptor: &Descriptor) -> Self {
        Self {
            digest: descriptor.digest,
            size: descriptor.size,
        }
    }
}

impl From<&Artifact> for Layer {
    fn from(artifact: &Artifact) -> Self {
        Self {
            digest: Digest::from_sha256(artifact.sha256),
            size: artifact.size,
        }
    }
}

/// Media types and titles of plain index, compressed index and shard index.
const LAYERS: [(&str, &str); 3] = [
    (layout::REPODATA, index::JSON),
    (layout::REPODATA_ZST, index::ZST),
    (layout::SHARD_INDEX, index::SHARD_INDEX),
];

/// The manifest of `latest`, into which this `:local` was merged, with the annotations that the user wants besides.
pub(super) fn index_manifest(
    files: &IndexFiles,
    local: Option<Digest>,
    more: &BTreeMap<String, String>,
) -> Manifest {
    let layers = artifacts(files).map(Layer::from);
    manifest_of(&layers, files.records, local, more)
}

/// The same from what it says.
pub(super) fn manifest_of(
    layers: &[Layer; 3],
    records: u64,
    local: Option<Digest>,
    more: &BTreeMap<String, String>,
) -> Manifest {
    let layers = LAYERS
        .iter()
        .zip(layers)
        .map(|((media_type, title), layer)| {
            Descriptor::titled(media_type, layer.digest, layer.size, *title)
        });
    let mut annotations = BTreeMap::from([
        (GENERATOR.to_owned(), GENERATED_BY.to_owned()),
        (RECORDS.to_owned(), records.to_string()),
    ]);
    annotations.extend(local.map(|local| (MERGED.to_owned(), local.to_string())));
    Manifest::new(layers.collect(), annotations).annotated(more)
}

/// In the order of [`LAYERS`].
fn artifacts(files: &IndexFiles) -> [&Artifact; 3] {
    [&files.json, &files.zst, &files.shard_index]
}

/// Pushes the blobs that `latest` will name.
pub(super) async fn index(
    publisher: &Publisher<'_>,
    files: &IndexFiles,
) -> Result<(), DestinationError> {
    let (destination, repository) = (publisher.destination, publisher.layout.index_repository());
    if publisher.is_damaged() {
        destination.forget_config(&repository);
    }
    patiently(|| destination.ensure_config(&repository)).await?;
    for artifact in artifacts(files) {
        let digest = Digest::from_sha256(artifact.sha256);
        let body = Body::file(&artifact.path, artifact.size);
        let presence = publisher.presence();
        patiently(|| destination.push_blob(&repository, &digest, &body, presence)).await?;
        fail_point::hit("between-index-blobs").await;
    }
    Ok(())
}

/// Moves `latest`. If the registry says that a blob is missing, what is missing is pushed again first.
pub(super) async fn latest(
    publisher: &Publisher<'_>,
    files: &IndexFiles,
    manifest: &Bytes,
) -> Result<Digest, DestinationError> {
    let (destination, repository) = (publisher.destination, publisher.layout.index_repository());
    let put = destination.put_manifest(&repository, LATEST, manifest);
    match put.await {
        Err(error) if error.is_blob_unknown() => {
            tracing::warn!(repository, %error, "the registry lost a blob; pushing what is missing");
            destination.forget_config(&repository);
            index(publisher, files).await?;
            destination
                .put_manifest(&repository, LATEST, manifest)
                .await
        }
        put => put,
    }
}

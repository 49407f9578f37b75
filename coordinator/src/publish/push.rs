//! The blobs of a publication, in the order that keeps every moment consistent.

use std::collections::BTreeMap;

use bytes::Bytes;
use mirror_channel::index::{self, Artifact, IndexFiles};
use mirror_oci::layout::{self, LATEST};
use mirror_oci::manifest::{Descriptor, Manifest};
use mirror_oci::{Body, DestinationError, Digest, Presence};
use mirror_runtime::fail_point;

use super::Publisher;
use crate::patience::patiently;
use crate::plan::{GENERATED_BY, GENERATOR, RECORDS};

/// The manifest of `latest`.
pub(super) fn index_manifest(files: &IndexFiles) -> Manifest {
    let layers = layers(files).map(|(media_type, title, artifact)| {
        Descriptor::titled(
            media_type,
            Digest::from_sha256(artifact.sha256),
            artifact.size,
            title,
        )
    });
    let annotations = BTreeMap::from([
        (GENERATOR.to_owned(), GENERATED_BY.to_owned()),
        (RECORDS.to_owned(), files.records.to_string()),
    ]);
    Manifest::new(layers.to_vec(), annotations)
}

fn layers(files: &IndexFiles) -> [(&'static str, &'static str, &Artifact); 3] {
    [
        (layout::REPODATA, index::JSON, &files.json),
        (layout::REPODATA_ZST, index::ZST, &files.zst),
        (layout::SHARD_INDEX, index::SHARD_INDEX, &files.shard_index),
    ]
}

/// Pushes the blobs that `latest` will name.
pub(super) async fn index(
    publisher: &Publisher<'_>,
    files: &IndexFiles,
) -> Result<(), DestinationError> {
    let (destination, repository) = (publisher.destination, publisher.layout.index_repository());
    patiently(|| destination.ensure_config(&repository)).await?;
    for (_, _, artifact) in layers(files) {
        let digest = Digest::from_sha256(artifact.sha256);
        let body = Body::file(&artifact.path, artifact.size);
        patiently(|| destination.push_blob(&repository, &digest, &body, Presence::Unknown)).await?;
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

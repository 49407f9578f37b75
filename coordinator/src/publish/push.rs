//! The blobs of a publication, in the order that keeps every moment consistent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use mirror_channel::index::{self, Artifact, IndexFiles};
use mirror_oci::manifest::{Descriptor, Manifest};
use mirror_oci::{Body, Digest, Presence, layout};
use mirror_runtime::fail_point;

use super::Publisher;
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

/// Shards that are pushed together: their blobs, then their manifests.
const SHARDS: usize = 512;

/// Pushes the shards that the previous index lacks.
pub(super) async fn shards(publisher: &Publisher<'_>, files: &IndexFiles) -> anyhow::Result<()> {
    let new = &files.shards.new;
    let total = files.shards.total;
    tracing::debug!(subdir = publisher.subdir, new = new.len(), total, "shards");
    if new.is_empty() {
        return Ok(());
    }
    let (destination, repository) = (publisher.destination, publisher.layout.shards_repository());
    let at_once = publisher.run.options.workers;
    destination.ensure_config(&repository).await?;
    let pack = Arc::new(files.shards.pack.path.clone());
    for chunk in new.chunks(SHARDS) {
        stream::iter(chunk)
            .map(|shard| {
                let path = Arc::clone(&pack);
                let (offset, len) = (shard.offset, shard.len);
                let (digest, repository) = (Digest::from_sha256(shard.sha256), &repository);
                async move {
                    let body = Body::File { path, offset, len };
                    destination
                        .push_blob(repository, &digest, &body, Presence::Absent)
                        .await
                }
            })
            .buffer_unordered(at_once)
            .try_for_each(|_| std::future::ready(Ok(())))
            .await?;
        let manifests = chunk.iter().map(|shard| {
            let digest = Digest::from_sha256(shard.sha256);
            let title = format!("shards/{}.msgpack.zst", digest.hex());
            let layer = Descriptor::titled(layout::SHARD, digest, shard.len, title);
            (
                digest.hex(),
                Manifest::new(vec![layer], BTreeMap::new()).to_bytes(),
            )
        });
        destination
            .put_manifests(&repository, manifests.collect(), at_once)
            .await?;
        fail_point::hit("between-shards").await;
    }
    Ok(())
}

/// Pushes the blobs that `latest` will name.
pub(super) async fn index(publisher: &Publisher<'_>, files: &IndexFiles) -> anyhow::Result<()> {
    let repository = publisher.layout.index_repository();
    publisher.destination.ensure_config(&repository).await?;
    for (_, _, artifact) in layers(files) {
        let path: &Path = &artifact.path;
        let (digest, body) = (
            Digest::from_sha256(artifact.sha256),
            Body::file(path, artifact.size),
        );
        publisher
            .destination
            .push_blob(&repository, &digest, &body, Presence::Unknown)
            .await?;
        fail_point::hit("between-index-blobs").await;
    }
    Ok(())
}

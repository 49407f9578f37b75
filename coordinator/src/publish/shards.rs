//! Pushes the shards of a publication.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mirror_channel::index::IndexFiles;
use mirror_channel::shards::NewShard;
use mirror_oci::layout;
use mirror_oci::manifest::{Descriptor, Manifest};
use mirror_oci::{Body, DestinationError, Digest, Presence};
use mirror_runtime::fail_point;

use super::Publisher;
use crate::patience::patiently;

/// Shards that are pushed together: their blobs, then their manifests.
const TOGETHER: usize = 512;
/// From so many new shards on, the registry is asked which of them it has: an earlier publication may
/// have been interrupted, and a shard costs three writes, a page of a thousand tags one read.
const WORTH_ASKING: usize = 16;

/// Pushes the shards that neither the previous index nor the registry has.
pub(super) async fn push(
    publisher: &Publisher<'_>,
    files: &IndexFiles,
) -> Result<(), DestinationError> {
    let (destination, repository) = (publisher.destination, publisher.layout.shards_repository());
    let mut new: Vec<&NewShard> = files.shards.new.iter().collect();
    let mut presence = Presence::Absent;
    if new.len() >= WORTH_ASKING {
        match patiently(|| destination.tags(&repository)).await {
            Ok(tags) => {
                let tags: HashSet<String> = tags.into_iter().collect();
                new.retain(|shard| !tags.contains(&Digest::from_sha256(shard.sha256).hex()));
            }
            // The list only saves work, and nothing makes it shorter: too long a one is no failure.
            Err(error) => {
                tracing::warn!(repository, %error, "cannot list the shards there; all new ones are pushed");
                presence = Presence::Unknown;
            }
        }
    }
    let total = files.shards.total;
    tracing::debug!(subdir = publisher.subdir, new = new.len(), total, "shards");
    if new.is_empty() {
        return Ok(());
    }
    let pack = Arc::new(files.shards.pack.path.clone());
    for chunk in new.chunks(TOGETHER) {
        let again = AtomicBool::new(false);
        patiently(|| {
            let presence = match again.swap(true, Ordering::Relaxed) {
                true => Presence::Unknown,
                false => presence,
            };
            push_chunk(publisher, &repository, &pack, chunk, presence)
        })
        .await?;
        fail_point::hit("between-shards").await;
    }
    Ok(())
}

/// Blobs, then manifests. If the registry says that a blob is missing, what is missing is pushed again.
async fn push_chunk(
    publisher: &Publisher<'_>,
    repository: &str,
    pack: &Arc<PathBuf>,
    chunk: &[&NewShard],
    presence: Presence,
) -> Result<(), DestinationError> {
    let (destination, at_once) = (publisher.destination, publisher.run.options.workers);
    destination.ensure_config(repository).await?;
    push_blobs(publisher, repository, pack, chunk, presence).await?;
    let manifests: Vec<_> = chunk.iter().map(|shard| manifest(shard)).collect();
    let put = destination.put_manifests(repository, manifests.clone(), at_once);
    match put.await {
        Err(error) if error.is_blob_unknown() => {
            tracing::warn!(repository, %error, "the registry lost a blob; pushing what is missing");
            destination.forget_config(repository);
            destination.ensure_config(repository).await?;
            push_blobs(publisher, repository, pack, chunk, Presence::Unknown).await?;
            destination
                .put_manifests(repository, manifests, at_once)
                .await
        }
        put => put,
    }
}

async fn push_blobs(
    publisher: &Publisher<'_>,
    repository: &str,
    pack: &Arc<PathBuf>,
    shards: &[&NewShard],
    presence: Presence,
) -> Result<(), DestinationError> {
    let destination = publisher.destination;
    stream::iter(shards)
        .map(|shard| {
            let path = Arc::clone(pack);
            let (offset, len) = (shard.offset, shard.len);
            let digest = Digest::from_sha256(shard.sha256);
            async move {
                let body = Body::File { path, offset, len };
                destination
                    .push_blob(repository, &digest, &body, presence)
                    .await
            }
        })
        .buffer_unordered(publisher.run.options.workers)
        .try_for_each(|_| std::future::ready(Ok(())))
        .await
}

/// Tag and manifest of a shard.
fn manifest(shard: &NewShard) -> (String, Bytes) {
    let digest = Digest::from_sha256(shard.sha256);
    let title = format!("shards/{}.msgpack.zst", digest.hex());
    let layer = Descriptor::titled(layout::SHARD, digest, shard.len, title);
    let manifest = Manifest::new(vec![layer], BTreeMap::new());
    (digest.hex(), manifest.to_bytes())
}

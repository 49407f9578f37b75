//! Pushes the shards of a publication.
//!
//! To a registry each goes by itself, its blob and then its manifest, so that no slot ever waits for the others. To a
//! folder many go together, because a folder writes its index once for all manifests that it is given.

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
use mirror_oci::{Body, Destination, DestinationError, Digest, Presence};
use mirror_runtime::fail_point;

use super::Publisher;
use crate::patience::patiently;

/// Shards that a folder is given together: their blobs, then their manifests.
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
    // A tag says nothing of what is behind it, which a repair is about.
    if new.len() >= WORTH_ASKING && !publisher.is_damaged() {
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
    let pusher = Pusher {
        destination,
        repository: &repository,
        pack: Arc::new(files.shards.pack.path.clone()),
        annotations: &publisher.run.options.annotations,
        at_once: publisher.run.options.workers,
    };
    let (together, side_by_side) = match destination {
        Destination::Registry(_) => (1, pusher.at_once),
        Destination::Folder(_) => (TOGETHER, 1),
    };
    stream::iter(new.chunks(together))
        .map(|chunk| async {
            pusher.push(chunk, presence).await?;
            fail_point::hit("between-shards").await;
            Ok(())
        })
        .buffer_unordered(side_by_side)
        .try_for_each(|()| std::future::ready(Ok(())))
        .await
}

/// Where shards go, and from where.
struct Pusher<'a> {
    destination: &'a Destination,
    repository: &'a str,
    pack: Arc<PathBuf>,
    /// What the user wants on every manifest. A shard that is there keeps what it has: its tag stands for its content.
    annotations: &'a BTreeMap<String, String>,
    at_once: usize,
}

impl Pusher<'_> {
    /// Pushes these, as often as the registry asks for patience.
    async fn push(&self, shards: &[&NewShard], presence: Presence) -> Result<(), DestinationError> {
        let again = AtomicBool::new(false);
        patiently(|| {
            let presence = match again.swap(true, Ordering::Relaxed) {
                true => Presence::Unknown,
                false => presence,
            };
            self.try_push(shards, presence)
        })
        .await
    }

    /// Blobs, then manifests. If the registry says that a blob is missing, what is missing is pushed again.
    async fn try_push(
        &self,
        shards: &[&NewShard],
        presence: Presence,
    ) -> Result<(), DestinationError> {
        let (destination, repository) = (self.destination, self.repository);
        destination.ensure_config(repository).await?;
        self.blobs(shards, presence).await?;
        let manifests: Vec<_> = shards
            .iter()
            .map(|shard| manifest(shard, self.annotations))
            .collect();
        let put = destination.put_manifests(repository, manifests.clone(), self.at_once);
        match put.await {
            Err(error) if error.is_blob_unknown() => {
                tracing::warn!(repository, %error, "the registry lost a blob; pushing what is missing");
                destination.forget_config(repository);
                destination.ensure_config(repository).await?;
                self.blobs(shards, Presence::Unknown).await?;
                destination
                    .put_manifests(repository, manifests, self.at_once)
                    .await
            }
            put => put,
        }
    }

    async fn blobs(
        &self,
        shards: &[&NewShard],
        presence: Presence,
    ) -> Result<(), DestinationError> {
        stream::iter(shards)
            .map(|shard| {
                let path = Arc::clone(&self.pack);
                let (offset, len) = (shard.offset, shard.len);
                let digest = Digest::from_sha256(shard.sha256);
                async move {
                    let body = Body::File { path, offset, len };
                    self.destination
                        .push_blob(self.repository, &digest, &body, presence)
                        .await
                }
            })
            .buffer_unordered(self.at_once)
            .try_for_each(|_| std::future::ready(Ok(())))
            .await
    }
}

/// Tag and manifest of a shard.
fn manifest(shard: &NewShard, annotations: &BTreeMap<String, String>) -> (String, Bytes) {
    let digest = Digest::from_sha256(shard.sha256);
    let title = format!("shards/{}.msgpack.zst", digest.hex());
    let layer = Descriptor::titled(layout::SHARD, digest, shard.len, title);
    let manifest = Manifest::new(vec![layer], BTreeMap::new()).annotated(annotations);
    (digest.hex(), manifest.to_bytes())
}

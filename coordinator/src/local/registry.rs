//! `repodata.json:local` at the destination.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use mirror_channel::{index, zst};
use mirror_oci::layout::{self, LOCAL, SubdirLayout};
use mirror_oci::manifest::{Descriptor, Manifest};
use mirror_oci::{Body, Destination, DestinationError, Digest, Presence, StoredManifest};
use mirror_runtime::fail_point;

use super::{Additions, Found};
use crate::patience::patiently;
use crate::plan::{GENERATED_BY, GENERATOR, RECORDS};

/// Most bytes of its JSON, which is held in memory: some fifty thousand builds of one's own.
const MAX_LOCAL: u64 = 64 << 20;

/// The manifest of `:local`, if there is one.
pub(crate) async fn find(
    destination: &Destination,
    layout: &SubdirLayout,
) -> Result<Option<StoredManifest>, DestinationError> {
    let repository = layout.index_repository();
    patiently(|| destination.manifest(&repository, LOCAL)).await
}

/// What `:local` has, if it is there. What `known` holds already is not fetched again.
///
/// # Errors
/// When it cannot be read: what was added must not be lost by publishing without it.
pub(crate) async fn read(
    destination: &Destination,
    layout: &SubdirLayout,
    known: Option<&Found>,
    dir: &Path,
) -> anyhow::Result<Option<Found>> {
    let Some(stored) = find(destination, layout).await? else {
        return Ok(None);
    };
    if let Some(known) = known.filter(|known| known.digest == stored.digest) {
        return Ok(Some(known.clone()));
    }
    let repository = layout.index_repository();
    let context = || {
        format!("read what push-cache added, {repository}:{LOCAL}; nothing is published without it")
    };
    let manifest = Manifest::from_bytes(&stored.bytes).with_context(context)?;
    let layer = manifest.layer(layout::REPODATA).with_context(context)?;
    let json = destination
        .fetch_blob(&repository, layer, MAX_LOCAL, dir)
        .await
        .with_context(context)?;
    let json = tokio::fs::read(json.path()).await.with_context(context)?;
    let additions = Additions::from_json(&json).with_context(context)?;
    Ok(Some(Found {
        digest: stored.digest,
        additions: Arc::new(additions),
    }))
}

/// Puts `:local`: its blobs, then its manifest. `more`: the annotations that the user wants on it.
///
/// # Errors
/// When there is too much of it, or it cannot be pushed.
pub(crate) async fn put(
    destination: &Destination,
    layout: &SubdirLayout,
    subdir: &str,
    additions: Arc<Additions>,
    more: &BTreeMap<String, String>,
) -> anyhow::Result<Found> {
    let json = additions.to_json(subdir)?;
    let size = json.len() as u64;
    anyhow::ensure!(
        size <= MAX_LOCAL,
        "what push-cache added to {subdir} would come to {size} bytes of records, more than {MAX_LOCAL}; take some out \
         with --remove"
    );
    let mut packed = Vec::new();
    zst::compress(&mut json.as_slice(), size, &mut packed)?;
    let repository = layout.index_repository();
    patiently(|| destination.ensure_config(&repository)).await?;
    let mut layers = Vec::with_capacity(2);
    for (media_type, title, bytes) in [
        (layout::REPODATA, index::JSON, json),
        (layout::REPODATA_ZST, index::ZST, packed),
    ] {
        let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
        let body = Body::Memory(bytes.into());
        patiently(|| destination.push_blob(&repository, &digest, &body, Presence::Unknown)).await?;
        layers.push(Descriptor::titled(media_type, digest, size, title));
    }
    let annotations = BTreeMap::from([
        (GENERATOR.to_owned(), GENERATED_BY.to_owned()),
        (RECORDS.to_owned(), additions.records.len().to_string()),
    ]);
    let bytes = Manifest::new(layers, annotations)
        .annotated(more)
        .to_bytes();
    fail_point::hit("before-local").await;
    patiently(|| destination.put_manifest(&repository, LOCAL, &bytes)).await?;
    fail_point::hit("after-local").await;
    Ok(Found {
        digest: Digest::of(&bytes),
        additions,
    })
}

//! Whether the shards say what the index says: each name has one, at its address, with the very same records.
//!
//! They are made once more from the published index. One that has the address of the one made is the same, to the byte,
//! and need not be read; another may say the same in other bytes, and is read.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use mirror_channel::repodata::Limits;
use mirror_channel::shards::{self, NewShard, ShardError};
use mirror_oci::layout::{self, SubdirLayout};
use mirror_oci::manifest::Manifest;
use mirror_oci::{DestinationError, Digest};
use tempfile::NamedTempFile;

use super::blob::Look;
use super::finding::{Finding, Kind};
use super::walk::unanswered;
use crate::patience::patiently;

/// The largest shard that is read.
const MAX_SHARD: u64 = 64 << 20;

/// A shard as the shard index lists it, and as it would be made.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub name: String,
    pub sha256: [u8; 32],
    made: NewShard,
}

/// The shards of a published index.
#[derive(Debug)]
pub(crate) struct Shards {
    pub listed: Vec<Listed>,
    /// What the list itself lacks or has too much.
    pub findings: Vec<Finding>,
    pack: Arc<File>,
}

/// Makes the shards of `index` again and lays them beside those of its shard index.
///
/// # Errors
/// When this machine has no room. That none can be made of the index is a finding.
pub(crate) async fn compare(
    index: &NamedTempFile,
    theirs: BTreeMap<String, [u8; 32]>,
    subdir: &str,
    layout: &SubdirLayout,
    scratch: &Path,
) -> anyhow::Result<Shards> {
    let (json, scratch, subdir) = (index.reopen()?, scratch.to_owned(), subdir.to_owned());
    let making = tokio::task::spawn_blocking(move || {
        let mut pack = tempfile::tempfile_in(scratch)?;
        let known = HashSet::new();
        let made = shards::build(&json, &subdir, &known, &mut pack, Limits::default());
        std::io::Result::Ok((made, pack))
    });
    let (made, pack) = making.await??;
    let mut shards = Shards {
        listed: Vec::with_capacity(theirs.len()),
        findings: Vec::new(),
        pack: Arc::new(pack),
    };
    let repository = layout.index_repository();
    let finding = |kind, name: &str, cause| Finding::new(kind, name, &repository, cause);
    let made = match made {
        Ok(made) => made.new,
        Err(ShardError::Io { what, error }) => anyhow::bail!("cannot {what}: {error}"),
        Err(error) => {
            let subject = mirror_channel::index::JSON;
            shards.findings.push(finding(
                Kind::BadRecord,
                subject,
                format!("no shards can be made of {subject}: {error}"),
            ));
            return Ok(shards);
        }
    };
    let mut theirs = theirs;
    for made in made {
        match theirs.remove(&made.name) {
            Some(sha256) => shards.listed.push(Listed {
                name: made.name.clone(),
                sha256,
                made,
            }),
            None => {
                let cause = format!("the shard index lists no shard of {}", made.name);
                shards
                    .findings
                    .push(finding(Kind::ShardMissing, &made.name, cause));
            }
        }
    }
    for name in theirs.keys() {
        let cause =
            format!("the shard index lists a shard of {name}, of which the index has no record");
        shards
            .findings
            .push(finding(Kind::ShardUnknown, name, cause));
    }
    Ok(shards)
}

impl Shards {
    /// Looks at one shard.
    ///
    /// # Errors
    /// When nobody answers, or this machine has no room.
    pub(crate) async fn check(
        &self,
        look: Look<'_>,
        layout: &SubdirLayout,
        scratch: &Path,
        listed: &Listed,
    ) -> anyhow::Result<Vec<Finding>> {
        let repository = layout.shards_repository();
        let digest = Digest::from_sha256(listed.sha256);
        let name = &listed.name;
        let found = |kind, cause| {
            let mut finding = Finding::new(kind, name, &repository, cause).at(digest.hex());
            finding.shard = Some(listed.sha256);
            vec![finding]
        };
        let destination = look.destination;
        let tag = digest.hex();
        let stored = patiently(|| destination.manifest(&repository, &tag)).await;
        let stored = match stored {
            Ok(stored) => stored,
            Err(error) => return Ok(vec![unanswered(error, name, &repository)?]),
        };
        let Some(stored) = stored else {
            let cause = format!("no manifest at {repository}:{}", digest.hex());
            return Ok(found(Kind::ShardMissing, cause));
        };
        let manifest = Manifest::from_bytes(&stored.bytes).ok();
        let layer = manifest
            .as_ref()
            .and_then(|manifest| manifest.layer(layout::SHARD));
        let (Some(manifest), Some(layer)) = (&manifest, layer) else {
            let cause = format!("{repository}:{} is no manifest of a shard", digest.hex());
            return Ok(found(Kind::ShardDiffers, cause));
        };
        if layer.digest != digest {
            let cause = format!(
                "{repository}:{} names another shard, {}",
                digest.hex(),
                layer.digest
            );
            return Ok(found(Kind::ShardDiffers, cause));
        }
        for (blob, what) in [(&manifest.config, "config"), (layer, "shard")] {
            if let Some(mut damage) = look.blob(&repository, blob, name, what).await? {
                damage.kind = match damage.kind {
                    Kind::Unanswered => Kind::Unanswered,
                    Kind::BlobMissing => Kind::ShardMissing,
                    _ => Kind::ShardDiffers,
                };
                damage.shard = Some(listed.sha256);
                return Ok(vec![damage]);
            }
        }
        if listed.sha256 == listed.made.sha256 {
            return Ok(Vec::new());
        }
        let fetched =
            patiently(|| destination.fetch_blob(&repository, layer, MAX_SHARD, scratch)).await;
        let theirs = match fetched {
            Ok(file) => file,
            Err(error @ (DestinationError::Blob { .. } | DestinationError::TooLarge { .. })) => {
                return Ok(found(Kind::ShardDiffers, error.to_string()));
            }
            Err(error) => return Ok(vec![unanswered(error, name, &repository)?]),
        };
        let (pack, made) = (Arc::clone(&self.pack), listed.made.clone());
        let comparing = tokio::task::spawn_blocking(move || {
            let mut ours = vec![0; usize::try_from(made.len)?];
            pack.read_exact_at(&mut ours, made.offset)?;
            let theirs = std::fs::read(theirs.path())?;
            anyhow::Ok(shards::same_records(&ours, &theirs))
        });
        Ok(match comparing.await?? {
            Ok(true) => Vec::new(),
            Ok(false) => found(
                Kind::ShardDiffers,
                format!("the shard of {name}, {digest}, has other records than the index"),
            ),
            Err(error) => found(Kind::ShardDiffers, format!("{digest}: {error}")),
        })
    }
}

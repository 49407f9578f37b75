//! The published index: its manifest, its blobs, and whether its compressed form says the same as the plain one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use mirror_channel::repodata::Limits;
use mirror_channel::{index, zst};
use mirror_oci::layout::{self, LATEST, SubdirLayout};
use mirror_oci::manifest::{Descriptor, Manifest};
use mirror_oci::{DestinationError, Digest};
use rattler_digest::HashingWriter;
use tempfile::NamedTempFile;

use super::blob::Look;
use super::finding::{Finding, Kind};
use super::walk::unanswered;
use crate::patience::patiently;
use crate::plan::Latest;

/// A shard index is a few megabytes for the largest channel.
const MAX_SHARD_INDEX: u64 = 256 << 20;

/// A published index as far as it can be read.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Digest of its manifest; `None`: nothing is published.
    pub digest: Option<Digest>,
    /// Whether a program like this one wrote it.
    pub ours: bool,
    /// `repodata.json`, from whichever form could be read.
    pub records: Option<NamedTempFile>,
    /// What the shard index lists, if there is one that can be read.
    pub shards: Option<BTreeMap<String, [u8; 32]>>,
    pub findings: Vec<Finding>,
}

/// Reads the index of a subdir.
pub(crate) struct Reading<'a> {
    pub look: Look<'a>,
    pub layout: &'a SubdirLayout,
    pub scratch: &'a Path,
}

impl Reading<'_> {
    /// Reads it and says what is wrong with it.
    ///
    /// # Errors
    /// When nobody answers, or this machine has no room.
    pub(crate) async fn read(&self) -> anyhow::Result<Index> {
        let repository = self.layout.index_repository();
        let destination = self.look.destination;
        let stored = patiently(|| destination.manifest(&repository, LATEST)).await?;
        let mut read = Index::default();
        let found = |kind, subject: &str, cause: String| {
            Finding::new(kind, subject, &repository, cause).at(LATEST)
        };
        let Some(stored) = stored else {
            let cause = format!("nothing is published at {repository}:{LATEST}");
            read.findings
                .push(found(Kind::IndexMissing, index::JSON, cause));
            return Ok(read);
        };
        let latest = Latest::of(&stored);
        (read.digest, read.ours) = (Some(latest.digest), latest.is_ours());
        let Some(manifest) = &latest.manifest else {
            let cause = format!("{repository}:{LATEST} is no image manifest");
            read.findings
                .push(found(Kind::IndexUnreadable, index::JSON, cause));
            return Ok(read);
        };
        let plain = manifest.layer(layout::REPODATA);
        let packed = manifest.layer(layout::REPODATA_ZST);
        let sharded = manifest.layer(layout::SHARD_INDEX);
        for (layer, subject, needed) in [
            (plain, index::JSON, read.ours || packed.is_none()),
            (packed, index::ZST, read.ours),
            (sharded, index::SHARD_INDEX, read.ours),
        ] {
            if layer.is_none() && needed {
                let cause = format!("{repository}:{LATEST} names no {subject}");
                read.findings
                    .push(found(Kind::IndexIncomplete, subject, cause));
            }
        }
        self.config(manifest, &repository, &mut read).await?;
        let plain = self.fetched(plain, index::JSON, &mut read).await?;
        let zst = self.fetched(packed, index::ZST, &mut read).await?;
        let plain = plain.map(|file| (file, manifest.layer(layout::REPODATA).map(|l| l.digest)));
        read.records = self.unpacked(plain, zst, &repository, &mut read).await?;
        if let Some(file) = self.fetched(sharded, index::SHARD_INDEX, &mut read).await? {
            let shards = tokio::task::spawn_blocking(move || {
                let mut bytes = Vec::new();
                File::open(file.path())?.read_to_end(&mut bytes)?;
                anyhow::Ok(mirror_channel::shards::read_index(&bytes)?)
            });
            match shards.await? {
                Ok(shards) => read.shards = Some(shards),
                Err(error) => {
                    let cause = format!("{}: {error:#}", index::SHARD_INDEX);
                    read.findings
                        .push(found(Kind::IndexUnreadable, index::SHARD_INDEX, cause));
                }
            }
        }
        Ok(read)
    }

    async fn config(
        &self,
        manifest: &Manifest,
        repository: &str,
        read: &mut Index,
    ) -> anyhow::Result<()> {
        let looked = self
            .look
            .blob(repository, &manifest.config, index::JSON, "config");
        read.findings.extend(looked.await?);
        Ok(())
    }

    /// A blob of the index, whole.
    async fn fetched(
        &self,
        layer: Option<&Descriptor>,
        subject: &str,
        read: &mut Index,
    ) -> anyhow::Result<Option<NamedTempFile>> {
        let Some(layer) = layer else {
            return Ok(None);
        };
        let repository = self.layout.index_repository();
        // How it is damaged is told by a look without reading all of it.
        let look = Look {
            deep: false,
            ..self.look
        };
        if let Some(damage) = look.blob(&repository, layer, subject, subject).await? {
            read.findings.push(damage);
            return Ok(None);
        }
        let limit = match subject {
            index::SHARD_INDEX => MAX_SHARD_INDEX,
            _ => Limits::default().max_decompressed_bytes,
        };
        let destination = self.look.destination;
        let fetched =
            patiently(|| destination.fetch_blob(&repository, layer, limit, self.scratch)).await;
        match fetched {
            Ok(file) => Ok(Some(file)),
            Err(error @ (DestinationError::Blob { .. } | DestinationError::TooLarge { .. })) => {
                let finding =
                    Finding::new(Kind::BlobBytes, subject, &repository, error.to_string());
                read.findings.push(finding.at(layer.digest));
                Ok(None)
            }
            Err(error) => {
                read.findings.push(unanswered(error, subject, &repository)?);
                Ok(None)
            }
        }
    }

    /// The index unpacked, after both forms were compared.
    async fn unpacked(
        &self,
        plain: Option<(NamedTempFile, Option<Digest>)>,
        zst: Option<NamedTempFile>,
        repository: &str,
        read: &mut Index,
    ) -> anyhow::Result<Option<NamedTempFile>> {
        let Some(zst) = zst else {
            return Ok(plain.map(|(file, _)| file));
        };
        let scratch = self.scratch.to_owned();
        let unpacking = tokio::task::spawn_blocking(move || {
            let target = NamedTempFile::new_in(scratch)?;
            let mut writer = HashingWriter::<_, rattler_digest::Sha256>::new(target.as_file());
            let limit = Limits::default().max_decompressed_bytes;
            let unpacked = zst::decompress(File::open(zst.path())?, &mut writer, limit);
            let (_, sha256) = writer.finalize();
            io::Result::Ok((unpacked, Digest::from_sha256(sha256.into()), target))
        });
        let (unpacked, digest, target) = unpacking.await??;
        let problem = match (unpacked, &plain) {
            (Err(zst::ZstError::Write { error, .. }), _) => return Err(error.into()),
            (Err(error), _) => Some(error.to_string()),
            (Ok(_), Some((_, Some(of_plain)))) if *of_plain != digest => Some(format!(
                "it unpacks to other bytes ({digest}) than {} has ({of_plain})",
                index::JSON
            )),
            (Ok(_), _) => None,
        };
        let is_sound = problem.is_none();
        if let Some(problem) = problem {
            let cause = format!("{} in {repository}: {problem}", index::ZST);
            read.findings
                .push(Finding::new(Kind::ZstDiffers, index::ZST, repository, cause).at(LATEST));
        }
        Ok(match plain {
            Some((file, _)) => Some(file),
            None => is_sound.then_some(target),
        })
    }
}

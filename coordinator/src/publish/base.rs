//! What the records of a publication are taken from, and what `push-cache` added to them.

use std::fs::File;
use std::path::Path;

use anyhow::Context as _;
use mirror_channel::index::{self, PlainIndex};
use mirror_channel::repodata::{Keep, Limits};

use super::{MAKING, Publisher, held};
use crate::local::{self, merge_published, merge_upstream};

/// What is published anew.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Base<'a> {
    /// The channel's index, unpacked; of it, what is held.
    Channel(&'a Path),
    /// What is published, all of it.
    Published,
}

impl Publisher<'_> {
    /// Sees what `push-cache` added until now.
    pub(super) async fn look_for_local(&mut self) -> anyhow::Result<()> {
        let (destination, known) = (self.destination, self.local.as_ref());
        self.local = local::read(destination, self.layout, known, &self.run.scratch).await?;
        Ok(())
    }

    /// Whether nothing was added since.
    pub(super) async fn has_seen_local(&self) -> anyhow::Result<bool> {
        let now = local::find(self.destination, self.layout).await?;
        let seen = self.local.as_ref().map(|local| local.digest);
        Ok(now.map(|now| now.digest) == seen)
    }

    /// Records that were taken out by name, where that is news to the publication that is replaced.
    pub(super) fn taken_out(&self) -> u64 {
        let merged = self.latest.as_ref().and_then(|latest| latest.merged());
        match &self.local {
            Some(local) if Some(local.digest) != merged => local.additions.removed.len() as u64,
            _ => 0,
        }
    }

    /// The plain index of what is held now, and how many records are left out of it only because they are excluded.
    pub(super) async fn filter(&self, dir: &Path) -> anyhow::Result<(PlainIndex, u64)> {
        let additions = self.local.as_ref().map(|local| &local.additions);
        let (path, _merged, held) = match self.base {
            Base::Channel(upstream) => {
                let merged = match additions {
                    Some(additions) if !additions.records.is_empty() => {
                        let memory = self.memory;
                        let outcomes = additions.outcomes();
                        memory.adopt(self.subdir, self.number, outcomes).await?;
                        Some(merge_upstream(upstream, additions, dir).await?.0)
                    }
                    _ => None,
                };
                let path = merged.as_ref().map_or(upstream, |merged| merged.path());
                let path = path.to_owned();
                let floor = self.state.floor;
                let held = held(self.run, self.memory, self.subdir, &path, floor).await?;
                (path, merged, Some(held))
            }
            Base::Published => {
                let published = self.published().await?;
                let path = published.as_ref().map(|published| published.path());
                let additions = additions.cloned().unwrap_or_default();
                let merged = merge_published(path, self.subdir, &additions, dir).await?;
                (merged.path().to_owned(), Some(merged), None)
            }
        };
        let excluded = match &held {
            Some(held) => held.excluded,
            None => self.state.excluded.unwrap_or(0),
        };
        let index = File::open(path).context(MAKING)?;
        let dir = dir.to_owned();
        let filtered = tokio::task::spawn_blocking(move || {
            let keep = |ordinal| held.as_ref().map_or(Keep::Keep, |held| held.keep(ordinal));
            index::filter(index, &keep, &dir, Limits::default())
        });
        let plain = filtered.await?.context(MAKING)?;
        Ok((plain, excluded))
    }

    /// The index that is published now, which is one of ours.
    async fn published(&self) -> anyhow::Result<Option<tempfile::NamedTempFile>> {
        let Some(latest) = &self.latest else {
            return Ok(None);
        };
        let scratch = &self.run.scratch;
        let read = super::published(latest, self.layout, self.destination, scratch).await?;
        read.with_context(|| {
            format!(
                "{} has no index that could be read; `conda-oci mirror` or `publish` makes it anew",
                self.layout.index_repository()
            )
        })
        .map(Some)
    }
}

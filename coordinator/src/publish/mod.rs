//! Publishes the index of a subdir: exactly the records whose files are held, shards first, `latest` last.

mod base;
#[cfg(test)]
mod golden;
mod held;
mod push;
mod read;
mod same;
mod shards;
mod shrink;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use mirror_channel::index::{self, IndexFiles, PlainIndex};
use mirror_channel::repodata::Limits;
use mirror_ledger::{Ledger, SubdirState};
use mirror_oci::layout::{self, LATEST, SubdirLayout};
use mirror_oci::{Destination, Presence};
use mirror_runtime::{Disposed as _, Disposition, clock, fail_point};

use crate::error::RunError;
use crate::local::Found;
use crate::patience::{MAX_PLEAS, patiently};
use crate::plan::Latest;
use crate::repair::Damage;
use crate::run::Run;
use crate::witness::Witness;
pub(crate) use base::Base;
pub(crate) use held::held;
use push::index_manifest;
pub(crate) use read::published;
use shrink::Change;

/// How often an index is made anew because somebody else published meanwhile.
const MAX_MERGES: usize = 3;
/// A shard index is a few megabytes for the largest channel.
const MAX_SHARD_INDEX: u64 = 256 << 20;
/// What failed where an index could not be made.
const MAKING: &str = "make the index to publish";

/// What publishing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Published {
    /// The registry has this very index.
    Unchanged,
    /// `latest` is the new index.
    Wrote,
    /// Refused by the shrink guard.
    WouldShrink { from: u64, to: u64 },
}

/// Publishes one subdir, once or several times in a run.
pub(crate) struct Publisher<'a> {
    pub run: &'a Run,
    /// The ledger that knows what is held and has the lease.
    pub memory: &'a dyn Ledger,
    /// Whether it lost anything since the plan was made.
    pub witness: Arc<Witness>,
    pub subdir: &'a str,
    pub layout: &'a SubdirLayout,
    pub destination: &'a Destination,
    pub base: Base<'a>,
    /// What `push-cache` added, as last seen.
    pub local: Option<Found>,
    /// Whether the ledger knows the publication that is replaced, and is to know this one: it may not, where it was lost.
    pub keeps_state: bool,
    pub number: u64,
    /// The ledger's memory of the subdir, as last written.
    pub state: SubdirState,
    /// The publication that was last seen.
    pub latest: Option<Latest>,
}

impl Publisher<'_> {
    /// Makes the index of what is held now and moves `latest` to it.
    ///
    /// # Errors
    /// When the index cannot be made or pushed, the lease is lost, or somebody else keeps publishing.
    pub(crate) async fn publish(&mut self) -> anyhow::Result<Published> {
        let (mut merges, mut pleas) = (0, 0);
        while merges < MAX_MERGES {
            fail_point::hit("before-index").await;
            let dir = tempfile::tempdir_in(&self.run.scratch).context("make room for the index")?;
            self.look_for_local().await?;
            let (plain, excluded) = self.filter(dir.path()).await?;
            let local = self.local.as_ref().map(|local| local.digest);
            let annotations = &self.run.options.annotations;
            // What was held is unknown to a ledger that was emptied meanwhile.
            self.confirm_own().await?;
            if let Some(latest) = self.believed()
                && !self.is_damaged()
                && same::is_published(latest, &self.state, &plain, local, annotations)
            {
                let digest = latest.digest.to_string();
                self.confirm(&digest, plain.rewritten.records, excluded)
                    .await?;
                return Ok(Published::Unchanged);
            }
            let files = self.complete(plain, dir.path()).await?;
            let manifest = index_manifest(&files, local, annotations);
            let bytes = manifest.to_bytes();
            let digest = mirror_oci::Digest::of(&bytes);
            let is_there = |latest: &Latest| latest.digest == digest;
            if self.believed().is_some_and(is_there) && !self.is_damaged() {
                self.confirm(&digest.to_string(), files.records, excluded)
                    .await?;
                return Ok(Published::Unchanged);
            }
            if matches!(self.base, Base::Channel(_))
                && let Some(from) = self.published_records()
                && !self.run.options.allow_shrink
                && (Change {
                    from,
                    to: files.records,
                    excluded,
                    excluded_before: self.state.excluded,
                    taken_out: self.taken_out(),
                })
                .is_too_much()
            {
                return Ok(Published::WouldShrink {
                    from,
                    to: files.records,
                });
            }
            shards::push(self, &files).await?;
            push::index(self, &files).await?;
            fail_point::hit("before-latest").await;
            if !self.may_move_latest().await? {
                merges += 1;
                continue;
            }
            self.state.intended = Some(digest.to_string());
            let moving = async {
                self.save().await?;
                anyhow::Ok(push::latest(self, &files, &bytes).await)
            };
            let Some(moved) = self.run.leases.while_ours(self.subdir, moving).await else {
                let subdir = self.subdir;
                tracing::warn!(
                    subdir,
                    "the ledger did not renew the lease in time; looking again"
                );
                merges += 1;
                continue;
            };
            if let Err(error) = moved? {
                let Disposition::Throttled { until } = error.disposition() else {
                    return Err(error.into());
                };
                pleas += 1;
                if pleas > MAX_PLEAS {
                    return Err(error.into());
                }
                // Whoever waits so long has to look again before he moves it.
                tokio::time::sleep(clock::until(until)).await;
                continue;
            }
            fail_point::hit("after-latest").await;
            self.confirm(&digest.to_string(), files.records, excluded)
                .await?;
            self.latest = Some(Latest {
                digest,
                manifest: Some(manifest),
            });
            return Ok(Published::Wrote);
        }
        anyhow::bail!(
            "{}:{LATEST} was changed by somebody else, or the ledger was away, {MAX_MERGES} times while this run wanted to publish; nothing was published",
            self.layout.index_repository()
        )
    }

    /// All files of the publication.
    async fn complete(&self, plain: PlainIndex, dir: &Path) -> anyhow::Result<IndexFiles> {
        let known = self.known_shards().await?;
        let (subdir, dir) = (self.subdir.to_owned(), dir.to_owned());
        let completed = tokio::task::spawn_blocking(move || {
            index::complete(plain, &subdir, &known, &dir, Limits::default())
        });
        completed.await?.context(MAKING)
    }

    /// The shards of the previous index, if that is one of ours: they need not be pushed again.
    async fn known_shards(&self) -> anyhow::Result<HashSet<[u8; 32]>> {
        let previous = self.believed();
        let layer =
            previous.and_then(|latest| latest.manifest.as_ref()?.layer(layout::SHARD_INDEX));
        let Some(layer) = layer else {
            return Ok(HashSet::new());
        };
        let repository = self.layout.index_repository();
        // Without it all shards are pushed: more work, the same result.
        let read = async {
            let file = self
                .destination
                .fetch_blob(&repository, layer, MAX_SHARD_INDEX, &self.run.scratch)
                .await?;
            let bytes = tokio::fs::read(file.path()).await?;
            let shards =
                tokio::task::spawn_blocking(move || mirror_channel::shards::read_index(&bytes))
                    .await??;
            anyhow::Ok(shards.into_values().collect())
        };
        let mut known = read.await.unwrap_or_else(|error: anyhow::Error| {
            tracing::warn!(%error, "cannot read the previous shard index; all shards are pushed");
            HashSet::new()
        });
        if let Some(damage) = self.damage() {
            known.retain(|shard| !damage.shards.contains(shard));
        }
        Ok(known)
    }

    /// What of the subdir is to be mended, in a repair.
    fn damage(&self) -> Option<&Damage> {
        self.run.options.repair.as_ref()?.of(self.subdir)
    }

    /// Whether the published index is damaged itself, so that it is written though it be the same.
    fn is_damaged(&self) -> bool {
        self.damage().is_some_and(|damage| damage.index)
    }

    /// What may be there already of what an index is made of. What is damaged is there, and wrong.
    fn presence(&self) -> Presence {
        match self.is_damaged() {
            true => Presence::Absent,
            false => Presence::Unknown,
        }
    }

    /// The publication that was last seen, if it is one of ours and what it lists was found.
    fn believed(&self) -> Option<&Latest> {
        let latest = self.latest.as_ref().filter(|latest| latest.is_ours())?;
        let digest = latest.digest.to_string();
        (self.state.disbelieved.as_ref() != Some(&digest)).then_some(latest)
    }

    /// Records of our own last publication, if there is one.
    fn published_records(&self) -> Option<u64> {
        let latest = self.latest.as_ref().filter(|latest| latest.is_ours())?;
        latest.records()
    }

    /// The last look before `latest` moves: the lease is ours, and nobody published since we looked.
    /// What another run of ours published meanwhile is taken over; `false`: make the index anew.
    async fn may_move_latest(&mut self) -> anyhow::Result<bool> {
        let repository = self.layout.index_repository();
        let now = patiently(|| self.destination.manifest(&repository, LATEST))
            .await?
            .as_ref()
            .map(Latest::of);
        let has_seen_local = self.has_seen_local().await?;
        // After those looks: whoever published before them and has our ledger shows here. From here on only what the lease
        // protects is done, for as long as it is ours.
        self.confirm_own().await?;
        let (seen, found) = (
            self.latest.as_ref().map(|l| l.digest),
            now.as_ref().map(|l| l.digest),
        );
        if seen == found {
            return Ok(has_seen_local);
        }
        tracing::warn!(
            subdir = self.subdir,
            "somebody else published meanwhile; merging"
        );
        if let Some(latest) = now.as_ref() {
            anyhow::ensure!(
                latest.is_ours(),
                "{repository}:{LATEST} was replaced by another program during this run; nothing was published"
            );
        }
        if let (Some(latest), Base::Channel(_)) = (now.as_ref(), &self.base) {
            self.run
                .take_over(
                    latest,
                    self.subdir,
                    self.number,
                    self.layout,
                    self.destination,
                )
                .await?;
        }
        self.latest = now;
        Ok(false)
    }

    /// The lease is ours, the ledger is the one of the plan, and no other run came and went while this one slept.
    async fn confirm_own(&self) -> anyhow::Result<()> {
        self.run.confirm_lease(self.memory, self.subdir).await?;
        let (ledger, subdir) = (self.memory, self.subdir);
        if !self.witness.stands(ledger, subdir).await? {
            let subdir = subdir.to_owned();
            return Err(RunError::LedgerLost { subdir }.into());
        }
        let state = ledger.subdir_state(subdir).await?;
        if state.is_some_and(|state| state.plan > self.number) {
            return Err(RunError::lost_to_a_later(subdir).into());
        }
        Ok(())
    }

    async fn confirm(&mut self, digest: &str, records: u64, excluded: u64) -> anyhow::Result<()> {
        self.state.disbelieved = None;
        self.state.intended = Some(digest.to_owned());
        self.state.confirmed = Some(digest.to_owned());
        self.state.records = records;
        self.state.excluded = Some(excluded);
        self.state.published_ms = Some(clock::now_ms());
        self.save().await
    }

    async fn save(&self) -> anyhow::Result<()> {
        if !self.keeps_state {
            return Ok(());
        }
        let memory = self.memory;
        self.run.remember(memory, self.subdir, &self.state).await
    }
}

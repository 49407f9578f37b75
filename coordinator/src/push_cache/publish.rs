//! Publishes the index with what was added, or leaves that to a mirror that is at work.

use std::sync::Arc;

use mirror_channel::name::FileName;
use mirror_ledger::{Ledger, LedgerError, RedbLedger};
use mirror_oci::Destination;

use super::PushCache;
use super::local::Change;
use super::push::Pushed;
use crate::error::RunError;
use crate::options::Memory;
use crate::plan::{Latest, Trust};
use crate::publish::{Base, Published, Publisher};
use crate::summary::{Publication, SubdirSummary};
use crate::sync::{give_up_lease, keep_lease, take_lease};
use crate::witness::Witness;
use crate::{parts, places};

/// Who publishes.
enum Turn {
    /// We do, by the ledger of the mirror.
    Ours(Arc<dyn Ledger>),
    /// Whoever has the lease does.
    Theirs(String),
    /// A stop was asked for.
    Stopped,
}

impl PushCache<'_> {
    /// Adds the records of what was pushed, and publishes them.
    pub(super) async fn publish(
        &self,
        pushed: Pushed,
        summary: &mut SubdirSummary,
    ) -> anyhow::Result<()> {
        self.change(Change::Add(pushed), summary).await
    }

    /// Takes records out.
    pub(super) async fn take_out(&self, summary: &mut SubdirSummary) -> anyhow::Result<bool> {
        let files = &self.push.remove;
        let Some(destination) = &self.run.destination else {
            return Ok(false);
        };
        let additions = self.local().await?.map(|found| found.additions);
        let additions = additions.unwrap_or_default();
        let known = |file: &&FileName| {
            additions.records.contains_key(*file) || additions.removed.contains_key(*file)
        };
        let known: Vec<FileName> = files.iter().filter(known).cloned().collect();
        let there = !known.is_empty();
        let found = self.push.found.lock();
        found.expect("no panic under this lock").extend(known);
        if !there {
            return Ok(false);
        }
        self.subdir.clone_into(&mut summary.subdir);
        if self.run.options.dry_run {
            let lines = files.iter();
            summary.lines = lines
                .map(|file| format!("Would take out {}", file.as_str()))
                .collect();
            return Ok(true);
        }
        self.run.may_push(&self.layout, destination).await?;
        self.change(Change::Remove(files), summary).await?;
        Ok(true)
    }

    async fn change(&self, change: Change<'_>, summary: &mut SubdirSummary) -> anyhow::Result<()> {
        let Some(destination) = &self.run.destination else {
            return Ok(());
        };
        let Some(local) = self.change_local(destination, change).await? else {
            return Ok(());
        };
        let latest = self.latest().await?;
        if let Some(latest) = &latest {
            if !latest.is_ours() {
                tracing::warn!(
                    subdir = self.subdir,
                    "the published index was written by another program; what was added is published by the next \
                     `conda-oci mirror`, which looks for each file it lists"
                );
                return Ok(());
            }
            if latest.merged() == local.as_ref().map(|local| local.digest) {
                summary.publication = Publication::Unchanged;
                summary.indexed = latest.records();
                return Ok(());
            }
        }
        let ledger = match self.turn().await? {
            Turn::Ours(ledger) => ledger,
            Turn::Stopped => return Ok(()),
            Turn::Theirs(owner) => {
                tracing::warn!(
                    subdir = self.subdir,
                    owner,
                    "a mirror is at work here; what was added is published with its next index"
                );
                return Ok(());
            }
        };
        let published = tokio::select! {
            published = self.merge(&*ledger, destination) => published,
            lost = keep_lease(self.run, &*ledger, self.subdir) => Err(lost),
        };
        give_up_lease(self.run, &*ledger, self.subdir).await;
        (summary.publication, summary.indexed) = published?;
        Ok(())
    }

    /// Takes the mirror's lease, unless a mirror has it.
    async fn turn(&self) -> anyhow::Result<Turn> {
        let run = self.run;
        let ledger: Arc<dyn Ledger> = match (&run.options.memory, &run.options.registry) {
            (Memory::Folder(state), Some(registry)) => {
                let path = places::ledger(state, registry, &run.channel.name)?;
                let command = parts::command("push-cache", &run.channel, &run.options);
                let open = move || RedbLedger::open(&path, &command);
                match tokio::task::spawn_blocking(open).await? {
                    Ok(ledger) => Arc::new(ledger),
                    // Whoever has the file open has all its leases.
                    Err(LedgerError::LockedBy { owner, .. }) => return Ok(Turn::Theirs(owner)),
                    Err(error) => return Err(error.into()),
                }
            }
            _ => Arc::clone(&run.ledger),
        };
        match take_lease(run, &*ledger, self.subdir).await {
            Ok(true) => Ok(Turn::Ours(ledger)),
            Ok(false) => Ok(Turn::Stopped),
            Err(error) => match error.downcast::<RunError>() {
                Ok(RunError::LeaseHeld { owner, .. }) => Ok(Turn::Theirs(owner)),
                Ok(other) => Err(other.into()),
                Err(other) => Err(other),
            },
        }
    }

    /// Publishes what is published now with what was added and without what was taken out.
    async fn merge(
        &self,
        ledger: &dyn Ledger,
        destination: &Destination,
    ) -> anyhow::Result<(Publication, Option<u64>)> {
        // Whoever had the lease until now may have published.
        let latest = self.latest().await?;
        let state = ledger.subdir_state(self.subdir).await?;
        let trust = Trust::of(state.as_ref(), latest.as_ref());
        let number = ledger.begin_plan(self.subdir).await?;
        let mut state = state.unwrap_or_default();
        state.plan = number;
        let mut publisher = Publisher {
            run: self.run,
            memory: ledger,
            witness: Arc::new(Witness::of(ledger, self.subdir).await?),
            subdir: self.subdir,
            layout: &self.layout,
            destination,
            base: Base::Published,
            local: None,
            keeps_state: matches!(trust, Trust::Ledger | Trust::FirstFill),
            number,
            state,
            latest: latest.filter(Latest::is_ours),
        };
        Ok(match publisher.publish().await? {
            Published::Unchanged => (Publication::Unchanged, Some(publisher.state.records)),
            Published::Wrote => (Publication::Published, Some(publisher.state.records)),
            Published::WouldShrink { .. } => (Publication::Refused, None),
        })
    }
}

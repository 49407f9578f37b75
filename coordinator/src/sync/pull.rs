//! A subdir whose packages go to a channel folder: the folder says what is there, and gets an index of it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::TryStreamExt as _;
use mirror_channel::folder::ChannelFolder;
use mirror_channel::index;
use mirror_channel::repodata::Limits;
use mirror_queue::Action;
use tokio::time::Instant;

use super::Sync;
use super::follow::{Follow, Followed, tasks};
use crate::error::{GOES_ON, RunError};
use crate::plan::{self, Plan};
use crate::publish::held;
use crate::summary::{Publication, SubdirSummary};
use crate::witness::Witness;

/// Lines of a dry run that are kept to be printed.
const LINES: usize = 100_000;

impl Sync<'_> {
    /// Hashes of the names of the packages in the folder: each is looked at, selected or not, so that the index lists it.
    pub(super) async fn in_folder(&self, folder: &ChannelFolder) -> anyhow::Result<HashSet<u64>> {
        let (folder, subdir) = (folder.clone(), self.subdir.to_owned());
        let listed = tokio::task::spawn_blocking(move || {
            let packages = folder.packages(&subdir);
            let root = || format!("look into {}", folder.root().join(&subdir).display());
            packages.with_context(root)
        });
        Ok(listed.await??.iter().map(plan::hash_of).collect())
    }

    /// What a dry run says of each package, in the words of conda-oci 0.3.0.
    pub(super) async fn say_pulls(
        &self,
        plan: &Arc<Plan>,
        summary: &mut SubdirSummary,
    ) -> anyhow::Result<()> {
        let template = Arc::new(self.template(plan)?);
        let mut tasks = std::pin::pin!(tasks(Arc::clone(plan), template));
        while let Some(planned) = tasks.try_next().await? {
            let files = planned.task.files.iter();
            for file in files.filter(|file| file.action == Action::Transfer) {
                let place = file.file.parse().ok();
                let place = place.and_then(|file| self.layout.package(&file).ok());
                if let Some(place) = place.filter(|_| summary.lines.len() < LINES) {
                    let name = place.repository.rsplit('/').next().unwrap_or_default();
                    summary.lines.push(format!(
                        "Would be pulling {name}:{}, but dry-run is set.",
                        place.tag
                    ));
                }
            }
        }
        Ok(())
    }

    /// Brings the plan's files into the folder, and writes the index of what it has.
    pub(super) async fn pull(
        &self,
        folder: &ChannelFolder,
        plan: Arc<Plan>,
        upstream: &Path,
        floor: u64,
        witness: Arc<Witness>,
        summary: &mut SubdirSummary,
    ) -> anyhow::Result<()> {
        self.run.progress.plan(plan.totals.files, plan.totals.bytes);
        let (number, template) = (plan.number, Arc::new(self.template(&plan)?));
        self.begin_tally(&plan, floor).await?;
        let mut follow = Follow::new(self.run, plan, template, None, (self.subdir, witness));
        let never = Instant::now() + Duration::from_secs(u64::from(u32::MAX));
        loop {
            match follow.next(never, summary).await? {
                Followed::Complete => break,
                Followed::TimeToPublish => follow.published(),
                Followed::Interrupted => {
                    follow.report_pending();
                    return Ok(());
                }
                Followed::Cancelled => {
                    follow.report_pending();
                    let subdir = self.subdir.to_owned();
                    return Err(RunError::Cancelled {
                        subdir,
                        next: GOES_ON,
                    }
                    .into());
                }
                Followed::LedgerLost => return Err(self.ledger_lost()),
            }
        }
        self.end_tally(number, summary).await?;
        self.run
            .confirm_lease(&*self.run.ledger, self.subdir)
            .await?;
        let memory = &*self.run.ledger;
        let held = held(self.run, memory, self.subdir, upstream, floor).await?;
        let dir = tempfile::tempdir_in(&self.run.scratch).context("make room for the index")?;
        let (folder, subdir) = (folder.clone(), self.subdir.to_owned());
        let upstream = std::fs::File::open(upstream)?;
        let written = tokio::task::spawn_blocking(move || {
            let keep = |ordinal| held.keep(ordinal);
            let plain = index::filter(upstream, &keep, dir.path(), Limits::default())?;
            let none = HashSet::new();
            let files = index::complete(plain, &subdir, &none, dir.path(), Limits::default())?;
            let root = || format!("write the index into {}", folder.root().display());
            folder.publish(&subdir, &files).with_context(root)?;
            // Workers that were killed may have left something.
            folder.sweep(&subdir).with_context(root)?;
            anyhow::Ok(files.records)
        });
        summary.indexed = Some(written.await??);
        summary.publication = Publication::Published;
        Ok(())
    }
}

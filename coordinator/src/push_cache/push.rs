//! From the packages of a folder to files at the destination: a plan of our own making, carried out as any other.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use mirror_channel::name::FileName;
use mirror_channel::repodata::Limits;
use mirror_ledger::{Counts, FileOutcome};
use mirror_oci::layout::LATEST;
use tokio::time::Instant;
use url::Url;

use super::PushCache;
use super::chosen::Chosen;
use super::scan::Refused;
use crate::error::{GOES_ON, RunError};
use crate::local::{Additions, Local, merge_published};
use crate::patience::patiently;
use crate::plan::{self, Inputs, Latest, Plan, Template};
use crate::report::{Entry, Verdict};
use crate::summary::SubdirSummary;
use crate::sync::{Follow, Followed};
use crate::witness::Witness;

/// Longer than any run: nothing is published in between.
const NEVER: Duration = Duration::from_secs(u32::MAX as u64);
/// How often pushing begins anew because the ledger lost what it knew.
const PLANS: usize = 5;

/// Records of files that the destination holds.
pub(super) type Pushed = BTreeMap<FileName, Local>;

impl PushCache<'_> {
    /// Pushes what is to be pushed. `None`: nothing more is to be done, because a stop was asked for or this is a dry run.
    pub(super) async fn bring(
        &self,
        folder: Option<&Path>,
        summary: &mut SubdirSummary,
    ) -> anyhow::Result<Option<Pushed>> {
        let latest = self.latest().await?;
        let chosen = match folder {
            None => Some(Chosen::default()),
            Some(folder) => {
                let choosing = self.choose(folder, latest.as_ref());
                self.run.unless_stopped(choosing).await.transpose()?
            }
        };
        let Some(chosen) = chosen else {
            return Ok(None);
        };
        for _ in 0..PLANS {
            let brought = self.carry_out(&chosen, folder, latest.as_ref(), summary);
            match brought.await {
                Err(error) if matches!(error.downcast_ref(), Some(RunError::LedgerLost { .. })) => {
                    tracing::warn!(
                        subdir = self.subdir,
                        "the ledger lost what it knew; pushing anew"
                    );
                    self.run.report.forget(self.subdir);
                    self.run.progress.forget(summary);
                }
                brought => return brought,
            }
        }
        Err(self.ledger_lost())
    }

    /// The index manifest that the destination has now.
    pub(super) async fn latest(&self) -> anyhow::Result<Option<Latest>> {
        let Some(destination) = &self.run.destination else {
            return Ok(None);
        };
        let repository = self.layout.index_repository();
        let stored = patiently(|| destination.manifest(&repository, LATEST)).await?;
        Ok(stored.as_ref().map(Latest::of))
    }

    /// Plans, and carries it out.
    async fn carry_out(
        &self,
        chosen: &Chosen,
        folder: Option<&Path>,
        latest: Option<&Latest>,
        summary: &mut SubdirSummary,
    ) -> anyhow::Result<Option<Pushed>> {
        let run = self.run;
        let number = match run.options.dry_run {
            true => mirror_runtime::clock::now_ms(),
            false => run.ledger.begin_plan(self.subdir).await?,
        };
        // Before the plan: what that finds done must stay so.
        let witness = Arc::new(Witness::of(&*run.ledger, self.subdir).await?);
        let plan = self.plan(chosen, number, latest).await?;
        *summary = SubdirSummary::planned_as(self.subdir, &plan.totals, &plan.names);
        summary.held += chosen.held.len() as u64;
        self.report(chosen, summary);
        let destination = run.destination.as_ref().filter(|_| !run.options.dry_run);
        let Some(destination) = destination else {
            summary.lines = self.lines(chosen);
            return Ok(None);
        };
        run.progress.plan(plan.totals.files, plan.totals.bytes);
        if (!plan.work.is_empty() || latest.is_none())
            && let Err(error) = run.may_push(&self.layout, destination).await
        {
            summary.lines = self.lines(chosen);
            return Err(error);
        }
        let Some(folder) = folder.filter(|_| !plan.work.is_empty()) else {
            return Ok(Some(Pushed::new()));
        };
        if !self.follow(plan, folder, witness, summary).await? {
            return Ok(None);
        }
        self.pushed(chosen, number).await.map(Some)
    }

    /// The plan of all that was chosen. Every file is looked for before it is pushed: nobody knows what the registry has.
    async fn plan(
        &self,
        chosen: &Chosen,
        number: u64,
        latest: Option<&Latest>,
    ) -> anyhow::Result<Plan> {
        let records = chosen.packages.iter();
        let records = records.map(|(file, (record, _))| (file.clone(), record.clone()));
        let additions = Arc::new(Additions {
            records: records.collect(),
            ..Additions::default()
        });
        let index = merge_published(None, self.subdir, &additions, &self.run.scratch).await?;
        let inputs = Inputs {
            subdir: self.subdir,
            number,
            floor: number,
            probe: true,
            current: index.path(),
            archive: None,
            selection: &self.run.selection,
            layout: &self.layout,
            listed: &Default::default(),
            retry_failed: true,
            allow_unverified: false,
            rewrites_index: latest.is_none() || !chosen.packages.is_empty(),
            limits: Limits::default(),
            says: true,
            repair: None,
        };
        plan::make(&inputs, &*self.run.ledger, &self.run.report).await
    }

    /// Says what is not pushed, and why.
    fn report(&self, chosen: &Chosen, summary: &mut SubdirSummary) {
        for package in &chosen.held {
            let mut entry = Entry::new(self.subdir, package.file.as_str(), Verdict::Held);
            entry.bytes = Some(package.size);
            self.run.report.add(&entry);
        }
        for Refused { file, cause } in &chosen.refused {
            tracing::error!(subdir = self.subdir, file, "not pushed: {cause}");
            let mut entry = Entry::left_out(self.subdir, file, Verdict::Failed, cause);
            entry.attempts = Some(0);
            self.run.report.add(&entry);
        }
        summary.failed += chosen.refused.len() as u64;
    }

    fn lines(&self, chosen: &Chosen) -> Vec<String> {
        let files = chosen.packages.keys();
        files.filter_map(|file| self.line(file)).collect()
    }

    /// What a dry run says of a package, as the predecessor did.
    fn line(&self, file: &FileName) -> Option<String> {
        let place = self.layout.package(file).ok()?;
        let host = self.run.host();
        let (repository, tag) = (place.repository, place.tag);
        let at = [host.as_str(), repository.as_str()];
        let at: Vec<&str> = at.into_iter().filter(|part| !part.is_empty()).collect();
        Some(format!(
            "Would be pushing to {}:{tag}: {}",
            at.join("/"),
            file.as_str()
        ))
    }

    /// Lets workers do the plan. `false`: a stop was asked for.
    async fn follow(
        &self,
        plan: Plan,
        folder: &Path,
        witness: Arc<Witness>,
        summary: &mut SubdirSummary,
    ) -> anyhow::Result<bool> {
        let run = self.run;
        let source = Url::from_directory_path(folder);
        let registry = run.options.registry.as_ref();
        let template = Template {
            registry: registry.map(ToString::to_string).unwrap_or_default(),
            channel: run.channel.name.clone(),
            subdir: self.subdir.to_owned(),
            source: source
                .ok()
                .context("the folder to push is no absolute path")?,
            allow_unverified: false,
            annotations: run.options.annotations.clone(),
        };
        let (number, refused) = (plan.number, summary.failed);
        let (files, bytes) = (plan.totals.files, plan.totals.bytes);
        let begun = run
            .ledger
            .begin_tally(self.subdir, number, number, files, bytes);
        begun.await?;
        let place = (self.subdir, witness);
        let mut follow = Follow::new(run, Arc::new(plan), Arc::new(template), None, place);
        loop {
            match follow.next(Instant::now() + NEVER, summary).await? {
                Followed::TimeToPublish => {}
                Followed::Complete => break,
                Followed::Interrupted => {
                    follow.report_pending();
                    return Ok(false);
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
        let counts = Counts {
            done: summary.done,
            done_bytes: summary.done_bytes,
            failed: summary.failed - refused,
            absent: 0,
        };
        run.ledger.end_tally(self.subdir, number, counts).await?;
        Ok(true)
    }

    /// The records to add of what was pushed.
    async fn pushed(&self, chosen: &Chosen, number: u64) -> anyhow::Result<Pushed> {
        let added = chosen.packages.iter().filter(|(_, (_, adds))| *adds);
        let added: Vec<_> = added.map(|(file, (record, _))| (file, record)).collect();
        let names: Vec<String> = added
            .iter()
            .map(|(file, _)| file.as_str().to_owned())
            .collect();
        let recorded = self.run.ledger.get_many(self.subdir, &names).await?;
        let mut pushed = Pushed::new();
        for ((file, record), recorded) in added.into_iter().zip(recorded) {
            let is_done = recorded.is_some_and(|recorded| {
                let done = &recorded.outcome;
                recorded.plan >= number
                    && matches!(done, FileOutcome::Done { sha256, .. } if *sha256 == record.sha256)
            });
            if is_done {
                pushed.insert(file.clone(), record.clone());
            }
        }
        Ok(pushed)
    }

    fn ledger_lost(&self) -> anyhow::Error {
        let subdir = self.subdir.to_owned();
        RunError::LedgerLost { subdir }.into()
    }
}

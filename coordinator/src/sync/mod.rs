//! The life of one subdir's run: index, plan, queue, follow, publish.

mod belief;
mod collect;
mod dead;
mod follow;
mod index;
mod lease;
mod local;
mod prepare;
mod pull;
mod spans;
mod tags;
mod transfer;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use mirror_channel::source::{IndexFile, SourceError};
use mirror_channel::subdir::NOARCH;
use mirror_ledger::SubdirState;
use mirror_oci::DestinationError;
use mirror_oci::layout::SubdirLayout;
use mirror_runtime::metrics::metrics;
use mirror_runtime::telemetry::traced;
use mirror_runtime::{Disposed, Disposition, clock};

use crate::error::RunError;
use crate::guard::Amount;
use crate::parts;
use crate::publish::{Base, Publisher};
use crate::run::Run;
use crate::summary::{Publication, SubdirSummary};
use crate::witness::Witness;
pub(crate) use follow::{Follow, Followed};
use index::{Upstream, fetch};
use lease::LeaseShown;
pub(crate) use lease::{give_up_lease, keep_lease, take_lease};
use prepare::{Prepared, Ready};

/// How long the lease on a subdir lives without being renewed.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// What a subdir is gone through for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Only to know how much there is to do; nothing is reported.
    Measure,
    /// To do it, or in a dry run to say it.
    Mirror,
    /// To queue it for workers elsewhere, and to wait for none of them.
    Enqueue,
    /// To publish what is held of it.
    Publish,
}

/// How often a subdir is planned anew because the ledger lost what it knew. A Redis that is flushed as often as this is
/// flushed by something that will not stop.
const PLANS: usize = 5;

/// One subdir's run.
pub(crate) struct Sync<'a> {
    run: &'a Run,
    subdir: &'a str,
    layout: SubdirLayout,
    purpose: Purpose,
}

impl<'a> Sync<'a> {
    pub(crate) fn new(run: &'a Run, subdir: &'a str, purpose: Purpose) -> anyhow::Result<Self> {
        let layout = SubdirLayout::new(&run.host(), run.namespace(), &run.channel.name, subdir)
            .with_context(|| {
                format!(
                    "channel `{}` cannot be mirrored under this name (--as NAME gives it another)",
                    run.channel.name
                )
            })?;
        Ok(Self {
            run,
            subdir,
            layout,
            purpose,
        })
    }

    /// Runs it; what was done goes to `summary` as it is done. `others_served`: whether the channel serves another
    /// subdir. `false`: it does not serve this one.
    ///
    /// # Errors
    /// When the run cannot go on; failures of single files are in the summary.
    pub(crate) async fn run(
        self,
        others_served: bool,
        summary: &mut SubdirSummary,
    ) -> anyhow::Result<bool> {
        let span = spans::sync(&self.run.channel.name, self.subdir, &self.layout);
        // The futures of a whole run are large, and would be moved about on the stack.
        traced(span, Box::pin(self.planned_anew(others_served, summary))).await
    }

    async fn planned_anew(
        &self,
        others_served: bool,
        summary: &mut SubdirSummary,
    ) -> anyhow::Result<bool> {
        for _ in 0..PLANS {
            match Box::pin(self.once(others_served, summary)).await {
                Err(error) if matches!(error.downcast_ref(), Some(RunError::LedgerLost { .. })) => {
                    tracing::warn!(
                        subdir = self.subdir,
                        "the ledger lost what it knew; planning anew from what the registry holds"
                    );
                    self.run.report.forget(self.subdir);
                    self.run.progress.forget(summary);
                }
                ended => return ended,
            }
        }
        Err(self.ledger_lost())
    }

    /// What ends a plan whose ledger is gone.
    fn ledger_lost(&self) -> anyhow::Error {
        let subdir = self.subdir.to_owned();
        RunError::LedgerLost { subdir }.into()
    }

    async fn once(&self, others_served: bool, summary: &mut SubdirSummary) -> anyhow::Result<bool> {
        let state = self.state().await?;
        let condition = state.as_ref().and_then(|state| self.condition(state));
        let fetched = fetch(self.run, self.subdir, IndexFile::Current, condition);
        let Some(fetched) = self.run.unless_stopped(fetched).await else {
            return Ok(false);
        };
        let chosen = self
            .run
            .options
            .subdirs
            .iter()
            .any(|chosen| chosen == self.subdir);
        // What was planned once and was not there then has not been seen.
        let never_seen = !chosen
            && state.as_ref().is_none_or(|state| {
                state.confirmed.is_none() || state.validator.as_deref() == Some(index::ABSENT)
            });
        let may_be_absent = never_seen && (others_served || self.subdir != NOARCH);
        let answer = match fetched {
            // A store that lists nothing answers 403 for what is not there. What was there is denied.
            Err(error) if is_denied(&error) && may_be_absent => {
                tracing::debug!(subdir = self.subdir, "denied, taken for absent: {error:#}");
                Upstream::Missing
            }
            Err(error) => return Err(self.login_needed(error)),
            Ok(answer) => answer,
        };
        if matches!(answer, Upstream::Missing) {
            summary.lacks_index = self.run.folder().is_some();
            let channel = self.run.channel.display();
            let subdir = self.subdir;
            match (subdir, chosen) {
                (NOARCH, _) if others_served || state.is_some() => {
                    if state.as_ref().is_some_and(|state| state.records > 0) {
                        tracing::warn!(subdir, "the channel no longer serves it");
                    }
                }
                (NOARCH, _) => {
                    anyhow::bail!(
                        "nothing is served at {channel} (no SUBDIR/repodata.json in it); is the channel spelled right?"
                    )
                }
                (_, true) => anyhow::bail!("channel {channel} does not serve subdir `{subdir}`"),
                (_, false) => return Ok(false),
            }
        }
        if self.run.options.dry_run {
            self.plan_and_publish(state, answer, summary).await?;
            return Ok(true);
        }
        if !take_lease(self.run, &*self.run.ledger, self.subdir).await? {
            return Ok(false);
        }
        // Whoever held the lease until now may have published.
        let state = self.state().await?;
        let held = LeaseShown::of(&self.run.channel.name, self.subdir);
        let outcome = tokio::select! {
            outcome = self.plan_and_publish(state, answer, summary) => outcome,
            lost = keep_lease(self.run, &*self.run.ledger, self.subdir) => Err(lost),
        };
        give_up_lease(self.run, &*self.run.ledger, self.subdir).await;
        drop(held);
        outcome.map(|()| true)
    }

    /// The same error, or that the registry which is read from wants a login if that is what it is about.
    fn login_needed(&self, error: anyhow::Error) -> anyhow::Error {
        let wants = error
            .downcast_ref()
            .is_some_and(DestinationError::wants_login);
        match parts::registry_of(&self.run.channel).filter(|_| wants) {
            Some(registry) => {
                let (registry, reads) = (registry.host(), true);
                RunError::LoginNeeded { registry, reads }.into()
            }
            None => error,
        }
    }

    /// What the ledger remembers of the subdir.
    async fn state(&self) -> anyhow::Result<Option<SubdirState>> {
        let ledger = &self.run.ledger;
        let mut state = ledger.subdir_state(self.subdir).await?;
        if let Some(state) = &mut state
            && ledger.has_forgotten(self.subdir).await?
        {
            // `conda-oci retry` put files back: there is something to do though nothing changed.
            state.complete = false;
        }
        Ok(state)
    }

    /// What makes the request for the index conditional: only after a run that left nothing to do.
    fn condition<'s>(&self, state: &'s SubdirState) -> Option<&'s str> {
        if self.run.folder().is_some() {
            // Whether the folder still has it all, only a look at it tells.
            return None;
        }
        let due = state.retry_due_ms.is_some_and(|due| due <= clock::now_ms());
        // A report names what failed, and only a plan knows the names.
        let silent = !self.run.report.is_wanted() || state.failures + state.bad_records == 0;
        if self.run.options.repair.is_some() {
            return None;
        }
        let settled = state.complete && !due && silent && !self.run.options.retry_failed;
        let settled = settled && !self.run.selection_slides;
        let same = state.fingerprint == self.run.fingerprint;
        (settled && same && state.confirmed.is_some())
            .then_some(state.validator.as_deref())
            .flatten()
    }

    async fn plan_and_publish(
        &self,
        state: Option<SubdirState>,
        answer: Upstream,
        summary: &mut SubdirSummary,
    ) -> anyhow::Result<()> {
        let witness = Arc::new(Witness::of(&*self.run.ledger, self.subdir).await?);
        let preparing = traced(spans::plan(self.subdir), self.prepare(state, answer));
        let prepared = match preparing.await? {
            Ready::Stopped => return Ok(()),
            Ready::Unchanged(unchanged) => {
                self.show_fresh();
                *summary = *unchanged;
                return Ok(());
            }
            Ready::Planned(prepared) => *prepared,
        };
        let Prepared {
            upstream,
            latest,
            trust,
            state,
            plan,
            local,
            outdone,
        } = prepared;
        *summary = SubdirSummary::planned_as(self.subdir, &plan.totals, &plan.names);
        if self.run.folder().is_some() {
            // Those are a registry's.
            summary.planned_writes = 0;
        }
        let plans_only = self.run.options.dry_run || self.purpose == Purpose::Measure;
        let amount = Amount::of(&plan.totals);
        if plans_only {
            self.run.measured.add(self.subdir, amount);
        } else {
            self.run
                .admitted
                .admit(&self.run.guard, self.subdir, amount)?;
        }
        if self.purpose == Purpose::Measure {
            return Ok(());
        }
        self.report_idle(&plan, outdone).await?;
        if let Some(folder) = self.run.folder() {
            return match plans_only {
                true => self.say_pulls(&plan, summary).await,
                false => {
                    let (upstream, floor) = (upstream.path(), state.floor);
                    self.pull(&folder, plan, upstream, floor, witness, summary)
                        .await
                }
            };
        }
        let Some(destination) = self
            .run
            .destination
            .as_ref()
            .filter(|_| !self.run.options.dry_run)
        else {
            return Ok(());
        };
        self.run.progress.plan(plan.totals.files, plan.totals.bytes);
        metrics().planned(
            &self.run.channel.name,
            self.subdir,
            plan.totals.files,
            plan.work.len() as u64,
        );

        if !plan.work.is_empty() || latest.is_none() {
            self.run.may_push(&self.layout, destination).await?;
        }
        let resting = plan.totals.resting_due_ms;
        let mut publisher = Publisher {
            run: self.run,
            memory: &*self.run.ledger,
            witness,
            subdir: self.subdir,
            layout: &self.layout,
            destination,
            base: Base::Channel(upstream.path()),
            local,
            keeps_state: true,
            number: plan.number,
            state,
            latest,
        };
        let ended = self
            .transfer(plan, destination, trust, &mut publisher, summary)
            .await?;
        let Some(failures_due) = ended else {
            return Ok(());
        };
        let publishing = self.publish(&mut publisher, summary);
        let Some(published) = self.run.unless_stopped(publishing).await else {
            return Ok(());
        };
        summary.publication = published?;
        if self.purpose == Purpose::Publish {
            return Ok(());
        }
        let mut state = publisher.state;
        // A repair leaves open what else the selection names.
        state.complete =
            summary.publication != Publication::Refused && self.run.options.repair.is_none();
        state.validator = Some(upstream.validator().to_owned());
        if state.complete {
            state.fingerprint.clone_from(&self.run.fingerprint);
        }
        state.failures = summary.failed + summary.resting;
        state.bad_records = summary.bad_records;
        state.retry_due_ms = [failures_due, resting].into_iter().flatten().min();
        let ledger = &*self.run.ledger;
        self.run.remember(ledger, self.subdir, &state).await
    }

    /// The published index is what it should be, as of now.
    fn show_fresh(&self) {
        if !self.run.options.dry_run {
            metrics().published(&self.run.channel.name, self.subdir, clock::now_ms());
        }
    }

    fn unchanged(&self, state: Option<&SubdirState>) -> SubdirSummary {
        SubdirSummary {
            subdir: self.subdir.to_owned(),
            unchanged: true,
            resting: state.map_or(0, |state| state.failures),
            bad_records: state.map_or(0, |state| state.bad_records),
            indexed: state.map(|state| state.records),
            publication: Publication::Unchanged,
            ..SubdirSummary::default()
        }
    }
}

fn is_denied(error: &anyhow::Error) -> bool {
    let channel = error.downcast_ref::<SourceError>();
    let mirror = error.downcast_ref::<DestinationError>();
    let disposition = channel.map(Disposed::disposition);
    disposition.or(mirror.map(Disposed::disposition)) == Some(Disposition::Denied)
}

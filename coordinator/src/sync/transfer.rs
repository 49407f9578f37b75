//! Brings a plan to its end: preflight, tasks, publications.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use futures::stream::FuturesUnordered;
use mirror_channel::channel::Location;
use mirror_channel::repodata::Record;
use mirror_ledger::{Counts, FileOutcome, Recorded};
use mirror_oci::{Destination, DestinationError};
use mirror_runtime::metrics::metrics;
use mirror_runtime::telemetry::traced;
use mirror_runtime::{Disposed as _, Disposition};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::follow::{Follow, Followed, tasks};
use super::spans::{self, Traces};
use super::tags::Tags;
use super::{Purpose, Sync};
use crate::error::{PUBLISHES, RunError};
use crate::plan::{self, Fate, Listing, Plan, Template, Trust};
use crate::publish::{Published, Publisher};
use crate::report::{Entry, OutsideIndex, Report, Verdict};
use crate::summary::{Publication, SubdirSummary};

/// Tasks on their way to the queue at once, where nobody waits for their outcomes.
const UNCONFIRMED: usize = 512;

/// Said of a file that push-cache added and the channel lists with other content.
const OUTDONE: &str =
    "the channel lists another file under this name; the one that push-cache added stays";

impl Sync<'_> {
    /// Reports what there is nothing to do for. Reads each record again, on a thread of its own: the
    /// lease must be renewed meanwhile.
    pub(super) async fn report_idle(
        &self,
        plan: &Arc<Plan>,
        outdone: BTreeSet<String>,
    ) -> anyhow::Result<()> {
        if !self.run.report.is_wanted() {
            return Ok(());
        }
        let (plan, report) = (Arc::clone(plan), Arc::clone(&self.run.report));
        let (ledger, subdir) = (Arc::clone(&self.run.ledger), self.subdir.to_owned());
        let runtime = tokio::runtime::Handle::current();
        let reading = tokio::task::spawn_blocking(move || {
            for files in plan.idle() {
                for (fate, listing, record) in files? {
                    let file = record.file.as_str();
                    if fate == Fate::Rest {
                        // Few, and each with a cause that only the ledger has.
                        let names = [file.to_owned()];
                        let recorded = runtime.block_on(ledger.get_many(&subdir, &names))?;
                        resting(&subdir, &record, &recorded, &report);
                        continue;
                    }
                    let mut entry = Entry::new(&subdir, file, Verdict::Held);
                    entry.bytes = record.size;
                    if listing == Listing::Archive {
                        entry.outside_index = Some(OutsideIndex::Yanked);
                    }
                    if outdone.contains(file) {
                        entry.cause = Some(OUTDONE);
                    }
                    report.add(&entry);
                }
            }
            anyhow::Ok(())
        });
        reading.await?
    }

    /// Brings the plan's builds to outcomes. `None`: a stop was asked for. Otherwise when the
    /// earliest failure is due again.
    pub(super) async fn transfer(
        &self,
        plan: Arc<Plan>,
        destination: &Arc<Destination>,
        trust: Trust,
        publisher: &mut Publisher<'_>,
        summary: &mut SubdirSummary,
    ) -> anyhow::Result<Option<Option<u64>>> {
        if plan.work.is_empty() || self.purpose == Purpose::Publish {
            return Ok(Some(None));
        }
        let template = self.template(&plan)?;
        self.begin_tally(&plan, publisher.state.floor).await?;
        if self.purpose == Purpose::Enqueue {
            self.enqueue(plan, template, summary).await?;
            return Ok(None);
        }
        let witness = Arc::clone(&publisher.witness);
        let tags = (!plan.probe).then(|| {
            let (destination, layout) = (Arc::clone(destination), self.layout.clone());
            Tags::new(destination, layout, self.run.options.workers)
        });
        let mut follow = Follow::new(
            self.run,
            plan,
            Arc::new(template),
            tags,
            (self.subdir, witness),
        );
        loop {
            // Over an index that is not believed nothing is published before all it lists was looked for.
            let digest = publisher
                .latest
                .as_ref()
                .map(|latest| latest.digest.to_string());
            let disbelieved = digest.is_some() && publisher.state.disbelieved == digest;
            let span = match trust.is_foreign() || disbelieved {
                true => Duration::from_secs(u64::from(u32::MAX)),
                false => self.run.options.publish_every,
            };
            let until = Instant::now() + span;
            match follow.next(until, summary).await? {
                Followed::Complete => {
                    self.end_tally(publisher.number, summary).await?;
                    return Ok(Some(follow.retry_due_ms));
                }
                Followed::Interrupted => {
                    follow.report_pending();
                    return Ok(None);
                }
                Followed::Cancelled => {
                    follow.report_pending();
                    let subdir = self.subdir.to_owned();
                    return Err(RunError::Cancelled {
                        subdir,
                        next: PUBLISHES,
                    }
                    .into());
                }
                Followed::LedgerLost => return Err(self.ledger_lost()),
                Followed::TimeToPublish => match self
                    .run
                    .unless_stopped(self.publish(publisher, summary))
                    .await
                {
                    Some(Ok(_)) => follow.published(),
                    // What is in the way may pass until the next time; the fill goes on.
                    Some(Err(error)) if !is_final(&error) => {
                        let subdir = self.subdir;
                        tracing::warn!(subdir, "cannot publish what is held so far: {error:#}");
                    }
                    Some(Err(error)) => return Err(error),
                    None => {
                        follow.report_pending();
                        return Ok(None);
                    }
                },
            }
        }
    }

    /// What all tasks of the plan share.
    pub(super) fn template(&self, plan: &Plan) -> anyhow::Result<Template> {
        let subdir = self.run.channel.file_url(self.subdir, "x")?.join(".")?;
        // What a mirror holds is beside its index, whatever that was copied from.
        let base_url = match self.run.channel.location {
            Location::Oci(_) => None,
            Location::Http(_) | Location::Folder(_) => plan.base_url.as_deref(),
        };
        let source = plan::source(&subdir.join("../")?, subdir, base_url)?;
        Ok(Template {
            registry: self
                .run
                .options
                .registry
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            channel: self.run.channel.name.clone(),
            subdir: self.subdir.to_owned(),
            source,
            allow_unverified: self.run.options.allow_unverified,
            annotations: self.run.options.annotations.clone(),
        })
    }

    /// Says in the ledger, for those who watch, how much is to be done.
    pub(super) async fn begin_tally(&self, plan: &Plan, floor: u64) -> anyhow::Result<()> {
        let totals = &plan.totals;
        let files = totals.files + totals.checks;
        let ledger = &self.run.ledger;
        let begun = ledger.begin_tally(self.subdir, plan.number, floor, files, totals.bytes);
        Ok(begun.await?)
    }

    /// What this run saw of its plan goes before what was counted: nothing of it is missing.
    pub(super) async fn end_tally(&self, plan: u64, summary: &SubdirSummary) -> anyhow::Result<()> {
        let counts = Counts {
            done: summary.done + summary.found,
            done_bytes: summary.done_bytes,
            failed: summary.failed,
            absent: summary.not_held,
        };
        Ok(self.run.ledger.end_tally(self.subdir, plan, counts).await?)
    }

    /// Queues all of the plan, and is done when the queue has it for sure.
    async fn enqueue(
        &self,
        plan: Arc<Plan>,
        template: Template,
        summary: &mut SubdirSummary,
    ) -> anyhow::Result<()> {
        let template = Arc::new(template);
        let traces = Traces::of(plan.work.len());
        let mut tasks = std::pin::pin!(tasks(plan, template));
        let queued = async {
            let mut confirming = FuturesUnordered::new();
            while let Some(planned) = tasks.try_next().await? {
                let queue = &self.run.queue;
                let span = traces.send(&planned.task, queue.system());
                confirming.push(queue.publish(planned.task).instrument(span));
                *summary.queued.get_or_insert(0) += 1;
                mirror_runtime::fail_point::hit("while-queueing").await;
                if confirming.len() >= UNCONFIRMED {
                    confirming.try_next().await?;
                }
            }
            while confirming.try_next().await?.is_some() {}
            anyhow::Ok(())
        };
        // What was queued until then stays queued.
        self.run.unless_stopped(queued).await.unwrap_or(Ok(()))
    }

    /// Publishes what is held now.
    pub(super) async fn publish(
        &self,
        publisher: &mut Publisher<'_>,
        summary: &mut SubdirSummary,
    ) -> anyhow::Result<Publication> {
        let began = Instant::now();
        let published = traced(spans::publish(self.subdir), Box::pin(publisher.publish())).await;
        let outcome = match &published {
            Ok(Published::Wrote) => "wrote",
            Ok(Published::Unchanged) => "unchanged",
            Ok(Published::WouldShrink { .. }) => "refused",
            Err(_) => "failed",
        };
        metrics().publication(began.elapsed(), outcome);
        let published = published?;
        if !matches!(published, Published::WouldShrink { .. }) {
            self.show_fresh();
        }
        summary.indexed = Some(publisher.state.records);
        Ok(match published {
            Published::Unchanged => Publication::Unchanged,
            Published::Wrote => Publication::Published,
            Published::WouldShrink { from, to } => {
                tracing::error!(
                    subdir = self.subdir,
                    from,
                    to,
                    "the new index would list {to} records instead of {from}; nothing was published. If that is right, run again with --allow-shrink"
                );
                Publication::Refused
            }
        })
    }
}

/// Reports a file that failed in an earlier run.
fn resting(subdir: &str, record: &Record, recorded: &[Option<Recorded>], report: &Report) {
    let mut entry = Entry::new(subdir, record.file.as_str(), Verdict::Resting);
    entry.bytes = record.size;
    if let [Some(Recorded { outcome, .. })] = recorded
        && let FileOutcome::Failed(failure) = outcome
    {
        entry.cause = Some(failure.cause.as_str());
        entry.attempts = Some(failure.attempts);
    }
    report.add(&entry);
}

/// Whether a failed publication means that later ones will fail too.
fn is_final(error: &anyhow::Error) -> bool {
    let denied = |error: &DestinationError| error.disposition() == Disposition::Denied;
    error.is::<RunError>() || error.downcast_ref().is_some_and(denied)
}

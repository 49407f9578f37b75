//! Everything before the first task: the channel's index, what may be believed of the registry, the plan.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use mirror_channel::repodata::{Limits, RepodataError};
use mirror_channel::source::{IndexFile, SourceError};
use mirror_ledger::SubdirState;
use mirror_runtime::{Disposed, Disposition};

use super::index::{self, Upstream, fetch};
use super::{Purpose, Sync};
use crate::local::{self, Found};
use crate::plan::{self, Inputs, Latest, Plan, Trust};
use crate::report::Report;
use crate::summary::SubdirSummary;

/// What a subdir's run carries out.
pub(super) struct Prepared {
    /// The channel's index, which is what will be published in part.
    pub upstream: index::Index,
    /// The publication at the destination.
    pub latest: Option<Latest>,
    pub trust: Trust,
    /// The ledger's memory of the subdir.
    pub state: SubdirState,
    pub plan: Arc<Plan>,
    /// What `push-cache` added.
    pub local: Option<Found>,
    /// The files that the channel lists with other content than what was added.
    pub outdone: BTreeSet<String>,
}

/// How preparing ended.
pub(super) enum Ready {
    /// There is nothing to do.
    Unchanged(Box<SubdirSummary>),
    /// A stop was asked for.
    Stopped,
    Planned(Box<Prepared>),
}

impl Sync<'_> {
    /// Plans from the ledger's `state` and the channel's `answer`.
    pub(super) async fn prepare(
        &self,
        state: Option<SubdirState>,
        answer: Upstream,
    ) -> anyhow::Result<Ready> {
        let latest = self.latest().await?;
        let local = match &self.run.destination {
            Some(destination) => local::find(destination, &self.layout).await?,
            None => None,
        };
        // Whatever push-cache added or took out since is to be published.
        let merged = latest.as_ref().and_then(Latest::merged) == local.as_ref().map(|l| l.digest);
        let trust = match self.run.folder() {
            None => Trust::of(state.as_ref(), latest.as_ref()),
            // The folder is looked at, not remembered.
            Some(_) => Trust::Emptied,
        };
        tracing::debug!(subdir = self.subdir, ?trust, "what may be believed");
        let same = |validator: &str| {
            state
                .as_ref()
                .is_some_and(|state| self.condition(state) == Some(validator))
                && trust == Trust::Ledger
                && merged
        };
        let upstream = match answer {
            Upstream::Unchanged if trust == Trust::Ledger && merged => {
                return Ok(Ready::Unchanged(Box::new(self.unchanged(state.as_ref()))));
            }
            Upstream::Unchanged => fetch(self.run, self.subdir, IndexFile::Current, None).await?,
            Upstream::Missing if same(index::ABSENT) => {
                return Ok(Ready::Unchanged(Box::new(self.unchanged(state.as_ref()))));
            }
            answer => answer,
        };
        let upstream = upstream.or_empty(self.subdir, &self.run.scratch)?;
        let archive = self.archive_listing().await?;

        let measures = self.purpose == Purpose::Measure;
        let only_plans = self.run.options.dry_run || measures;
        if let (Trust::Emptied, Some(destination), false) =
            (trust, &self.run.destination, only_plans)
        {
            // To someone who is not logged in a private registry looks empty.
            self.run.may_push(&self.layout, destination).await?;
        }
        let mut state = state.unwrap_or_default();
        let number = self.begin(&mut state, trust, latest.as_ref()).await?;
        let mut listed = HashSet::new();
        if let Some(folder) = self.run.folder() {
            listed = self.in_folder(&folder).await?;
        }
        if let (Some(latest), Some(destination)) = (&latest, &self.run.destination) {
            match trust {
                Trust::Index => {
                    self.take_over(latest, destination, number, &mut state)
                        .await?
                }
                Trust::Foreign | Trust::ForeignAgain => {
                    listed = self.hints(latest, destination).await?;
                }
                // What it lists was not believed, and need not be in the plan of a repair.
                Trust::Disbelieved if self.run.options.repair.is_some() => {
                    listed = self.hints(latest, destination).await?;
                }
                _ => {}
            }
            if trust == Trust::Index
                && self.run.options.repair.is_some()
                && state.disbelieved.is_some()
            {
                listed = self.hints(latest, destination).await?;
            }
        }
        let repair = self.run.options.repair.as_ref();
        if let (Some(damage), false) =
            (repair.and_then(|repair| repair.of(self.subdir)), only_plans)
        {
            damage.forget(self.subdir, &*self.run.ledger).await?;
        }
        let with_local = match local {
            Some(_) => self.with_local(upstream.path(), number).await?,
            None => None,
        };
        let (local, merged, outdone) = match with_local {
            Some((local, merged, outdone)) => (Some(local), Some(merged), outdone),
            None => Default::default(),
        };
        let inputs = Inputs {
            subdir: self.subdir,
            number,
            floor: state.floor,
            // Below a floor the ledger calls files done that the destination has lost since: only a task
            // that probes is not settled by such an outcome.
            probe: trust != Trust::FirstFill || state.floor > 0,
            current: merged
                .as_ref()
                .map_or(upstream.path(), |merged| merged.path()),
            archive: archive.as_ref().map(index::Index::path),
            selection: &self.run.selection,
            layout: &self.layout,
            listed: &listed,
            retry_failed: self.run.options.retry_failed,
            allow_unverified: self.run.options.allow_unverified,
            rewrites_index: latest.is_none() || trust.is_foreign(),
            limits: Limits::default(),
            says: !measures,
            repair,
        };
        let unreported = Report::none();
        let report = match self.purpose {
            Purpose::Measure => &unreported,
            _ => &self.run.report,
        };
        let made = plan::make(&inputs, &*self.run.ledger, report);
        let Some(plan) = self.run.unless_stopped(made).await else {
            return Ok(Ready::Stopped);
        };
        let plan = plan.map_err(|error| match error.downcast::<RepodataError>() {
            Ok(broken) => anyhow::Error::new(broken).context(format!(
                "the index of {} at {}",
                self.subdir,
                self.run.channel.display()
            )),
            Err(other) => other,
        })?;
        Ok(Ready::Planned(Box::new(Prepared {
            plan: Arc::new(plan),
            upstream,
            latest,
            trust,
            state,
            local,
            outdone,
        })))
    }

    /// `repodata_from_packages.json`, which few channels have. Some hosts answer oddly for what is not
    /// there; only what may pass by itself stops the run.
    async fn archive_listing(&self) -> anyhow::Result<Option<index::Index>> {
        match fetch(self.run, self.subdir, IndexFile::FromPackages, None).await {
            Ok(answer) => Ok(answer.into_index()),
            Err(error) => match error
                .downcast_ref::<SourceError>()
                .map(Disposed::disposition)
            {
                Some(Disposition::Denied | Disposition::Permanent) => {
                    tracing::debug!(subdir = self.subdir, "no list of archived files: {error:#}");
                    Ok(None)
                }
                _ => Err(error),
            },
        }
    }
}

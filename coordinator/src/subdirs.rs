//! Takes a run through the subdirs of its channel.

use std::sync::Mutex;

use futures::{StreamExt as _, stream};
use mirror_channel::source::SourceError;
use mirror_channel::subdir::{self, NOARCH};
use mirror_oci::DestinationError;

use crate::error::RunError;
use crate::guard::OverLimit;
use crate::run::Run;
use crate::summary::{SubdirSummary, Totals};
use crate::sync::{Purpose, Sync};

/// Subdirs at work at once: while one waits for its last large file, the next is planned.
const AT_ONCE: usize = 2;

/// What is known of the subdirs so far; kept outside the work, which may be dropped.
#[derive(Debug, Default)]
pub(crate) struct Synced {
    state: Mutex<Ended>,
}

/// What the subdirs came to.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// By name, `noarch` last.
    pub subdirs: Vec<SubdirSummary>,
    /// The registry that wants a login.
    pub login: Option<String>,
    /// The plan is larger than it may be.
    pub over_limit: Option<OverLimit>,
    /// The registry or the channel cannot be reached: what is left would wait for it in vain.
    unreachable: bool,
}

impl Ended {
    /// Whether nothing was carried out although more than a plan was asked for.
    pub(crate) fn is_only_a_plan(&self) -> bool {
        self.login.is_some() || self.over_limit.is_some()
    }
}

impl Synced {
    fn add(&self, summary: SubdirSummary, login: Option<String>) {
        let mut state = self.state.lock().expect("no panic under this lock");
        state.subdirs.push(summary);
        if login.is_some() {
            state.login = login;
        }
    }

    /// Notes that a host cannot be reached; whether that is news.
    fn unreachable(&self) -> bool {
        let mut state = self.state.lock().expect("no panic under this lock");
        !std::mem::replace(&mut state.unreachable, true)
    }

    fn is_over(&self) -> bool {
        let state = self.state.lock().expect("no panic under this lock");
        state.unreachable
    }

    fn is_any_served(&self) -> bool {
        let state = self.state.lock().expect("no panic under this lock");
        state.subdirs.iter().any(|summary| summary.error.is_none())
    }

    /// Whether the sum of all plans is within the run's limits.
    fn check_limits(&self, run: &Run) -> bool {
        let mut state = self.state.lock().expect("no panic under this lock");
        let totals = Totals::of(&state.subdirs);
        state.over_limit = run
            .guard
            .check(totals.planned_files, totals.planned_bytes)
            .err();
        state.over_limit.is_none()
    }

    pub(crate) fn finish(self) -> Ended {
        let mut ended = self.state.into_inner().expect("no panic under this lock");
        ended
            .subdirs
            .sort_by(|a, b| (a.subdir == NOARCH, &a.subdir).cmp(&(b.subdir == NOARCH, &b.subdir)));
        ended
    }
}

/// Syncs every subdir. Where the plan has limits, all of it is made once before any of it is carried out.
pub(crate) async fn sync(run: &Run, synced: &Synced) {
    if run.options.dry_run || !run.guard.is_set() {
        each(run, Purpose::Mirror, synced).await;
        synced.check_limits(run);
        return;
    }
    let measured = Synced::default();
    each(run, Purpose::Measure, &measured).await;
    if measured.check_limits(run) {
        each(run, Purpose::Mirror, synced).await;
    } else {
        let ended = measured.finish();
        for subdir in &ended.subdirs {
            if let Some(error) = &subdir.error {
                tracing::error!("subdir {}: {error}", subdir.subdir);
            }
        }
        *synced.state.lock().expect("no panic under this lock") = ended;
    }
}

/// Goes through the subdirs, a few at once, and `noarch` last: whether its absence means an empty one or a channel
/// that is not there, the others tell.
async fn each(run: &Run, purpose: Purpose, synced: &Synced) {
    let wanted = &run.options.subdirs;
    let names = match wanted.is_empty() {
        true => subdir::known(),
        false => wanted.iter().map(String::as_str).collect(),
    };
    stream::iter(names.into_iter().filter(|name| *name != NOARCH))
        .for_each_concurrent(AT_ONCE, |name| one(run, name, purpose, synced))
        .await;
    // Clients ask for noarch whatever else they want.
    one(run, NOARCH, purpose, synced).await;
}

async fn one(run: &Run, name: &str, purpose: Purpose, synced: &Synced) {
    if run.shutdown.is_requested() || synced.is_over() {
        return;
    }
    let ended = match Sync::new(run, name, purpose) {
        Ok(sync) => sync.run(synced.is_any_served()).await,
        Err(error) => Err(error),
    };
    let error = match ended {
        Ok(None) => return,
        Ok(Some(summary)) => return synced.add(summary, None),
        Err(error) => error,
    };
    match error.downcast::<RunError>() {
        Ok(RunError::LoginNeeded { registry, planned }) => synced.add(*planned, Some(registry)),
        // One subdir in the way must not keep the others from being mirrored.
        error => {
            let error = error.map_or_else(|error| error, Into::into);
            let text = format!("{error:#}");
            // Those at work beside it meet the same wall; once is enough to say so.
            let is_news = !is_unreachable(&error) || synced.unreachable();
            // What is only measured is met again, or said with the plan.
            if is_news && purpose == Purpose::Mirror {
                tracing::error!("subdir {name}: {text}");
            }
            let summary = SubdirSummary {
                subdir: name.to_owned(),
                error: Some(text),
                ..SubdirSummary::default()
            };
            synced.add(summary, None);
        }
    }
}

/// Whether nobody answers at the registry or at the channel.
fn is_unreachable(error: &anyhow::Error) -> bool {
    let registry = error.downcast_ref::<DestinationError>();
    let channel = error.downcast_ref::<SourceError>();
    registry.is_some_and(DestinationError::is_unreachable)
        || matches!(channel, Some(SourceError::Unreachable { .. }))
}

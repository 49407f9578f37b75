//! Takes a run through the subdirs of its channel.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, OnceLock};

use futures::{StreamExt as _, stream};
use mirror_channel::source::SourceError;
use mirror_channel::subdir::{self, NOARCH};
use mirror_oci::DestinationError;

use crate::error::{GOES_ON, RunError};
use crate::guard::OverLimit;
use crate::push_cache::PushCache;
use crate::run::Run;
use crate::summary::SubdirSummary;
use crate::sync::{Purpose, Sync};

/// Subdirs at work at once: while one waits for its last large file, the next is planned.
const AT_ONCE: usize = 2;

/// What is known of the subdirs so far; kept outside the work, which may be dropped.
#[derive(Debug, Default)]
pub(crate) struct Synced {
    ended: Mutex<Ended>,
    /// Up to which plan each subdir was cancelled when the run began.
    cancelled: OnceLock<HashMap<String, u64>>,
}

/// What the subdirs came to.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// By name, `noarch` last.
    pub subdirs: Vec<SubdirSummary>,
    /// The registry that wants a login, and whether it is the one that is read from.
    pub login: Option<(String, bool)>,
    /// The plan is larger than it may be.
    pub over_limit: Option<OverLimit>,
    /// The registry or the channel cannot be reached: what is left would wait for it in vain.
    pub is_cut_off: bool,
    /// A user ended a plan.
    pub is_cancelled: bool,
    /// Files whose records were to be taken out, and that nobody added.
    pub nothing_to_remove: Option<String>,
}

impl Ended {
    /// Whether nothing was carried out although more than a plan was asked for.
    pub(crate) fn is_only_a_plan(&self) -> bool {
        let untouched = |subdir: &SubdirSummary| subdir.done + subdir.failed == 0;
        let kept_back = self.login.is_some() || self.over_limit.is_some();
        kept_back && self.subdirs.iter().all(untouched)
    }
}

impl Synced {
    /// Notes what was cancelled before this run: what is cancelled from now on is this run, also those of its subdirs that
    /// it has not begun.
    async fn note_cancelled(&self, run: &Run, subdirs: &[&str]) -> anyhow::Result<()> {
        if !run.options.memory.is_shared() {
            return Ok(());
        }
        let mut cancelled = HashMap::with_capacity(subdirs.len());
        for subdir in subdirs {
            let control = run.ledger.control(subdir).await?;
            cancelled.insert((*subdir).to_owned(), control.cancelled);
        }
        self.cancelled.get_or_init(|| cancelled);
        Ok(())
    }

    /// Whether a user ended this run before it began with `subdir`.
    async fn is_cancelled(&self, run: &Run, subdir: &str) -> anyhow::Result<bool> {
        let Some(before) = self.cancelled.get().and_then(|all| all.get(subdir)) else {
            return Ok(false);
        };
        Ok(run.ledger.control(subdir).await?.cancelled > *before)
    }

    fn ended(&self) -> MutexGuard<'_, Ended> {
        self.ended.lock().expect("no panic under this lock")
    }

    fn is_any_served(&self) -> bool {
        let served = |summary: &SubdirSummary| summary.error.is_none();
        self.ended().subdirs.iter().any(served)
    }

    pub(crate) fn finish(self) -> Ended {
        let mut ended = self.ended.into_inner().expect("no panic under this lock");
        ended
            .subdirs
            .sort_by(|a, b| (a.subdir == NOARCH, &a.subdir).cmp(&(b.subdir == NOARCH, &b.subdir)));
        ended
    }
}

/// Syncs every subdir. Where the plan has limits, all of it is made once before any of it is carried out.
pub(crate) async fn sync(run: &Run, synced: &Synced) {
    let mut wanted = match run.options.subdirs.is_empty() {
        true => subdir::known(),
        false => run.options.subdirs.iter().map(String::as_str).collect(),
    };
    if !wanted.contains(&NOARCH) {
        // Clients ask for it whatever else they want.
        wanted.push(NOARCH);
    }
    if let Some(repair) = &run.options.repair {
        wanted.retain(|subdir| repair.of(subdir).is_some());
    }
    if run.options.dry_run {
        each(run, &wanted, run.options.purpose, synced).await;
        synced.ended().over_limit = run.guard.check(run.measured.amount()).err();
        return;
    }
    if let Err(error) = synced.note_cancelled(run, &wanted).await {
        let broken = SubdirSummary {
            subdir: wanted[0].to_owned(),
            ..SubdirSummary::default()
        };
        return fail(broken, error, run.options.purpose, synced);
    }
    if !run.guard.is_set() {
        return each(run, &wanted, run.options.purpose, synced).await;
    }
    let measured = Synced::default();
    each(run, &wanted, Purpose::Measure, &measured).await;
    let mut measured = measured.finish();
    measured.over_limit = run.guard.check(run.measured.amount()).err();
    if measured.over_limit.is_some() || measured.is_cut_off {
        for (name, error) in errors(&measured.subdirs) {
            tracing::error!("subdir {name}: {error}");
        }
        *synced.ended() = measured;
        return;
    }
    // What could not be measured is not carried out: nobody knows how much it is.
    let (failed, planned): (Vec<_>, Vec<_>) = measured
        .subdirs
        .into_iter()
        .partition(|subdir| subdir.error.is_some());
    for (name, error) in errors(&failed) {
        tracing::error!("subdir {name}: {error}");
    }
    let planned: Vec<&str> = planned.iter().map(|plan| plan.subdir.as_str()).collect();
    each(run, &planned, run.options.purpose, synced).await;
    synced.ended().subdirs.extend(failed);
}

fn errors(subdirs: &[SubdirSummary]) -> impl Iterator<Item = (&str, &str)> {
    subdirs
        .iter()
        .filter_map(|subdir| Some((subdir.subdir.as_str(), subdir.error.as_deref()?)))
}

/// Goes through the subdirs, a few at once, and `noarch` last: whether its absence means an empty one or a channel
/// that is not there, the others tell.
async fn each(run: &Run, names: &[&str], purpose: Purpose, synced: &Synced) {
    stream::iter(names.iter().filter(|name| **name != NOARCH))
        .for_each_concurrent(AT_ONCE, |name| one(run, name, purpose, synced))
        .await;
    if names.contains(&NOARCH) {
        one(run, NOARCH, purpose, synced).await;
    }
}

async fn one(run: &Run, name: &str, purpose: Purpose, synced: &Synced) {
    let is_over = |ended: &Ended| {
        let refused = ended.login.as_ref().is_some_and(|(_, reads)| *reads);
        ended.is_cut_off || refused
    };
    if run.shutdown.is_requested() || is_over(&synced.ended()) {
        return;
    }
    let mut summary = SubdirSummary {
        subdir: name.to_owned(),
        ..SubdirSummary::default()
    };
    let ended = match synced.is_cancelled(run, name).await {
        // Once is enough to say so.
        Ok(true) if synced.ended().is_cancelled => return,
        Ok(false) => match &run.push {
            Some(push) => match PushCache::new(run, push, name) {
                Ok(push) => push.run(synced.is_any_served(), &mut summary).await,
                Err(error) => Err(error),
            },
            None => match Sync::new(run, name, purpose) {
                Ok(sync) => sync.run(synced.is_any_served(), &mut summary).await,
                Err(error) => Err(error),
            },
        },
        Ok(true) => {
            let subdir = name.to_owned();
            Err(RunError::Cancelled {
                subdir,
                next: GOES_ON,
            }
            .into())
        }
        Err(error) => Err(error),
    };
    match ended {
        Ok(false) => {}
        Ok(true) => synced.ended().subdirs.push(summary),
        // One subdir in the way must not keep the others from being mirrored.
        Err(error) => fail(summary, error, purpose, synced),
    }
}

fn fail(mut summary: SubdirSummary, error: anyhow::Error, purpose: Purpose, synced: &Synced) {
    let mut ended = synced.ended();
    if let Some(RunError::LoginNeeded { registry, reads }) = error.downcast_ref() {
        ended.login = Some((registry.clone(), *reads));
        ended.subdirs.push(summary);
        return;
    }
    if let Some(over) = error.downcast_ref::<OverLimit>() {
        ended.over_limit = Some(over.clone());
    }
    ended.is_cancelled |= matches!(error.downcast_ref(), Some(RunError::Cancelled { .. }));
    let text = format!("{error:#}");
    // Those at work beside one that met a wall meet the same; once is enough to say so. What is only measured is met
    // again, or said with the plan.
    let is_news = !is_unreachable(&error) || !std::mem::replace(&mut ended.is_cut_off, true);
    if is_news && purpose != Purpose::Measure {
        tracing::error!("subdir {}: {text}", summary.subdir);
    }
    summary.error = Some(text);
    ended.subdirs.push(summary);
}

/// Whether nobody answers at the registry or at the channel.
fn is_unreachable(error: &anyhow::Error) -> bool {
    let registry = error.downcast_ref::<DestinationError>();
    let channel = error.downcast_ref::<SourceError>();
    registry.is_some_and(DestinationError::is_unreachable)
        || matches!(channel, Some(SourceError::Unreachable { .. }))
}

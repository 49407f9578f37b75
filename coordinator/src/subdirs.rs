//! Takes a run through the subdirs of its channel.

use std::sync::Mutex;

use futures::{StreamExt as _, stream};
use mirror_channel::subdir::{self, NOARCH};

use crate::error::RunError;
use crate::run::Run;
use crate::summary::SubdirSummary;
use crate::sync::Sync;

/// Subdirs at work at once: while one waits for its last large file, the next is planned.
const AT_ONCE: usize = 2;

/// What is known of the subdirs so far; kept outside the work, which may be dropped.
#[derive(Debug, Default)]
pub(crate) struct Synced {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    summaries: Vec<SubdirSummary>,
    login: Option<String>,
}

impl Synced {
    fn add(&self, summary: SubdirSummary, login: Option<String>) {
        let mut state = self.state.lock().expect("no panic under this lock");
        state.summaries.push(summary);
        if login.is_some() {
            state.login = login;
        }
    }

    fn is_any_served(&self) -> bool {
        let state = self.state.lock().expect("no panic under this lock");
        state
            .summaries
            .iter()
            .any(|summary| summary.error.is_none())
    }

    /// The summaries by name, `noarch` last, and the registry that wants a login.
    pub(crate) fn finish(self) -> (Vec<SubdirSummary>, Option<String>) {
        let State {
            mut summaries,
            login,
        } = self.state.into_inner().expect("no panic under this lock");
        summaries
            .sort_by(|a, b| (a.subdir == NOARCH, &a.subdir).cmp(&(b.subdir == NOARCH, &b.subdir)));
        (summaries, login)
    }
}

/// Syncs every subdir, a few at once, and `noarch` last: whether its absence means an empty one or a
/// channel that is not there, the others tell.
pub(crate) async fn sync(run: &Run, synced: &Synced) {
    let wanted = &run.options.subdirs;
    let names = match wanted.is_empty() {
        true => subdir::known(),
        false => wanted.iter().map(String::as_str).collect(),
    };
    stream::iter(names.into_iter().filter(|name| *name != NOARCH))
        .for_each_concurrent(AT_ONCE, |name| sync_one(run, name, synced))
        .await;
    // Clients ask for noarch whatever else they want.
    sync_one(run, NOARCH, synced).await;
}

async fn sync_one(run: &Run, name: &str, synced: &Synced) {
    if run.shutdown.is_requested() {
        return;
    }
    let ended = match Sync::new(run, name) {
        Ok(sync) => sync.run(synced.is_any_served()).await,
        Err(error) => Err(error),
    };
    let error = match ended {
        Ok(None) => return,
        Ok(Some(summary)) => return synced.add(summary, None),
        Err(error) => error,
    };
    match error.downcast::<RunError>() {
        Ok(RunError::LoginNeeded { registry, planned }) => synced.add(planned, Some(registry)),
        // One subdir in the way must not keep the others from being mirrored.
        error => {
            let error = error.map_or_else(|error| error, Into::into);
            let text = format!("{error:#}");
            tracing::error!("subdir {name}: {text}");
            let summary = SubdirSummary {
                subdir: name.to_owned(),
                error: Some(text),
                ..SubdirSummary::default()
            };
            synced.add(summary, None);
        }
    }
}

//! What the worker is doing right now, for whoever shows it: counters, and the files in flight.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use mirror_ledger::FileOutcome;
use mirror_runtime::metrics::metrics;
use tokio::time::Instant;

/// Shared by all slots of a worker.
#[derive(Debug, Default)]
pub struct Activity {
    downloaded: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
    next: AtomicU64,
    files: Mutex<BTreeMap<u64, Arc<State>>>,
    rest: Mutex<Option<(Instant, String)>>,
}

#[derive(Debug)]
struct State {
    file: String,
    total: Option<u64>,
    done: AtomicU64,
}

/// A file in flight, as shown to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transferring {
    /// Its name.
    pub file: String,
    /// Bytes downloaded.
    pub done: u64,
    /// Bytes in all, if known.
    pub total: Option<u64>,
}

impl Activity {
    /// Bytes downloaded since the start, repeated ones counted again.
    #[must_use]
    pub fn downloaded(&self) -> u64 {
        self.downloaded.load(Ordering::Relaxed)
    }

    /// Files brought to a destination since the start.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Files given up since the start.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Counts outcomes.
    pub(crate) fn settle<'o>(&self, outcomes: impl Iterator<Item = &'o FileOutcome>) {
        for outcome in outcomes {
            let counter = match outcome {
                FileOutcome::Done { .. } => &self.done,
                FileOutcome::Failed(_) => &self.failed,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The files in flight, oldest first, at most `max`.
    #[must_use]
    pub fn in_flight(&self, max: usize) -> Vec<Transferring> {
        let files = self.files.lock().expect("no panic under this lock");
        let shown = files.values().take(max).map(|state| Transferring {
            file: state.file.clone(),
            done: state.done.load(Ordering::Relaxed),
            total: state.total,
        });
        shown.collect()
    }

    /// Why no task is taken now, though all is well.
    #[must_use]
    pub fn resting(&self) -> Option<String> {
        let rest = self.rest.lock().expect("no panic under this lock");
        let now = rest.as_ref().filter(|(until, _)| *until > Instant::now());
        now.map(|(_, why)| why.clone())
    }

    /// No task is taken until then, because of `why`.
    pub(crate) fn rests(&self, until: Instant, why: &str) {
        let mut rest = self.rest.lock().expect("no panic under this lock");
        *rest = Some((until, why.to_owned()));
    }

    pub(crate) fn begin(self: &Arc<Self>, file: &str, total: Option<u64>) -> InFlight {
        metrics().in_flight(1);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let state = Arc::new(State {
            file: file.to_owned(),
            total,
            done: AtomicU64::new(0),
        });
        self.files
            .lock()
            .expect("no panic under this lock")
            .insert(number, Arc::clone(&state));
        InFlight {
            activity: Arc::clone(self),
            state,
            number,
        }
    }
}

/// The entry of one file; gone when dropped.
pub(crate) struct InFlight {
    activity: Arc<Activity>,
    state: Arc<State>,
    number: u64,
}

impl InFlight {
    pub(crate) fn advance(&self, bytes: u64) {
        self.state.done.fetch_add(bytes, Ordering::Relaxed);
        self.activity.downloaded.fetch_add(bytes, Ordering::Relaxed);
        metrics().downloaded(bytes);
    }

    pub(crate) fn restart(&self) {
        self.state.done.store(0, Ordering::Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        metrics().in_flight(-1);
        self.activity
            .files
            .lock()
            .expect("no panic under this lock")
            .remove(&self.number);
    }
}

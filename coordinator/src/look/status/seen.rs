//! What a look at a mirror found, as `--json` prints it; `docs/status.schema.json` describes it.

use mirror_ledger::{Tally, Worker};
use mirror_worker::presence::{Presence, TransferNow};
use serde::Serialize;

use super::pace::Pace;
use crate::look::memory::Known;

/// A mirror at one moment.
#[derive(Debug, Serialize)]
pub(super) struct Seen {
    pub(super) at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    pub(super) channel: String,
    pub(super) registry: String,
    pub(super) subdirs: Vec<Subdir>,
    /// None where it is done on one machine.
    pub(super) workers: Option<Workers>,
    pub(super) parked: Vec<ParkedHost>,
    /// None where no queue was named.
    pub(super) queue: Option<Queue>,
}

#[derive(Debug, Serialize)]
pub(super) struct Subdir {
    pub(super) subdir: String,
    pub(super) state: State,
    pub(super) paused: bool,
    /// The run that has it.
    pub(super) run: Option<String>,
    pub(super) started_ms: Option<u64>,
    pub(super) ended_ms: Option<u64>,
    pub(super) files: Files,
    pub(super) bytes: Bytes,
    pub(super) files_per_second: f64,
    pub(super) bytes_per_second: f64,
    pub(super) seconds_left: Option<u64>,
    pub(super) published: Option<Published>,
}

/// Where a subdir's last plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// A run has it, and has not begun to queue.
    Planning,
    Running,
    /// Every file has its outcome, and the run is not over.
    Publishing,
    /// Work is left, and no run follows it; workers may do what is queued.
    Unfollowed,
    /// Work is left, and only another run goes on with it.
    Stopped,
    Cancelled,
    Finished,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Files {
    pub(super) planned: u64,
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) not_held: u64,
    pub(super) left: u64,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Bytes {
    pub(super) planned: u64,
    pub(super) done: u64,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Published {
    pub(super) at_ms: u64,
    pub(super) records: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Workers {
    /// How many there are, of all mirrors on this Redis.
    pub(super) count: u64,
    /// Those heard of last, in the order of their names.
    pub(super) listed: Vec<WorkerSeen>,
}

#[derive(Debug, Serialize)]
pub(super) struct WorkerSeen {
    pub(super) name: String,
    pub(super) slots: usize,
    pub(super) in_flight: usize,
    pub(super) done: u64,
    pub(super) failed: u64,
    /// Why it takes no tasks.
    pub(super) waits: Option<String>,
    pub(super) files: Vec<TransferNow>,
}

#[derive(Debug, Serialize)]
pub(super) struct ParkedHost {
    pub(super) host: String,
    pub(super) left_ms: u64,
    pub(super) why: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Queue {
    pub(super) broker: String,
    pub(super) name: String,
    /// None if it could not be seen.
    pub(super) ready: Option<u64>,
    pub(super) delayed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

impl State {
    /// Of a subdir whose ledger is shared by others or not.
    fn of(known: &Known, shared: bool) -> Self {
        let Some(tally) = &known.tally else {
            return match known.holder.is_some() {
                true => Self::Planning,
                false => Self::Finished,
            };
        };
        let cancelled = known.control.cancelled >= tally.plan;
        match (known.holder.is_some(), tally.ended_ms) {
            (_, None) if cancelled && tally.left() > 0 => Self::Cancelled,
            (true, None) if tally.is_open() => Self::Running,
            (true, None) => Self::Publishing,
            (true, Some(_)) => Self::Planning,
            (false, None) if tally.is_open() && shared => Self::Unfollowed,
            (false, None) if tally.is_open() => Self::Stopped,
            (false, _) => Self::Finished,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Running => "running",
            Self::Publishing => "publishing",
            Self::Unfollowed => "unfollowed",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
            Self::Finished => "finished",
        }
    }
}

impl Subdir {
    pub(super) fn of(known: Known, pace: Pace, shared: bool) -> Self {
        let state = State::of(&known, shared);
        let published = known.state.and_then(|state| {
            let (at_ms, records) = (state.published_ms?, state.records);
            Some(Published { at_ms, records })
        });
        let tally = known.tally.unwrap_or_default();
        let Tally { counts, .. } = tally;
        let has_begun = tally.plan > 0;
        Self {
            subdir: known.subdir,
            state,
            paused: known.control.paused,
            run: known.holder.map(|holder| holder.owner),
            started_ms: has_begun.then_some(tally.started_ms),
            ended_ms: tally.ended_ms,
            files: Files {
                planned: tally.files,
                done: counts.done,
                failed: counts.failed,
                not_held: counts.absent,
                left: tally.left(),
            },
            bytes: Bytes {
                planned: tally.bytes,
                done: counts.done_bytes,
            },
            files_per_second: pace.files_per_second,
            bytes_per_second: pace.bytes_per_second,
            seconds_left: pace.left.map(|left| left.as_secs()),
            published,
        }
    }
}

impl WorkerSeen {
    /// What a worker says of itself. One of another version may say less.
    pub(super) fn of(worker: Worker) -> Self {
        let said: Presence = serde_json::from_str(&worker.what).unwrap_or_default();
        Self {
            name: worker.name,
            slots: said.slots,
            in_flight: said.in_flight,
            done: said.done,
            failed: said.failed,
            waits: said.waits,
            files: said.files,
        }
    }
}

#[cfg(test)]
mod tests {
    use mirror_ledger::{Control, LeaseHolder};

    use super::*;

    #[test]
    fn the_state_is_told_from_lease_tally_and_control() {
        let known = |held: bool, tally: Option<Tally>, cancelled| Known {
            subdir: "noarch".to_owned(),
            state: None,
            tally,
            control: Control {
                paused: false,
                cancelled,
            },
            holder: held.then(|| LeaseHolder {
                owner: "w".to_owned(),
                expires_ms: 1,
            }),
        };
        let open = || Some(Tally::begun(5, 0, 3, 3, 0));
        let mut done = Tally::begun(5, 0, 3, 3, 0);
        done.counts.done = 3;
        let ended = Tally {
            ended_ms: Some(1),
            ..done.clone()
        };
        let mut failed_early = Tally::begun(5, 0, 3, 3, 0);
        failed_early.ended_ms = Some(1);
        for (known, shared, state) in [
            (known(true, None, 0), true, State::Planning),
            (known(true, Some(ended.clone()), 0), true, State::Planning),
            (known(true, open(), 0), true, State::Running),
            (known(true, open(), 4), true, State::Running),
            (known(true, Some(done.clone()), 0), true, State::Publishing),
            (known(false, open(), 0), true, State::Unfollowed),
            (known(false, open(), 0), false, State::Stopped),
            (known(false, open(), 5), true, State::Cancelled),
            (known(true, open(), 5), true, State::Cancelled),
            (known(false, Some(done), 5), true, State::Finished),
            (known(false, Some(ended), 0), true, State::Finished),
            (known(false, Some(failed_early), 0), true, State::Finished),
            (known(false, None, 0), true, State::Finished),
        ] {
            assert_eq!(State::of(&known, shared), state, "{known:?} {shared}");
        }
    }

    #[test]
    fn a_worker_that_says_what_nobody_knows_is_listed_all_the_same() {
        let worker = |what: &str| {
            WorkerSeen::of(Worker {
                name: "w".to_owned(),
                what: what.to_owned(),
                until_ms: 1,
            })
        };
        assert_eq!(worker("?").slots, 0);
        let said = worker(r#"{"slots": 4, "mood": "later"}"#);
        assert_eq!((said.name.as_str(), said.slots), ("w", 4));
    }
}

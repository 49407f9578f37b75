//! Deliveries that came and were not taken yet. The broker sends no more than the prefetch allows.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use futures::FutureExt as _;
use lapin::Acker;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use mirror_runtime::telemetry::TraceContext;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::session::LOOK;
use crate::task::Task;

/// The right to settle a message. Dropped before it was used, it returns the message to its queue.
pub(super) struct Unsettled {
    acker: Acker,
    open: bool,
}

impl Unsettled {
    pub(super) fn new(acker: Acker) -> Self {
        Self { acker, open: true }
    }

    /// Whether the connection still stands over which the message came.
    pub(super) fn usable(&self) -> bool {
        self.open && self.acker.usable()
    }

    /// Acknowledges the message; `false`: nobody heard it, and the broker delivers the message again.
    pub(super) async fn ack(&mut self) -> bool {
        // The command is on its way with the first poll: from here on a drop must not add another.
        self.open = false;
        self.heard(self.acker.ack(BasicAckOptions::default())).await
    }

    /// Returns the message to its queue; `false` as above, which comes to the same.
    pub(super) async fn give_back(&mut self) -> bool {
        self.open = false;
        self.heard(self.acker.nack(requeue())).await
    }

    /// Whether the broker was told. The library resolves no command that was given in the moment in which the connection
    /// broke, so the connection is looked at as well.
    async fn heard(&self, told: impl Future<Output = lapin::Result<bool>>) -> bool {
        tokio::pin!(told);
        loop {
            match tokio::time::timeout(LOOK, &mut told).await {
                Ok(told) => return matches!(told, Ok(true)),
                Err(_) if !self.acker.usable() => return false,
                Err(_) => {}
            }
        }
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        if self.usable() {
            // The first poll sends the command; there is nobody to hear of its end.
            let _ = self.acker.nack(requeue()).now_or_never();
        }
    }
}

fn requeue() -> BasicNackOptions {
    BasicNackOptions {
        multiple: false,
        requeue: true,
    }
}

/// A delivery that nobody took yet.
pub(super) struct Arrived {
    pub(super) task: Task,
    pub(super) redelivered: bool,
    pub(super) trace: TraceContext,
    pub(super) at: Instant,
    pub(super) unsettled: Unsettled,
}

/// The deliveries that were not taken, in the order they came.
#[derive(Default)]
pub(super) struct Inbox {
    arrived: Mutex<VecDeque<Arrived>>,
    pub(super) news: Notify,
}

impl Inbox {
    pub(super) fn put(&self, arrived: Arrived) {
        self.lock().push_back(arrived);
        self.news.notify_one();
    }

    /// The next delivery that can be settled.
    pub(super) fn take(&self) -> Option<Arrived> {
        let mut arrived = self.lock();
        std::iter::from_fn(|| arrived.pop_front()).find(|next| next.unsettled.usable())
    }

    pub(super) fn len(&self) -> usize {
        let arrived = self.lock();
        arrived.iter().filter(|one| one.unsettled.usable()).count()
    }

    /// Returns what nobody took for `too_long`, for others to take: the broker would lose patience.
    pub(super) fn give_back_older_than(&self, too_long: Duration) {
        self.lock().retain(|one| one.at.elapsed() < too_long);
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arrived>> {
        self.arrived
            .lock()
            .expect("no panic while the lock is held")
    }
}

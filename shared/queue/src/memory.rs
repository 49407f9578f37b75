//! The queue of one process. It forgets everything at exit: the ledger and the registry know what
//! is done, and the next run plans the rest anew.
//!
//! Publishing waits for room. Tasks that come back, returned or delayed, never do: they were in
//! the queue before, and a worker that had to wait for room to give up a task could wait for ever.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use mirror_runtime::telemetry::TraceContext;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::error::QueueError;
use crate::queue::{Delivery, Depth, Settle, TaskQueue};
use crate::task::Task;

/// A bounded queue in memory.
pub struct MemoryQueue {
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
}

struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Ready>,
    delayed: BinaryHeap<Delayed>,
    unacknowledged: HashMap<u64, (Task, TraceContext)>,
    numbers: u64,
    closed: bool,
}

struct Ready {
    task: Task,
    redelivered: bool,
    trace: TraceContext,
    /// The room a published task takes until it is delivered.
    _room: Option<OwnedSemaphorePermit>,
}

struct Delayed {
    due: Instant,
    number: u64,
    task: Task,
    trace: TraceContext,
}

impl MemoryQueue {
    /// An empty queue; publishing waits while `capacity` published tasks are ready.
    #[must_use]
    pub fn new(capacity: NonZeroUsize) -> Self {
        let capacity = capacity.get().min(Semaphore::MAX_PERMITS);
        Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                changed: Notify::new(),
            }),
            room: Arc::new(Semaphore::new(capacity)),
        }
    }
}

#[async_trait]
impl TaskQueue for MemoryQueue {
    fn system(&self) -> &'static str {
        "memory"
    }

    async fn publish(&self, task: Task) -> Result<(), QueueError> {
        let room = Arc::clone(&self.room).acquire_owned().await;
        let room = room.map_err(|_| QueueError::Closed)?;
        self.shared.lock().ready.push_back(Ready {
            task,
            redelivered: false,
            trace: TraceContext::current(),
            _room: Some(room),
        });
        self.shared.changed.notify_one();
        Ok(())
    }

    async fn receive(&self) -> Result<Delivery, QueueError> {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            // Listens from here on: what changes after the look below still wakes us.
            changed.as_mut().enable();
            let next_due = {
                let mut state = self.shared.lock();
                if state.closed {
                    return Err(QueueError::Closed);
                }
                state.ripen(Instant::now());
                if let Some(ready) = state.ready.pop_front() {
                    return Ok(self.shared.hand_out(&mut state, ready));
                }
                state.delayed.peek().map(|delayed| delayed.due)
            };
            match next_due {
                None => changed.await,
                Some(due) => tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(due) => {}
                },
            }
        }
    }

    /// Nothing is delivered before somebody receives.
    async fn let_go(&self) {}

    async fn depth(&self) -> Result<Depth, QueueError> {
        let mut state = self.shared.lock();
        state.ripen(Instant::now());
        Ok(Depth {
            ready: state.ready.len() as u64,
            delayed: state.delayed.len() as u64,
            unacknowledged: state.unacknowledged.len() as u64,
            dead: 0,
        })
    }

    async fn close(&self) {
        self.shared.lock().closed = true;
        self.room.close();
        self.shared.changed.notify_waiters();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while the lock is held")
    }

    fn hand_out(self: &Arc<Self>, state: &mut State, ready: Ready) -> Delivery {
        let number = state.next_number();
        let copy = (ready.task.clone(), ready.trace.clone());
        state.unacknowledged.insert(number, copy);
        let held = Held {
            shared: Arc::clone(self),
            number,
        };
        Delivery::new(ready.task, ready.redelivered, ready.trace, Box::new(held))
    }
}

impl State {
    fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Moves tasks whose delay has passed to the ready ones.
    fn ripen(&mut self, now: Instant) {
        while self.delayed.peek().is_some_and(|first| first.due <= now) {
            let delayed = self.delayed.pop().expect("just looked at");
            self.ready.push_back(Ready {
                task: delayed.task,
                redelivered: false,
                trace: delayed.trace,
                _room: None,
            });
        }
    }
}

/// The queue's end of a delivery; its drop returns the task unless it was settled before.
struct Held {
    shared: Arc<Shared>,
    number: u64,
}

impl Held {
    fn settled(&self) {
        self.shared.lock().unacknowledged.remove(&self.number);
    }
}

#[async_trait]
impl Settle for Held {
    async fn ack(self: Box<Self>) -> Result<(), QueueError> {
        self.settled();
        Ok(())
    }

    async fn give_back(self: Box<Self>) -> Result<(), QueueError> {
        // The drop at the end of this call returns the task.
        Ok(())
    }

    async fn retry(self: Box<Self>, task: Task, delay: Duration) -> Result<(), QueueError> {
        let due = Instant::now() + delay;
        let mut state = self.shared.lock();
        let number = state.next_number();
        let trace = state.unacknowledged.remove(&self.number);
        let trace = trace.map(|(_, trace)| trace).unwrap_or_default();
        state.delayed.push(Delayed {
            due,
            number,
            task,
            trace,
        });
        drop(state);
        // All who wait must learn of the new due time: the one that is woken may take another task
        // and leave.
        self.shared.changed.notify_waiters();
        Ok(())
    }

    fn hand_over_due(&self) -> Option<Instant> {
        None
    }

    async fn hand_over(&mut self, _copy: Task, _delay: Duration) -> Result<(), QueueError> {
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let Some((task, trace)) = state.unacknowledged.remove(&self.number) else {
            return;
        };
        state.ready.push_front(Ready {
            task,
            redelivered: true,
            trace,
            _room: None,
        });
        drop(state);
        self.shared.changed.notify_one();
    }
}

/// The heap gives its greatest first: the soonest due, then the one delayed first.
impl Ord for Delayed {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.number).cmp(&(self.due, self.number))
    }
}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Delayed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Delayed {}

impl fmt::Debug for MemoryQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryQueue").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;

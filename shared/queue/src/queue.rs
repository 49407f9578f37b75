//! The seam between those who make tasks and those who do them.
//!
//! A task that was published is delivered at least once, and again until a delivery of it is
//! acknowledged or replaced by a changed copy. Drivers work inside one process (memory) or over a
//! broker; callers hold an `Arc<dyn TaskQueue>`.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use mirror_runtime::telemetry::TraceContext;
use tokio::time::Instant;

use crate::error::QueueError;
use crate::task::Task;

/// A queue of tasks.
#[async_trait]
pub trait TaskQueue: Send + Sync + fmt::Debug {
    /// What carries the messages, as traces call it: `rabbitmq`, or `memory`.
    fn system(&self) -> &'static str;

    /// Puts `task` into the queue, with the place of the caller in its trace. Waits for room, and resolves when the queue has the task for
    /// sure; dropping the future earlier leaves open whether it has.
    ///
    /// # Errors
    /// When the queue is closed or cannot take the task.
    async fn publish(&self, task: Task) -> Result<(), QueueError>;

    /// Waits for the next task. Dropping the future loses none.
    ///
    /// # Errors
    /// When the queue is closed, at once, whatever it still holds.
    async fn receive(&self) -> Result<Delivery, QueueError>;

    /// Takes no more tasks for this process until somebody receives again, and returns those that were delivered
    /// to it and nobody received: others may do them meanwhile. Deliveries handed out stay with who has them.
    async fn let_go(&self);

    /// How much the queue holds now.
    ///
    /// # Errors
    /// When the queue cannot be asked.
    async fn depth(&self) -> Result<Depth, QueueError>;

    /// Ends publishing and receiving for this process and wakes those who wait. Deliveries already
    /// handed out can still be settled.
    async fn close(&self);
}

/// Counts of tasks by where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Could be delivered at once.
    pub ready: u64,
    /// Wait for their delay to pass.
    pub delayed: u64,
    /// Delivered and not settled; of a broker, those delivered to this process: it does not tell of others.
    pub unacknowledged: u64,
    /// Put aside, because nobody can work on them; in no total.
    pub dead: u64,
}

impl Depth {
    /// Tasks that somebody will work on, in any place.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.ready + self.delayed + self.unacknowledged
    }
}

/// A task in the hands of a worker. Dropped without being settled, it goes back to the queue and
/// is delivered again, as a broker does when a connection dies.
#[must_use = "a delivery that is dropped is delivered again"]
pub struct Delivery {
    /// What to do.
    pub task: Task,
    /// Whether this message was delivered before and not acknowledged: somebody may have worked
    /// on it, so the state of the destination is unknown.
    pub redelivered: bool,
    /// Where in a trace it was published. It stays the same when the task is tried again.
    pub trace: TraceContext,
    settle: Box<dyn Settle>,
}

/// A driver's end of one delivery. Dropping it must return the task to the queue.
#[async_trait]
pub trait Settle: Send + Sync {
    /// See [`Delivery::ack`].
    async fn ack(self: Box<Self>) -> Result<(), QueueError>;
    /// See [`Delivery::give_back`].
    async fn give_back(self: Box<Self>) -> Result<(), QueueError>;
    /// See [`Delivery::retry`].
    async fn retry(self: Box<Self>, task: Task, delay: Duration) -> Result<(), QueueError>;
    /// See [`Delivery::hand_over_due`].
    fn hand_over_due(&self) -> Option<Instant>;
    /// See [`Delivery::hand_over`].
    async fn hand_over(&mut self, copy: Task, delay: Duration) -> Result<(), QueueError>;
}

impl Delivery {
    /// Made by drivers.
    pub fn new(
        task: Task,
        redelivered: bool,
        trace: TraceContext,
        settle: Box<dyn Settle>,
    ) -> Self {
        Self {
            task,
            redelivered,
            trace,
            settle,
        }
    }

    /// The task is settled: it does not come back.
    ///
    /// # Errors
    /// When the queue did not hear of it ([`QueueError::Lost`]); the task is then delivered again.
    pub async fn ack(self) -> Result<(), QueueError> {
        self.settle.ack().await
    }

    /// Back to the queue as it was, for another worker, at shutdown. Counts no attempt; comes back
    /// marked as redelivered.
    ///
    /// # Errors
    /// When the queue did not hear of it; the task is then delivered again all the same.
    pub async fn give_back(self) -> Result<(), QueueError> {
        self.settle.give_back().await
    }

    /// Queues `task`, a changed copy, to be delivered after `delay`, and only then acknowledges
    /// this delivery. A broker may round the delay to one of [`LEVELS`](crate::backoff::LEVELS).
    ///
    /// # Errors
    /// When the copy was not taken for sure; this delivery then comes back.
    pub async fn retry(self, task: Task, delay: Duration) -> Result<(), QueueError> {
        self.settle.retry(task, delay).await
    }

    /// When this delivery should be [handed over](Self::hand_over), if it is not settled before: brokers take back what
    /// is not acknowledged for half an hour. `None`: it may be held for as long as one likes.
    #[must_use]
    pub fn hand_over_due(&self) -> Option<Instant> {
        self.settle.hand_over_due()
    }

    /// Leaves the task to the queue without ending the work on it: queues `copy`, to be delivered after `delay`, and
    /// then acknowledges. Whoever receives the copy meets the claim of the one who goes on working, and delays it
    /// again. The delivery is settled as before; its acknowledgement then says nothing new. A queue that lets a delivery
    /// be held does nothing.
    ///
    /// # Errors
    /// When the copy was not taken for sure; the delivery is then as it was.
    pub async fn hand_over(&mut self, copy: Task, delay: Duration) -> Result<(), QueueError> {
        self.settle.hand_over(copy, delay).await
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("build", &self.task.stem())
            .field("attempt", &self.task.attempt)
            .field("redelivered", &self.redelivered)
            .finish_non_exhaustive()
    }
}

//! A delivery in the hands of a worker.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use mirror_runtime::telemetry::TraceContext;
use tokio::time::Instant;

use super::inbox::{Arrived, Unsettled};
use super::pauses::after;
use super::shared::Shared;
use crate::backoff;
use crate::error::QueueError;
use crate::queue::{Delivery, Settle};
use crate::task::Task;

/// The queue's end of a delivery; its drop returns the task unless it was settled before.
pub(super) struct Held {
    shared: Arc<Shared>,
    unsettled: Unsettled,
    trace: TraceContext,
    at: Instant,
    /// The plan of the copy that the queue has, if the message was acknowledged for one.
    handed_over: Option<u64>,
}

impl Held {
    /// Hands out what arrived.
    pub(super) fn hand_out(shared: Arc<Shared>, arrived: Arrived) -> Delivery {
        shared.handed_out.fetch_add(1, Ordering::SeqCst);
        let held = Self {
            shared,
            unsettled: arrived.unsettled,
            trace: arrived.trace.clone(),
            at: arrived.at,
            handed_over: None,
        };
        let Arrived {
            task,
            redelivered,
            trace,
            ..
        } = arrived;
        Delivery::new(task, redelivered, trace, Box::new(held))
    }

    async fn acknowledge(&mut self) -> Result<(), QueueError> {
        if self.handed_over.is_some() || self.unsettled.ack().await {
            return Ok(());
        }
        Err(self.lost())
    }

    async fn send_later(&self, task: &Task, delay: Duration) -> Result<(), QueueError> {
        let level = backoff::nearest(delay);
        let queue = self.shared.written().delay(level);
        self.shared.send(&queue, task, &self.trace).await
    }

    fn lost(&self) -> QueueError {
        QueueError::Lost {
            broker: self.shared.broker(),
        }
    }
}

#[async_trait]
impl Settle for Held {
    async fn ack(mut self: Box<Self>) -> Result<(), QueueError> {
        self.acknowledge().await
    }

    async fn give_back(mut self: Box<Self>) -> Result<(), QueueError> {
        if self.handed_over.is_some() || self.unsettled.give_back().await {
            return Ok(());
        }
        Err(self.lost())
    }

    async fn retry(mut self: Box<Self>, task: Task, delay: Duration) -> Result<(), QueueError> {
        // The copy that the queue has of the same plan is another try; with two of them each would be counted.
        if self.handed_over != Some(task.plan) {
            self.send_later(&task, delay).await?;
        }
        self.acknowledge().await
    }

    fn hand_over_due(&self) -> Option<Instant> {
        let patience = self.shared.settings.options.hand_over_after;
        self.handed_over.is_none().then(|| after(self.at, patience))
    }

    async fn hand_over(&mut self, copy: Task, delay: Duration) -> Result<(), QueueError> {
        if self.handed_over.is_none() {
            self.send_later(&copy, delay).await?;
            self.handed_over = Some(copy.plan);
            self.shared.handed_out.fetch_sub(1, Ordering::SeqCst);
            // If that is not heard, the task comes back twice: the claim stands in the way of both.
            self.unsettled.ack().await;
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.handed_over.is_none() {
            self.shared.handed_out.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

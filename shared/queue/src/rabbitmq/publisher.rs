//! Publishing that resolves when the broker has the message for sure: confirmed, and routed to a queue. Many messages
//! are on their way at once over one channel, up to a bound.

use std::time::Duration;

use lapin::options::BasicPublishOptions;
use lapin::types::FieldTable;
use lapin::{BasicProperties, Confirmation};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::link::Link;
use super::pauses::{Pauses, after};
use super::topology::short;
use crate::error::QueueError;

/// Survives a restart of the broker.
const PERSISTENT: u8 = 2;

/// A message for one queue.
pub(super) struct Message<'a> {
    pub(super) queue: &'a str,
    pub(super) body: &'a [u8],
    pub(super) content_type: &'static str,
    pub(super) headers: FieldTable,
}

/// Publishes over one link.
pub(super) struct Publisher {
    pub(super) link: Link,
    broker: String,
    room: Semaphore,
    patience: Duration,
}

impl Publisher {
    /// At most `unconfirmed` messages are on their way at once.
    pub(super) fn new(link: Link, broker: String, unconfirmed: usize, patience: Duration) -> Self {
        Self {
            link,
            broker,
            room: Semaphore::new(unconfirmed.min(Semaphore::MAX_PERMITS)),
            patience,
        }
    }

    /// Tries until the broker has the message, or patience ends. A broker that takes nothing because it runs out of
    /// memory or disk says so, and is waited for without end. A message whose confirm was lost is sent again: there
    /// may be two then.
    pub(super) async fn publish(&self, message: &Message<'_>) -> Result<(), QueueError> {
        let _room = self.room.acquire().await.expect("never closed");
        let mut end = after(Instant::now(), self.patience);
        let mut pauses = Pauses::default();
        let mut last = None;
        loop {
            let try_once = self.try_once(message);
            tokio::pin!(try_once);
            let tried = loop {
                match timeout_at(end, &mut try_once).await {
                    Ok(tried) => break tried,
                    Err(_) if self.link.blocked() => end = after(Instant::now(), self.patience),
                    Err(_) => {
                        let cause = last.unwrap_or_else(|| self.link.cause());
                        return Err(self.unavailable(cause));
                    }
                }
            };
            match tried {
                Ok(()) => return Ok(()),
                Err(cause) => last = Some(cause),
            }
            tokio::time::sleep(pauses.next()).await;
        }
    }

    async fn try_once(&self, message: &Message<'_>) -> Result<(), String> {
        let session = self.link.up().await;
        let options = BasicPublishOptions {
            mandatory: true,
            immediate: false,
        };
        let properties = BasicProperties::default()
            .with_content_type(message.content_type.into())
            .with_delivery_mode(PERSISTENT)
            .with_headers(message.headers.clone());
        let (channel, queue) = (&session.channel, short(message.queue));
        let confirmed = async {
            let sent = channel.basic_publish(short(""), queue, options, message.body, properties);
            sent.await?.await
        };
        match session.answered(confirmed).await {
            Ok(Confirmation::Ack(None)) => Ok(()),
            // A message that no queue took comes back, and is acknowledged all the same. If one acknowledgement speaks of
            // several messages, the one that came back may be a neighbour's: as if the queue had gone a moment
            // later, and what it held with it.
            Ok(Confirmation::Ack(Some(_)) | Confirmation::Nack(Some(_))) => {
                let cause = format!("queue `{}` is gone", message.queue);
                session.fail(cause.clone());
                Err(cause)
            }
            Ok(Confirmation::Nack(None)) => Err("the broker did not take the task".to_owned()),
            Ok(Confirmation::NotRequested) => Err("the broker does not confirm".to_owned()),
            Err(cause) => {
                session.fail(cause.clone());
                Err(cause)
            }
        }
    }

    fn unavailable(&self, cause: String) -> QueueError {
        QueueError::Unavailable {
            broker: self.broker.clone(),
            what: "take a task",
            patience: self.patience,
            cause,
        }
    }
}

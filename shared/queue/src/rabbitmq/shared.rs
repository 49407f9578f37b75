//! What the queue, its pump and its deliveries have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use mirror_runtime::telemetry::TraceContext;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::headers;
use super::inbox::Inbox;
use super::link::Link;
use super::names::Names;
use super::publisher::{Message, Publisher};
use super::session::{Session, Settings};
use super::topology::short;
use crate::error::QueueError;
use crate::queue::Depth;
use crate::task::Task;

pub(super) struct Shared {
    pub(super) settings: Arc<Settings>,
    pub(super) publisher: Publisher,
    /// The connection with the deliveries.
    pub(super) control: Link,
    pub(super) inbox: Inbox,
    /// Deliveries in the hands of workers.
    pub(super) handed_out: AtomicU64,
    pub(super) closed: CancellationToken,
    /// Ends the connections with the last delivery.
    pub(super) _connections: DropGuard,
}

impl Shared {
    /// The broker's address, fit for errors.
    pub(super) fn broker(&self) -> String {
        self.settings.options.address.to_string()
    }

    /// The queues that we write to.
    pub(super) fn written(&self) -> &Names {
        &self.settings.names[0]
    }

    /// `None` as soon as the queue is closed.
    pub(super) async fn until_closed<T>(&self, happens: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.closed.cancelled() => None,
            value = happens => Some(value),
        }
    }

    /// Has the broker take `task`, of this place in a trace, into `queue`, also after the close: deliveries are still settled then.
    pub(super) async fn send(
        &self,
        queue: &str,
        task: &Task,
        trace: &TraceContext,
    ) -> Result<(), QueueError> {
        let message = Message {
            queue,
            body: &task.encode()?,
            content_type: "application/json",
            headers: headers::of(trace),
        };
        self.publisher.publish(&message).await
    }

    /// The connection to ask questions over.
    pub(super) async fn session(&self) -> Result<Arc<Session>, QueueError> {
        let patience = self.settings.options.patience;
        let session = timeout(patience, self.control.up()).await;
        session.map_err(|_| self.silent(self.control.cause()))
    }

    /// How much the queues hold. Waits for the broker to be back if it is away.
    pub(super) async fn depth(&self) -> Result<Depth, QueueError> {
        let counted = async {
            loop {
                let session = self.control.up().await;
                match self.count(&session).await {
                    Ok(depth) => return depth,
                    // A queue is gone, or the connection: either way all is set up anew.
                    Err(error) => session.fail(error.to_string()),
                }
            }
        };
        let counted = timeout(self.settings.options.patience, counted).await;
        counted.map_err(|_| self.silent(self.control.cause()))
    }

    async fn count(&self, session: &Session) -> lapin::Result<Depth> {
        let channel = session.aside().await?;
        let ask = async |queue: &str| {
            let passive = QueueDeclareOptions::durable().passive();
            let declared = channel.queue_declare(short(queue), passive, FieldTable::default());
            declared.await.map(|queue| u64::from(queue.message_count()))
        };
        let mut depth = Depth::default();
        for names in &self.settings.names {
            depth.ready += ask(names.main()).await?;
            for (_, queue) in names.delays() {
                depth.delayed += ask(&queue).await?;
            }
            depth.dead += ask(&names.dead()).await?;
        }
        channel.close(200, short("bye")).await?;
        // What lies in our inbox could be delivered at once, though the broker thinks that it was.
        depth.ready += self.inbox.len() as u64;
        depth.unacknowledged = self.handed_out.load(Ordering::SeqCst);
        Ok(depth)
    }

    /// The broker did not answer.
    pub(super) fn silent(&self, cause: String) -> QueueError {
        QueueError::Unavailable {
            broker: self.broker(),
            what: "answer",
            patience: self.settings.options.patience,
            cause,
        }
    }
}

//! The dead-letter queue: what the broker gave up delivering, and what is no task of ours. Nobody works on it; the
//! coordinator drains it into the report.

use std::sync::Arc;

use lapin::Channel;
use lapin::message::Delivery as Message;
use lapin::options::BasicGetOptions;
use lapin::types::{AMQPValue, FieldTable};

use super::inbox::Unsettled;
use super::publisher;
use super::session::Session;
use super::shared::Shared;
use super::topology::short;
use crate::error::{QueueError, TaskError};
use crate::task::{MAX_MESSAGE, Task};

/// The header in which we say why a message was put aside.
const REASON: &str = "x-conda-oci-reason";

/// The header in which the broker says why it did.
const BROKERS_REASON: &str = "x-first-death-reason";

/// Characters of an unreadable message that are shown.
const SHOWN: usize = 200;

/// Puts a message aside that cannot be read. Returned to its queue it would come again at once, for ever.
pub(super) async fn bury(
    shared: &Shared,
    queue: &str,
    body: &[u8],
    error: &TaskError,
) -> Result<(), QueueError> {
    let mut headers = FieldTable::default();
    let reason = AMQPValue::LongString(error.to_string().into());
    headers.insert(short(REASON), reason);
    // It lies beside the tasks of its own version.
    let names = shared.settings.names.iter();
    let names = names.clone().find(|names| names.main() == queue);
    let message = publisher::Message {
        queue: &names.unwrap_or(shared.written()).dead(),
        body: &body[..body.len().min(MAX_MESSAGE)],
        content_type: "application/octet-stream",
        headers,
    };
    shared.publisher.publish(&message).await
}

/// A walk through the dead letters.
pub struct DeadLetters {
    shared: Arc<Shared>,
    /// Kept open for the channel.
    session: Arc<Session>,
    channel: Channel,
}

/// A message that nobody can work on. Dropped without being acknowledged, it stays.
pub struct DeadLetter {
    /// The task, if it is one: the broker gave up delivering it.
    pub task: Option<Task>,
    /// Why it is here.
    pub reason: String,
    /// The first characters of the message, fit for a log.
    pub start: String,
    unsettled: Unsettled,
    broker: String,
}

impl DeadLetters {
    pub(super) async fn open(shared: Arc<Shared>) -> Result<Self, QueueError> {
        let session = shared.session().await?;
        let channel = session.answered(session.aside()).await;
        let channel = channel.map_err(|cause| shared.silent(cause))?;
        Ok(Self {
            shared,
            session,
            channel,
        })
    }

    /// The oldest one that was not handed out yet; `None`: there are no more.
    ///
    /// # Errors
    /// When the broker does not answer; open the walk anew then.
    pub async fn next(&mut self) -> Result<Option<DeadLetter>, QueueError> {
        for names in &self.shared.settings.names {
            let queue = short(&names.dead());
            let got = self.channel.basic_get(queue, BasicGetOptions::default());
            let got = self.session.answered(got).await;
            let got = got.map_err(|cause| self.shared.silent(cause))?;
            if let Some(message) = got {
                let broker = self.shared.broker();
                return Ok(Some(DeadLetter::read(message.delivery, broker)));
            }
        }
        Ok(None)
    }
}

impl DeadLetter {
    fn read(message: Message, broker: String) -> Self {
        let headers = message.properties.headers().as_ref();
        let header = |name: &str| match headers?.inner().get(name)? {
            AMQPValue::LongString(text) => Some(text.to_string()),
            _ => None,
        };
        let reason = header(REASON)
            .or_else(|| Some(format!("the broker says: {}", header(BROKERS_REASON)?)))
            .unwrap_or_else(|| "no reason was given".to_owned());
        let text = String::from_utf8_lossy(&message.data);
        Self {
            task: Task::decode(&message.data).ok(),
            reason,
            start: text
                .chars()
                .take(SHOWN)
                .collect::<String>()
                .escape_debug()
                .to_string(),
            unsettled: Unsettled::new(message.acker),
            broker,
        }
    }

    /// It was taken note of, and goes.
    ///
    /// # Errors
    /// When the broker did not hear of it; it then stays.
    pub async fn ack(mut self) -> Result<(), QueueError> {
        if self.unsettled.ack().await {
            return Ok(());
        }
        Err(QueueError::Lost {
            broker: self.broker.clone(),
        })
    }
}

//! What can go wrong with a task and with the queue that carries it.

use std::time::Duration;

use mirror_runtime::{Disposed, Disposition};

/// A message that cannot be written or read as a [`Task`](crate::Task).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// Longer than a message may be.
    #[error("a task of {size} bytes is over the limit of {limit}; a build has a handful of files")]
    TooLarge {
        /// Bytes of the message.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Written by a version of the mirror that we do not know.
    #[error(
        "task message of version {found}, we read version {known} and the one before; run the same version of the mirror everywhere"
    )]
    UnknownVersion {
        /// What the message says.
        found: u64,
        /// What we write.
        known: u64,
    },
    /// No JSON, or not of a task's shape.
    #[error("task message cannot be read: {cause}")]
    Malformed {
        /// What the parser said.
        cause: String,
    },
    /// A field holds what must not travel or must not be used.
    #[error("task field `{field}` is refused: {why}")]
    Refused {
        /// The field.
        field: &'static str,
        /// What is wrong with it; never the value, which may be a secret.
        why: &'static str,
    },
}

impl Disposed for TaskError {
    fn disposition(&self) -> Disposition {
        Disposition::Permanent
    }
}

/// An operation on the queue that did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The queue was closed because the process stops.
    #[error("the task queue is closed: this process is stopping")]
    Closed,
    /// The task itself is at fault.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A setting cannot be used.
    #[error("{setting} of the task queue: {why}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What is wrong with it; never the value, which may be a secret.
        why: String,
    },
    /// The broker lets nobody in with these credentials, or is not the one we trust.
    #[error(
        "the broker at {broker} and we do not come together: {cause}; check user, password, virtual host and permissions, and for amqps the certificate authority"
    )]
    Refused {
        /// Address without credentials.
        broker: String,
        /// What it said.
        cause: String,
    },
    /// A queue of our name is not what we need.
    #[error(
        "queue `{queue}` at {broker} was declared otherwise: {cause}; delete that queue when it is empty, or choose another queue name"
    )]
    Topology {
        /// Address without credentials.
        broker: String,
        /// The queue.
        queue: String,
        /// The difference, as the broker tells it.
        cause: String,
    },
    /// The broker did not answer for as long as we wait.
    #[error(
        "the broker at {broker} could not {what} within {} s: {cause}; see that it runs and that this machine reaches it",
        patience.as_secs()
    )]
    Unavailable {
        /// Address without credentials.
        broker: String,
        /// What it should have done.
        what: &'static str,
        /// How long we waited.
        patience: Duration,
        /// The last thing that went wrong.
        cause: String,
    },
    /// The connection over which a delivery came is gone, and with it the right to settle it.
    #[error(
        "the connection over which the broker at {broker} delivered this task is gone; the broker delivers it again"
    )]
    Lost {
        /// Address without credentials.
        broker: String,
    },
}

impl Disposed for QueueError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Closed => Disposition::Cancelled,
            Self::Task(error) => error.disposition(),
            Self::Setting { .. } | Self::Refused { .. } | Self::Topology { .. } => {
                Disposition::Permanent
            }
            Self::Unavailable { .. } | Self::Lost { .. } => Disposition::Retry,
        }
    }
}

//! What can go wrong with a task and with the queue that carries it.

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
    #[error("task message of version {found}, we read version {known}; update this worker")]
    UnknownVersion {
        /// What the message says.
        found: u64,
        /// What we read.
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
}

impl Disposed for QueueError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Closed => Disposition::Cancelled,
            Self::Task(error) => error.disposition(),
        }
    }
}

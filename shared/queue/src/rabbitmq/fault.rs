//! What goes wrong between us and a broker, and whether it may pass by itself.

use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::{Error, ErrorKind};

use crate::error::QueueError;

/// A step that failed.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// Worth another try: the broker starts, stops, or is out of reach.
    Passing(String),
    /// The broker does not want us, or is not the one we trust.
    Refused(String),
    /// A queue is not what we need.
    Topology { queue: String, cause: String },
}

impl Fault {
    /// Of a step on the way to an open channel.
    pub(super) fn of_connecting(error: &Error) -> Self {
        let cause = error.to_string();
        let refused = match error.kind() {
            ErrorKind::ProtocolError(error) => matches!(
                error.kind(),
                AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
                    | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
            ),
            // A certificate that we do not trust, or no TLS at the other end.
            ErrorKind::IOError(error) => error.kind() == std::io::ErrorKind::InvalidData,
            ErrorKind::InvalidProtocolVersion(_) => true,
            _ => false,
        };
        if refused {
            Self::Refused(cause)
        } else {
            Self::Passing(cause)
        }
    }

    /// Of declaring `queue`.
    pub(super) fn of_declaration(queue: String, error: &Error) -> Self {
        let cause = error.to_string();
        match error.kind() {
            ErrorKind::ProtocolError(error) => match error.kind() {
                AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => {
                    Self::Topology { queue, cause }
                }
                AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Self::Refused(cause),
                _ => Self::Passing(cause),
            },
            _ => Self::Passing(cause),
        }
    }

    /// The error for callers, if trying again does not help.
    pub(super) fn lasting(&self, broker: &str) -> Option<QueueError> {
        let broker = broker.to_owned();
        match self.clone() {
            Self::Passing(_) => None,
            Self::Refused(cause) => Some(QueueError::Refused { broker, cause }),
            Self::Topology { queue, cause } => Some(QueueError::Topology {
                broker,
                queue,
                cause,
            }),
        }
    }

    pub(super) fn cause(&self) -> String {
        match self {
            Self::Passing(cause) | Self::Refused(cause) => cause.clone(),
            Self::Topology { queue, cause } => format!("queue `{queue}`: {cause}"),
        }
    }
}

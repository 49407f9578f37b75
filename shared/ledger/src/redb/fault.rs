//! Why a transaction did not happen, sorted by whose fault it is.

use std::io::ErrorKind;

use ::redb::{CommitError, DatabaseError, StorageError, TableError, TransactionError};

use super::remedy::refused;

/// What stopped a transaction.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// The database lost its integrity, or never was one of ours.
    Damaged(String),
    /// The disk or the database's handle failed; opening it again may mend it. What came back and what to do.
    Storage(String),
    /// Another process has the database.
    Taken,
    /// One row cannot be read; the others are not touched by that.
    Row(String),
}

impl Fault {
    /// A failure of which only a text is known.
    pub(super) fn storage(text: impl std::fmt::Display) -> Self {
        Self::Storage(format!("{text}; see that its disk has room and works"))
    }
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        let text = error.to_string();
        match error {
            StorageError::Corrupted(_) => Self::Damaged(text),
            // A file that ends early, and redb's word for "not a database".
            StorageError::Io(io)
                if matches!(io.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData) =>
            {
                Self::Damaged(text)
            }
            StorageError::Io(io) => Self::Storage(refused(&io)),
            _ => Self::storage(text),
        }
    }
}

impl From<TableError> for Fault {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(storage) => storage.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<TransactionError> for Fault {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Storage(storage) => storage.into(),
            other => Self::storage(other),
        }
    }
}

impl From<CommitError> for Fault {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(storage) => storage.into(),
            other => Self::storage(other),
        }
    }
}

impl From<DatabaseError> for Fault {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => Self::Taken,
            DatabaseError::Storage(storage) => storage.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

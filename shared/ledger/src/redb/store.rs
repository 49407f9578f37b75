//! The open database of a ledger, and its opening again after a failure.
//!
//! redb refuses everything after its first failed read or write until the file is opened anew.
//! So a failure closes it here, and the next transaction opens it.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use ::redb::Database;

use super::fault::Fault;
use super::open::Files;
use super::owner::OwnerLock;
use crate::error::LedgerError;

#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    files: Files,
    /// None after a failure.
    database: RwLock<Option<Database>>,
    /// Dropped last: nobody else opens the file before we have closed it.
    _owner: OwnerLock,
}

impl Store {
    pub(super) fn new(path: PathBuf, files: Files, database: Database, owner: OwnerLock) -> Self {
        let database = RwLock::new(Some(database));
        Self {
            path,
            files,
            database,
            _owner: owner,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` on the open database; many may do so at once.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let worked = {
            let mut database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            if database.is_none() {
                drop(database);
                self.reopen()?;
                database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            }
            match &*database {
                Some(database) => work(database),
                None => Err(Fault::storage("it was closed after a failed access")),
            }
        };
        if let Err(Fault::Storage(_) | Fault::Damaged(_)) = &worked {
            let mut database = self
                .database
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            *database = None;
        }
        worked
    }

    fn reopen(&self) -> Result<(), Fault> {
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if database.is_none() {
            *database = Some(self.files.open_existing(&self.path)?);
            tracing::info!(ledger = %self.path.display(), "the ledger is open again after a failed access");
        }
        Ok(())
    }

    /// The error to hand out for a failed transition.
    pub(super) fn write_error(&self, what: &'static str, fault: &Fault) -> LedgerError {
        self.error(fault, |cause| LedgerError::Write {
            path: self.path.clone(),
            what,
            cause,
        })
    }

    /// The error to hand out for a question without an answer.
    pub(super) fn read_error(&self, what: &'static str, fault: &Fault) -> LedgerError {
        self.error(fault, |cause| LedgerError::Read {
            path: self.path.clone(),
            what,
            cause,
        })
    }

    fn error(&self, fault: &Fault, storage: impl FnOnce(String) -> LedgerError) -> LedgerError {
        let path = self.path.clone();
        match fault {
            Fault::Damaged(cause) | Fault::Row(cause) => LedgerError::Damaged {
                path,
                cause: cause.clone(),
            },
            Fault::Storage(cause) => storage(cause.clone()),
            Fault::Taken => LedgerError::LockedBy {
                path,
                owner: "another process that took it after a failed access".to_owned(),
            },
        }
    }
}

//! The ledger of one machine: one redb file, locked by the process that runs.
//!
//! Every transition is durable when it returns; transitions that come at the same time share one
//! commit. Opening the file proves that the last owner is dead: its claims are ended, its leases
//! dropped, and the builds it worked on keep a mark until they are finished. After a write error
//! (full disk) the file is opened again, so the ledger goes on as soon as the disk does.

mod fault;
mod open;
mod outcomes;
mod owner;
mod remedy;
mod seams;
mod store;
mod tables;
mod tallies;
mod transitions;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::error::LedgerError;
use store::Store;
use writer::Writer;

/// A ledger in a file. Dropping it waits for the transitions under way and gives up the lock.
#[derive(Debug)]
pub struct RedbLedger {
    id: String,
    /// Questions for its pulse.
    beats: AtomicU64,
    // Before the store: it is the writer's end that lets the last handle on the store go.
    writer: Writer,
    store: Arc<Store>,
}

impl RedbLedger {
    /// Opens the ledger at `path`, or makes it, its folder included. Blocks: checks every page of
    /// the file first. `owner` is this process's command line, free of secrets; who else tries to
    /// open the ledger is told it.
    ///
    /// # Errors
    /// When another process has it, a later version wrote it, it is damaged, or the operating
    /// system refuses.
    pub fn open(path: impl AsRef<Path>, owner: &str) -> Result<Self, LedgerError> {
        Self::start(open::open(path.as_ref(), owner, open::Files::Plain)?)
    }

    fn start((store, id): (Store, String)) -> Result<Self, LedgerError> {
        let store = Arc::new(store);
        let writer = Writer::start(Arc::clone(&store))?;
        Ok(Self {
            id,
            beats: AtomicU64::new(1),
            writer,
            store,
        })
    }
}

#[cfg(test)]
mod tests;

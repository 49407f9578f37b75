//! The records of an index as a stream of batches, read on a thread of their own.
//!
//! At most a few batches are in memory, however long the index is.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use mirror_channel::repodata::{
    Event, Limits, Record, RecordError, RepodataError, Scanner, Section,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Records that are looked up in the ledger together.
const BATCH: usize = 2048;
/// Batches that wait to be taken.
const AHEAD: usize = 4;

/// One record and where it stands.
#[derive(Debug)]
pub(crate) struct Row {
    pub ordinal: u64,
    /// For [`mirror_channel::repodata::read_at`].
    pub offset: u64,
    pub section: Section,
    pub record: Result<Record, RecordError>,
}

/// A stream of [`Row`]s.
pub(crate) struct Rows {
    batches: mpsc::Receiver<Result<Vec<Row>, RepodataError>>,
    base_url: Arc<OnceLock<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Rows {
    /// Reads the index at `path` from its beginning.
    pub(crate) fn of(path: &Path, limits: Limits) -> std::io::Result<Self> {
        let index = File::open(path)?;
        let (sender, batches) = mpsc::channel(AHEAD);
        let base_url = Arc::new(OnceLock::new());
        let found = Arc::clone(&base_url);
        let reader = tokio::task::spawn_blocking(move || {
            let end = read(&index, limits, &sender, &found);
            if let Err(error) = end {
                // Nobody listens any more: the run was stopped.
                let _ = sender.blocking_send(Err(error));
            }
        });
        Ok(Self {
            batches,
            base_url,
            reader: Some(reader),
        })
    }

    /// `info.base_url`, as far as the index was read: where the packages are, if not beside it (CEP 15).
    pub(crate) fn base_url(&self) -> Option<&str> {
        self.base_url.get().map(String::as_str)
    }

    /// The next batch; `None` at the end of the index.
    pub(crate) async fn next(&mut self) -> Option<Result<Vec<Row>, RepodataError>> {
        let batch = self.batches.recv().await;
        if batch.is_none()
            && let Some(reader) = self.reader.take()
            && let Err(panic) = reader.await
        {
            // A reader that gave up must not pass for the end of the index.
            std::panic::resume_unwind(panic.into_panic());
        }
        batch
    }
}

fn read(
    index: &File,
    limits: Limits,
    sender: &mpsc::Sender<Result<Vec<Row>, RepodataError>>,
    base_url: &OnceLock<String>,
) -> Result<(), RepodataError> {
    let mut scanner = Scanner::new(index, limits);
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(event) = scanner.next()? {
        let entry = match event {
            Event::Record(entry) => entry,
            Event::Value { key, json, .. } if key.text == "info" => {
                if let Some(found) = base_url_in(json) {
                    let _ = base_url.set(found);
                }
                continue;
            }
            _ => continue,
        };
        batch.push(Row {
            ordinal: entry.ordinal,
            offset: entry.offset,
            section: entry.section,
            record: Record::parse(entry.section, entry.key.text, entry.json),
        });
        if batch.len() == BATCH {
            let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
            if sender.blocking_send(Ok(full)).is_err() {
                return Ok(());
            }
        }
    }
    let _ = sender.blocking_send(Ok(batch));
    Ok(())
}

fn base_url_in(info: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Info {
        base_url: Option<String>,
    }
    serde_json::from_slice::<Info>(info)
        .ok()?
        .base_url
        .filter(|url| !url.is_empty())
}

//! The records of an index as a stream of batches, read on a thread of their own.
//!
//! At most a few batches are in memory, however long the index is, and a hash of each key: of two records with one key
//! the first counts and the other is unusable, or an index would be published that its readers disagree about.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use mirror_channel::repodata::{
    Entry, Event, Limits, NameSizes, Record, RepodataError, Scanner, Section,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::unusable::Unusable;

/// Records that are looked up in the ledger together.
const BATCH: usize = 2048;
/// Batches that wait to be taken.
const AHEAD: usize = 4;

/// One record and where it stands.
#[derive(Debug)]
pub(crate) struct Row<J> {
    pub ordinal: u64,
    /// For [`mirror_channel::repodata::read_at`].
    pub offset: u64,
    pub section: Section,
    pub record: Result<(Record, J), Unusable>,
}

/// What an index says beside its records.
#[derive(Debug)]
struct Found {
    keeps_removed: bool,
    base_url: OnceLock<String>,
    /// The JSON of `removed`, where it is asked for.
    removed: OnceLock<Vec<u8>>,
}

/// A stream of [`Row`]s.
pub(crate) struct Rows<J> {
    batches: mpsc::Receiver<Result<Vec<Row<J>>, RepodataError>>,
    found: Arc<Found>,
    reader: Option<JoinHandle<()>>,
}

impl<J: Send + 'static> Rows<J> {
    /// Reads the index at `path` from its beginning; `judge` sees each usable record with its JSON.
    pub(crate) fn of(
        path: &Path,
        limits: Limits,
        judge: impl Fn(&Record, &[u8]) -> J + Send + 'static,
    ) -> std::io::Result<Self> {
        Self::with(path, limits, false, judge)
    }

    /// The same, and what the index names as removed is kept for [`Rows::take_removed`].
    pub(crate) fn with_removed(
        path: &Path,
        limits: Limits,
        judge: impl Fn(&Record, &[u8]) -> J + Send + 'static,
    ) -> std::io::Result<Self> {
        Self::with(path, limits, true, judge)
    }

    fn with(
        path: &Path,
        limits: Limits,
        keeps_removed: bool,
        judge: impl Fn(&Record, &[u8]) -> J + Send + 'static,
    ) -> std::io::Result<Self> {
        let index = File::open(path)?;
        let (sender, batches) = mpsc::channel(AHEAD);
        let found = Arc::new(Found {
            keeps_removed,
            base_url: OnceLock::new(),
            removed: OnceLock::new(),
        });
        let finds = Arc::clone(&found);
        let reader = tokio::task::spawn_blocking(move || {
            let end = read(&index, limits, &judge, &sender, &finds);
            if let Err(error) = end {
                // Nobody listens any more: the run was stopped.
                let _ = sender.blocking_send(Err(error));
            }
        });
        Ok(Self {
            batches,
            found,
            reader: Some(reader),
        })
    }

    /// `info.base_url`, as far as the index was read: where the packages are, if not beside it (CEP 15).
    pub(crate) fn base_url(&self) -> Option<&str> {
        self.found.base_url.get().map(String::as_str)
    }

    /// The JSON of what the index names as removed, once it was read; none unless it was asked for.
    pub(crate) fn take_removed(self) -> Vec<u8> {
        drop(self.batches);
        let found = Arc::into_inner(self.found);
        found
            .and_then(|found| found.removed.into_inner())
            .unwrap_or_default()
    }

    /// The next batch; `None` at the end of the index.
    pub(crate) async fn next(&mut self) -> Option<Result<Vec<Row<J>>, RepodataError>> {
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

fn read<J>(
    index: &File,
    limits: Limits,
    judge: &impl Fn(&Record, &[u8]) -> J,
    sender: &mpsc::Sender<Result<Vec<Row<J>>, RepodataError>>,
    found: &Found,
) -> Result<(), RepodataError> {
    let mut scanner = Scanner::new(index, limits);
    let mut batch = Vec::with_capacity(BATCH);
    let (hasher, mut keys) = (RandomState::new(), HashSet::new());
    let mut sizes = NameSizes::new(&limits);
    while let Some(event) = scanner.next()? {
        match event {
            Event::Record(entry) => {
                let record = Record::parse(entry.section, entry.key.text, entry.json);
                // Of several usable ones the first counts; what cannot be used stands in nobody's way.
                let fresh = record.is_err()
                    || keys.insert(hasher.hash_one((entry.section, entry.key.text)));
                batch.push(Row {
                    ordinal: entry.ordinal,
                    offset: entry.offset,
                    section: entry.section,
                    record: match record {
                        Ok(record) if fresh => match sizes.admit(&record, &entry) {
                            Ok(()) => {
                                let judged = judge(&record, entry.json);
                                Ok((record, judged))
                            }
                            Err(error) => {
                                let key = entry.key.text.to_owned();
                                Err(Unusable::Limit { key, error })
                            }
                        },
                        Ok(_) => Err(twice(&entry)),
                        Err(error) => Err(error.into()),
                    },
                });
            }
            Event::Unusable {
                ordinal,
                section,
                key,
                error,
            } => batch.push(Row {
                ordinal,
                offset: 0,
                section,
                record: Err(Unusable::Limit { key, error }),
            }),
            Event::Value { key, json, .. } if key.text == "info" => {
                if let Some(base_url) = base_url_in(json) {
                    let _ = found.base_url.set(base_url);
                }
            }
            Event::Value { key, json, .. } if found.keeps_removed && key.text == "removed" => {
                let _ = found.removed.set(json.to_vec());
            }
            _ => {}
        }
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

fn twice(entry: &Entry<'_>) -> Unusable {
    let key = entry.key.text.to_owned();
    let (again, offset) = (key.clone(), entry.offset);
    Unusable::Limit {
        key,
        error: RepodataError::DuplicateKey { key: again, offset },
    }
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

//! The records of an index as a stream of batches, read on two threads of their own: one finds the records, the other
//! reads them.
//!
//! At most a few batches are in memory, however long the index is, and a hash of each key: of two records with one key
//! the first counts and the other is unusable, or an index would be published that its readers disagree about.

mod cut;
mod fresh;

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use mirror_channel::repodata::{Entry, Limits, NameSizes, Record, RepodataError, Section};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::unusable::Unusable;
use cut::{Cuts, Unread};
use fresh::Fresh;

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
#[derive(Debug, Default)]
struct Found {
    base_url: OnceLock<String>,
    /// The JSON of `removed`, where it is asked for.
    removed: OnceLock<Vec<u8>>,
}

/// A stream of [`Row`]s.
pub(crate) struct Rows<J> {
    batches: mpsc::Receiver<Result<Vec<Row<J>>, RepodataError>>,
    found: Arc<Found>,
    /// Empty once they have ended.
    threads: Vec<JoinHandle<()>>,
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
        let found = Arc::new(Found::default());
        let finds = Arc::clone(&found);
        let (cuts, cutter) = Cuts::of(index, limits, move |key, json| match key {
            "info" => {
                if let Some(base_url) = base_url_in(json) {
                    let _ = finds.base_url.set(base_url);
                }
            }
            "removed" if keeps_removed => {
                let _ = finds.removed.set(json.to_vec());
            }
            _ => {}
        });
        let reader = tokio::task::spawn_blocking(move || {
            let end = read(&cuts, limits, &judge, &sender);
            if let Err(error) = end {
                // Nobody listens any more: the run was stopped.
                let _ = sender.blocking_send(Err(error));
            }
        });
        Ok(Self {
            batches,
            found,
            threads: vec![cutter, reader],
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
        if batch.is_none() {
            for thread in std::mem::take(&mut self.threads) {
                if let Err(panic) = thread.await {
                    // A thread that gave up must not pass for the end of the index.
                    std::panic::resume_unwind(panic.into_panic());
                }
            }
        }
        batch
    }
}

fn read<J>(
    cuts: &Cuts,
    limits: Limits,
    judge: &impl Fn(&Record, &[u8]) -> J,
    sender: &mpsc::Sender<Result<Vec<Row<J>>, RepodataError>>,
) -> Result<(), RepodataError> {
    let mut batch = Vec::with_capacity(BATCH);
    let (mut keys, mut sizes) = (Fresh::default(), NameSizes::new(&limits));
    while let Some(cut) = cuts.next() {
        let mut cut = cut?;
        for entry in cut.entries() {
            batch.push(match entry {
                Ok(entry) => Row {
                    ordinal: entry.ordinal,
                    offset: entry.offset,
                    section: entry.section,
                    record: usable(&entry, &mut keys, &mut sizes).map(|record| {
                        let judged = judge(&record, entry.json);
                        (record, judged)
                    }),
                },
                Err(Unread {
                    ordinal,
                    section,
                    key,
                    error,
                }) => Row {
                    ordinal,
                    offset: 0,
                    section,
                    record: Err(Unusable::Limit { key, error }),
                },
            });
            if batch.len() == BATCH {
                let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
                if sender.blocking_send(Ok(full)).is_err() {
                    return Ok(());
                }
            }
        }
        cuts.take_back(cut);
    }
    let _ = sender.blocking_send(Ok(batch));
    Ok(())
}

fn usable(entry: &Entry<'_>, keys: &mut Fresh, sizes: &mut NameSizes) -> Result<Record, Unusable> {
    let record = Record::parse(entry.section, entry.key.text, entry.json)?;
    // Of several usable ones the first counts; what cannot be used stands in nobody's way.
    if !keys.add(entry.section, entry.key.text) {
        return Err(twice(entry));
    }
    sizes
        .admit(&record, entry)
        .map_err(|error| Unusable::Limit {
            key: entry.key.text.to_owned(),
            error,
        })?;
    Ok(record)
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

#[cfg(test)]
mod tests;

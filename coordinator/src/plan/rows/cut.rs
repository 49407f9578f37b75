//! The first of the two threads that read an index: it finds the records and hands them on unread.
//!
//! They are copied into a few buffers that go round, so that the next ones are found while the last ones are read, in
//! bounded memory.

use std::fs::File;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use mirror_channel::repodata::{Entry, Event, Key, Limits, RepodataError, Scanner, Section};
use tokio::task::JoinHandle;

/// Bytes of records that are handed on together; the last of them may end behind it.
const BYTES: usize = 256 << 10;
/// Buffers that wait to be read.
const AHEAD: usize = 4;

/// A stretch of the index.
#[derive(Default)]
pub(super) struct Cut {
    found: Vec<Found>,
    /// The texts of the keys, one behind the other.
    keys: String,
    /// The keys as they stand in the index and their records, in turn.
    bytes: Vec<u8>,
}

enum Found {
    Record(Lengths),
    Unusable(Unread),
}

struct Lengths {
    ordinal: u64,
    section: Section,
    offset: u64,
    len: u64,
    text: usize,
    raw: usize,
    json: usize,
}

/// A record that the scanner passed over.
pub(super) struct Unread {
    pub(super) ordinal: u64,
    pub(super) section: Section,
    pub(super) key: String,
    pub(super) error: RepodataError,
}

impl Cut {
    fn add(&mut self, entry: &Entry<'_>) {
        self.found.push(Found::Record(Lengths {
            ordinal: entry.ordinal,
            section: entry.section,
            offset: entry.offset,
            len: entry.len,
            text: entry.key.text.len(),
            raw: entry.key.raw.len(),
            json: entry.json.len(),
        }));
        self.keys.push_str(entry.key.text);
        self.bytes.extend_from_slice(entry.key.raw);
        self.bytes.extend_from_slice(entry.json);
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= BYTES || self.found.len() >= BYTES / 64
    }

    /// What is in it, in the order of the index.
    pub(super) fn entries(&mut self) -> impl Iterator<Item = Result<Entry<'_>, Unread>> {
        let (mut keys, mut bytes) = (self.keys.as_str(), self.bytes.as_slice());
        self.found.drain(..).map(move |found| {
            let of = match found {
                Found::Record(lengths) => lengths,
                Found::Unusable(unread) => return Err(unread),
            };
            let (text, raw, json);
            (text, keys) = keys.split_at(of.text);
            (raw, bytes) = bytes.split_at(of.raw);
            (json, bytes) = bytes.split_at(of.json);
            Ok(Entry {
                ordinal: of.ordinal,
                section: of.section,
                key: Key { text, raw },
                json,
                offset: of.offset,
                len: of.len,
            })
        })
    }
}

/// The cuts of an index, in its order.
pub(super) struct Cuts {
    cuts: Receiver<Result<Cut, RepodataError>>,
    used: SyncSender<Cut>,
}

impl Cuts {
    /// Begins to read `index` on a thread that ends when the index does or the cuts are dropped. `other` is shown the
    /// values beside the records.
    pub(super) fn of(
        index: File,
        limits: Limits,
        other: impl Fn(&str, &[u8]) + Send + 'static,
    ) -> (Self, JoinHandle<()>) {
        let (sender, cuts) = sync_channel(AHEAD);
        let (used, free) = sync_channel(AHEAD);
        let thread = tokio::task::spawn_blocking(move || {
            if let Err(error) = cut(&index, limits, &other, &sender, &free) {
                // Nobody listens any more: the run was stopped.
                let _ = sender.send(Err(error));
            }
        });
        (Self { cuts, used }, thread)
    }

    /// Waits for the next one; `None` at the end.
    pub(super) fn next(&self) -> Option<Result<Cut, RepodataError>> {
        self.cuts.recv().ok()
    }

    /// Takes one back that is done with, for its memory.
    pub(super) fn take_back(&self, mut cut: Cut) {
        cut.keys.clear();
        cut.bytes.clear();
        // If there are enough of them, or no more are needed, it goes.
        let _ = self.used.try_send(cut);
    }
}

fn cut(
    index: &File,
    limits: Limits,
    other: &impl Fn(&str, &[u8]),
    sender: &SyncSender<Result<Cut, RepodataError>>,
    free: &Receiver<Cut>,
) -> Result<(), RepodataError> {
    let mut scanner = Scanner::new(index, limits);
    let mut cut = Cut::default();
    while let Some(event) = scanner.next()? {
        match event {
            Event::Record(entry) => cut.add(&entry),
            Event::Unusable {
                ordinal,
                section,
                key,
                error,
            } => cut.found.push(Found::Unusable(Unread {
                ordinal,
                section,
                key,
                error,
            })),
            Event::Value { key, json, .. } => other(key.text, json),
            Event::Open { .. } | Event::Close => {}
        }
        if cut.is_full() {
            let full = std::mem::replace(&mut cut, free.try_recv().unwrap_or_default());
            if sender.send(Ok(full)).is_err() {
                return Ok(());
            }
        }
    }
    let _ = sender.send(Ok(cut));
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_cut_gives_back_what_was_put_in() {
        let json = br#"{"packages":{"a\u002d1-0.conda": {"x":1},"b-1-0.conda":{} }, "v3":{"conda":{"\ud800":{},"c-1-0":{"y":"z"}}}}"#;
        let mut scanner = Scanner::new(&json[..], Limits::default());
        let (mut cut, mut expected) = (Cut::default(), Vec::new());
        while let Some(event) = scanner.next().unwrap() {
            match event {
                Event::Record(entry) => {
                    cut.add(&entry);
                    expected.push(format!("{entry:?}"));
                }
                Event::Unusable {
                    ordinal,
                    section,
                    key,
                    error,
                } => {
                    expected.push(format!("{ordinal} {key}"));
                    let unread = Unread {
                        ordinal,
                        section,
                        key,
                        error,
                    };
                    cut.found.push(Found::Unusable(unread));
                }
                _ => {}
            }
        }
        let entries = cut.entries().map(|entry| match entry {
            Ok(entry) => format!("{entry:?}"),
            Err(unread) => format!("{} {}", unread.ordinal, unread.key),
        });
        assert_eq!(entries.collect::<Vec<_>>(), expected);
        assert_eq!(expected.len(), 4);
    }
}

//! What the scanner delivers.

use super::{RepodataError, Section};

/// One step through an index, in the order of the file.
#[derive(Debug)]
pub enum Event<'a> {
    /// An object that holds records begins, or (with no section) one such as `v3` that holds such objects.
    Open {
        /// Its key.
        key: Key<'a>,
        /// The section that its records are of.
        section: Option<Section>,
    },
    /// The object opened last ends.
    Close,
    /// A record of the open section.
    Record(Entry<'a>),
    /// A record that is over a limit or has a key that is no text: passed over unread, it does not spoil the others.
    Unusable {
        /// Its number, counted with the records.
        ordinal: u64,
        /// Where it stands.
        section: Section,
        /// Its key, cut to what may be shown.
        key: String,
        /// What is wrong with it.
        error: RepodataError,
    },
    /// Any other value: of the top level, or inside `v3` one that is no object. Complete, valid JSON.
    Value {
        /// Its key.
        key: Key<'a>,
        /// The value as it stands in the file.
        json: &'a [u8],
        /// The byte offset of the value.
        offset: u64,
    },
}

/// A key, read and as it stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    /// The key with its escapes resolved.
    pub text: &'a str,
    /// The key's JSON, quotes included.
    pub raw: &'a [u8],
}

/// One record, as raw JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its number in this file, counted from 0 over all sections, the unsupported ones included.
    pub ordinal: u64,
    /// Where it stands.
    pub section: Section,
    /// Its key: a file name, or a stem in CEP 48 sections. Unchecked.
    pub key: Key<'a>,
    /// Its value. Brackets and strings are known to be closed; the rest is for
    /// [`Record::parse`](super::Record::parse) to check.
    pub json: &'a [u8],
    /// The byte offset of the key's opening quote: what [`read_at`](super::read_at) takes.
    pub offset: u64,
    /// The bytes from there to the end of the value.
    pub len: u64,
}

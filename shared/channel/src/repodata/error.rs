//! What can be wrong with an index as a whole. What is wrong with one record is a
//! [`RecordError`](super::RecordError) and stops nothing.

use std::io;

/// Why an index cannot be read or written. Offsets are bytes from the beginning of the JSON. The texts do not know the
/// index's address: who fetched it says that. They say the cause themselves, so that it is no `source` and not said twice.
#[derive(Debug, thiserror::Error)]
pub enum RepodataError {
    /// The file ends too early: an interrupted download, or a file still being written.
    #[error(
        "the repodata is cut off at byte {offset}, inside {inside}: the channel's file is incomplete; run again later, and tell the channel's owner if it stays so"
    )]
    CutOff {
        /// Its length.
        offset: u64,
        /// What had begun.
        inside: &'static str,
    },
    /// A web page: a login, an error, a directory listing.
    #[error(
        "expected repodata JSON and got a web page (byte {offset} is '<'); is the URL a conda channel, and does it need a login?"
    )]
    Html {
        /// Where the page begins.
        offset: u64,
    },
    /// Still compressed.
    #[error("expected repodata JSON and got {format} data; it must be decompressed first")]
    Compressed {
        /// The format that its first bytes show.
        format: &'static str,
    },
    /// Not JSON, or not of repodata's shape.
    #[error(
        "the repodata is broken at byte {offset}: expected {expected}, found {found}; the channel has to mend its index"
    )]
    Syntax {
        /// Where.
        offset: u64,
        /// What should stand there.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// The same key twice at the top level or in `v3`: readers would disagree on which one counts.
    #[error(
        "the repodata has the key {key:?} twice, again at byte {offset}, and readers would disagree on which one counts; the channel has to mend its index"
    )]
    DuplicateKey {
        /// The key.
        key: String,
        /// Where its second one begins.
        offset: u64,
    },
    /// Nested deeper than allowed.
    #[error(
        "the repodata nests deeper than {limit} levels at byte {offset}, far deeper than real ones; the channel has to mend its index"
    )]
    TooDeep {
        /// Where the level begins.
        offset: u64,
        /// The limit.
        limit: u32,
    },
    /// A key, record or value over its limit.
    #[error(
        "the repodata has {what} of more than {limit} bytes, beginning at byte {offset}, far more than real ones have; the channel has to mend its index"
    )]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Where it begins.
        offset: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// More top-level keys than allowed.
    #[error(
        "the repodata has more than {limit} keys beside its records, at byte {offset}; the channel has to mend its index"
    )]
    TooManyKeys {
        /// Where the one too many begins.
        offset: u64,
        /// The limit.
        limit: usize,
    },
    /// More records than allowed, over all sections.
    #[error(
        "the repodata has more than {limit} records, at byte {offset}, many times as many as the largest channels have; the channel has to mend its index"
    )]
    TooManyRecords {
        /// Where the one too many begins.
        offset: u64,
        /// The limit.
        limit: u64,
    },
    /// One record more of a name than its shard may have: this record cannot be used, the others can.
    #[error(
        "the records of the package {name:?} have {bytes} bytes up to this one, over the {limit} that one name may have because clients read them together; it is left out until the channel lists fewer"
    )]
    NameTooLarge {
        /// The package name, in lower case.
        name: String,
        /// What its records that are used have with this one, in bytes of JSON.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A key with bytes or escapes that are no text.
    #[error(
        "the repodata has the key {key:?} at byte {offset}, which is no text ({error}); the channel has to mend its index"
    )]
    Key {
        /// The key, as far as it can be shown.
        key: String,
        /// Where it begins.
        offset: u64,
        /// What the parser said.
        error: serde_json::Error,
    },
    /// A value to be copied is no valid JSON.
    #[error(
        "the repodata has an invalid value for {key:?} at byte {offset} ({error}); the channel has to mend its index"
    )]
    Value {
        /// The key it belongs to.
        key: String,
        /// Where the value begins.
        offset: u64,
        /// What the parser said.
        error: serde_json::Error,
    },
    /// The input could not be read.
    #[error("cannot read the repodata at byte {offset}: {error}")]
    Read {
        /// How far it was read.
        offset: u64,
        /// What the system answered.
        error: io::Error,
    },
    /// The output could not be written.
    #[error("cannot write the filtered repodata: {0}")]
    Write(io::Error),
}

impl RepodataError {
    /// The text for a byte (or the end) that was found somewhere.
    pub(super) fn found(byte: Option<u8>) -> String {
        match byte {
            None => "the end".to_owned(),
            Some(byte) if byte.is_ascii_graphic() => format!("'{}'", byte as char),
            Some(byte) => format!("byte 0x{byte:02x}"),
        }
    }
}

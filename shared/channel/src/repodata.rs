//! A subdir's `repodata.json`, read as a stream of records and written anew with only some of them.
//!
//! Nothing here holds more than one record (or one other top-level value) at a time, so memory does not depend on the
//! channel. [`Scanner`] delivers raw JSON with its place in the file, [`Record`] takes the few facts out of it that a
//! mirror needs, [`rewrite`] copies the records to publish byte for byte.

mod access;
mod checked;
mod empty;
mod error;
mod event;
mod info;
mod keys;
mod limits;
mod members;
mod merge;
mod name_sizes;
mod record;
mod removed;
mod rewrite;
mod scan;
mod section;
mod survey;
mod swar;
mod window;
mod writer;

pub use access::{Located, read_at};
pub(crate) use access::{Positioned, read_exact_at, split_member};
pub use empty::empty;
pub use error::RepodataError;
pub use event::{Entry, Event, Key};
pub use limits::Limits;
pub(crate) use members::members;
pub use merge::{Added, merge};
pub use name_sizes::NameSizes;
pub use record::{Record, RecordError};
pub use removed::removed;
pub(crate) use rewrite::MAX_ADDED;
pub use rewrite::{Keep, Rewritten, rewrite};
pub use scan::Scanner;
pub use section::Section;
pub(crate) use survey::timestamp_ms;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

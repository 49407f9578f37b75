//! What stands behind a key: a record, or a value that is to be copied as it is.

use std::io::Read;
use std::ops::Range;

use serde_json::value::RawValue;

use super::key::shown;
use super::{Scanner, State, Step, value};
use crate::repodata::checked::Checked;
use crate::repodata::window::{Bound, Over};
use crate::repodata::{RepodataError, Section};

impl<R: Read> Scanner<R> {
    /// A record, counted even if it is only passed over.
    pub(super) fn record(
        &mut self,
        key: Range<usize>,
        section: Section,
    ) -> Result<Step, RepodataError> {
        if self.ordinal == self.limits.max_records {
            return Err(RepodataError::TooManyRecords {
                offset: self.window.hold_offset(),
                limit: self.limits.max_records,
            });
        }
        let limit = self.limits.max_record_bytes;
        let value = self.value("a record", limit, key.end, Over::LetsGo)?;
        self.ordinal += 1;
        Ok(match self.window.take_excess() {
            None => Step::Record {
                key,
                value,
                section,
            },
            Some(excess) => Step::Unusable {
                key: shown(&excess.head),
                section,
                error: excess.error,
            },
        })
    }

    /// A value that is neither a record nor holds any: delivered whole, known to be valid.
    pub(super) fn other(&mut self, key: Range<usize>, name: &str) -> Result<Step, RepodataError> {
        let is_info = name == "info" && matches!(self.state, State::Top);
        let (what, limit) = if is_info {
            ("an `info`", self.limits.max_info_bytes)
        } else {
            ("a value", self.limits.max_value_bytes)
        };
        let value = self.value(what, limit, key.end, Over::Fails)?;
        let json = self.window.slice(value.clone());
        // Of `info` parts are carried over into the shard index; the others are only copied.
        let checked = if is_info {
            serde_json::from_slice::<Checked>(json).map(drop)
        } else {
            serde_json::from_slice::<&RawValue>(json).map(drop)
        };
        if let Err(error) = checked {
            let offset = self.window.hold_offset() + value.start as u64;
            return Err(RepodataError::Value {
                key: name.to_owned(),
                offset,
                error,
            });
        }
        Ok(Step::Value { key, value })
    }

    /// Passes a value that begins `key` bytes or more behind the beginning of its item. Its place means nothing if it
    /// was let go.
    fn value(
        &mut self,
        what: &'static str,
        limit: usize,
        key: usize,
        over: Over,
    ) -> Result<Range<usize>, RepodataError> {
        let bound = |bytes| Bound {
            what,
            bytes,
            limit,
            over,
        };
        // White space before it counts as well, or there could be any amount.
        self.window.rebound(bound(limit.saturating_add(key)))?;
        self.window.peek_token()?;
        let start = self.window.held();
        self.window.rebound(bound(start.saturating_add(limit)))?;
        value::pass(&mut self.window, self.limits.max_depth)?;
        let value = start..self.window.held();
        self.window.finish()?;
        Ok(value)
    }
}

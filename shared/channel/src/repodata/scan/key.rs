//! The keys of the index's own objects: found, checked to be text, and to be there once where that matters.

use std::io::Read;
use std::ops::Range;

use super::{Scanner, State};
use crate::repodata::access::split_key;
use crate::repodata::window::{Bound, Over};
use crate::repodata::{Key, RepodataError};

/// The most characters of a key that a message shows.
const SHOWN: usize = 100;

/// The key that `raw` begins with, its quotes included, for a message: cut, and as it stands if it cannot be read.
pub(super) fn shown(raw: &[u8]) -> String {
    let key = split_key(raw).map_or(raw, |(key, _)| key);
    let text = serde_json::from_slice(key).unwrap_or_else(|_| {
        let text = key.strip_prefix(b"\"").unwrap_or(key);
        let text = text.strip_suffix(b"\"").unwrap_or(text);
        String::from_utf8_lossy(text).into_owned()
    });
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

impl<R: Read> Scanner<R> {
    /// Passes a member's key and colon up to the value; `None` (nothing passed but the brace) at the object's end. The
    /// place of a key that was let go means nothing.
    pub(super) fn member(&mut self) -> Result<Option<Range<usize>>, RepodataError> {
        let mut token = self.window.peek_token()?;
        if !self.first && token == Some(b',') {
            self.window.advance(1);
            token = self.window.peek_token()?;
        } else if token == Some(b'}') {
            self.window.advance(1);
            return Ok(None);
        } else if !self.first {
            return Err(self.unexpected(token, "',' or '}'"));
        }
        if token != Some(b'"') {
            return Err(self.unexpected(token, "a key in quotes"));
        }
        self.first = false;
        let (over, what, value) = match self.state {
            State::Section { .. } => (Over::LetsGo, "a record", self.limits.max_record_bytes),
            _ => (Over::Fails, "a value", self.limits.max_value_bytes),
        };
        let limit = self.limits.max_key_bytes;
        self.window.begin(Bound {
            what: "a key",
            bytes: limit.saturating_add(2),
            limit,
            over,
        });
        self.window.advance(1);
        self.window.pass_string()?;
        let key = 0..self.window.held();
        // White space behind it counts for its value.
        self.window.rebound(Bound {
            what,
            bytes: key.end.saturating_add(value),
            limit: value,
            over,
        })?;
        if !self.window.let_go() {
            match self.unescape(&key) {
                Ok(unescaped) => self.unescaped = unescaped,
                Err(error) => self.window.exceed(error)?,
            }
        }
        match self.window.peek_token()? {
            Some(b':') => self.window.advance(1),
            found => return Err(self.unexpected(found, "':'")),
        }
        Ok(Some(key))
    }

    /// The key with escapes resolved if it has any; checked to be text in either case.
    fn unescape(&self, key: &Range<usize>) -> Result<Option<String>, RepodataError> {
        let raw = self.window.slice(key.clone());
        if std::str::from_utf8(raw).is_ok() && !raw.iter().any(|b| *b == b'\\' || *b < 0x20) {
            return Ok(None);
        }
        serde_json::from_slice(raw)
            .map(Some)
            .map_err(|error| RepodataError::Key {
                key: shown(raw),
                offset: self.window.hold_offset(),
                error,
            })
    }

    pub(super) fn key(&self, place: Range<usize>) -> Key<'_> {
        let raw = self.window.slice(place);
        let text = match &self.unescaped {
            Some(text) => text,
            None => std::str::from_utf8(&raw[1..raw.len() - 1])
                .expect("checked when the key was passed"),
        };
        Key { text, raw }
    }

    /// The key's text, once it is known to be the first of its kind in its object.
    pub(super) fn fresh_key(
        &mut self,
        key: &Range<usize>,
        top: bool,
    ) -> Result<String, RepodataError> {
        let text = self.key(key.clone()).text.to_owned();
        let offset = self.window.hold_offset();
        let keys = if top {
            &mut self.top_keys
        } else {
            &mut self.inner_keys
        };
        if keys.len() >= self.limits.max_keys {
            return Err(RepodataError::TooManyKeys {
                offset,
                limit: self.limits.max_keys,
            });
        }
        if !keys.insert(text.clone()) {
            let key = shown(self.window.slice(key.clone()));
            return Err(RepodataError::DuplicateKey { key, offset });
        }
        Ok(text)
    }
}

//! The keys of the index's own objects: found, checked to be text, and to be there once where that matters.

use std::io::Read;
use std::ops::Range;

use super::Scanner;
use crate::repodata::window::Bound;
use crate::repodata::{Key, RepodataError};

impl<R: Read> Scanner<R> {
    /// Passes a member's key and colon up to the value; `None` (nothing passed but the brace) at the object's end.
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
        let limit = self.limits.max_key_bytes;
        self.window.begin(Bound {
            what: "a key",
            bytes: limit.saturating_add(2),
            limit,
        });
        self.window.advance(1);
        self.window.pass_string()?;
        self.window.check()?;
        let key = 0..self.window.held();
        self.unescaped = self.unescape(&key)?;
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
            .map_err(|source| RepodataError::Value {
                key: String::from_utf8_lossy(raw).into_owned(),
                offset: self.window.hold_offset(),
                source,
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
            return Err(RepodataError::DuplicateKey { key: text, offset });
        }
        Ok(text)
    }
}

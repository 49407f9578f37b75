//! How the index's own objects begin and end.

use std::io::Read;
use std::ops::Range;

use super::{Scanner, State, Step};
use crate::repodata::{RepodataError, Section};

impl<R: Read> Scanner<R> {
    /// Passes the brace that the index begins with, and tells what it is if it is none.
    pub(super) fn start(&mut self) -> Result<(), RepodataError> {
        match self.window.peek_token()? {
            Some(b'{') => self.window.advance(1),
            Some(b'<') => {
                return Err(RepodataError::Html {
                    offset: self.window.offset(),
                });
            }
            Some(0x28) if self.window.rest().starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) => {
                return Err(RepodataError::Compressed { format: "zstd" });
            }
            Some(0x1f) => return Err(RepodataError::Compressed { format: "gzip" }),
            Some(b'B') if self.window.rest().starts_with(b"BZh") => {
                return Err(RepodataError::Compressed { format: "bzip2" });
            }
            None => {
                return Err(RepodataError::CutOff {
                    offset: self.window.offset(),
                    inside: "its beginning",
                });
            }
            found => return Err(self.syntax(found, "'{'")),
        }
        self.state = State::Top;
        Ok(())
    }

    /// Passes the brace of an object that holds records or such objects.
    pub(super) fn open(
        &mut self,
        key: Range<usize>,
        section: Option<Section>,
        state: State,
    ) -> Result<Step, RepodataError> {
        match self.window.peek_token()? {
            Some(b'{') => self.window.advance(1),
            found => return Err(self.unexpected(found, "'{' (an object of records)")),
        }
        self.window.finish()?;
        self.first = true;
        self.state = state;
        Ok(Step::Open { key, section })
    }

    /// The brace at the end of the innermost object has been passed.
    pub(super) fn close(&mut self) -> Result<Step, RepodataError> {
        self.first = false;
        self.state = match self.state {
            State::Section {
                within: Some(revision),
                ..
            } => State::Revision(revision),
            State::Top => {
                self.state = State::Done;
                return match self.window.peek_token()? {
                    None => Ok(Step::End),
                    found => Err(self.syntax(found, "nothing after the closing '}'")),
                };
            }
            _ => State::Top,
        };
        Ok(Step::Close)
    }
}

//! A pull scanner over an index: each call of [`Scanner::next`] delivers one record or value as raw JSON.
//!
//! Promises: never more than one record or value in memory (plus a read buffer); no allocation per record; every error
//! names a byte. The scanner itself checks the index's own objects, and inside records only that brackets and strings
//! close, so that one bad record does not spoil the others. A record over a limit is passed over without being kept, its
//! brackets and strings matched as those of any other, so that what follows it is what every reader of JSON sees there.
//! A record key that occurs twice in its section is delivered twice: to find out would take a set of all keys. Readers of
//! JSON take the last.

mod ends;
mod item;
mod key;
mod nesting;
mod value;

use std::collections::HashSet;
use std::io::Read;
use std::ops::Range;

use super::section::{Revision, revision_container};
use super::window::Window;
use super::{Entry, Event, Limits, RepodataError, Section};

const BUFFER: usize = 256 << 10;

/// Walks an index from its beginning to its end. See the [module](super).
pub struct Scanner<R> {
    window: Window<R>,
    limits: Limits,
    state: State,
    /// Whether the next member of the current object is its first.
    first: bool,
    ordinal: u64,
    top_keys: HashSet<String>,
    inner_keys: HashSet<String>,
    /// The current key with its escapes resolved, if it has any.
    unescaped: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Start,
    Top,
    Revision(Revision),
    Section {
        section: Section,
        within: Option<Revision>,
    },
    Done,
}

/// What was found, as places in the window.
enum Step {
    Open {
        key: Range<usize>,
        section: Option<Section>,
    },
    Close,
    Record {
        key: Range<usize>,
        value: Range<usize>,
        section: Section,
    },
    Unusable {
        key: String,
        section: Section,
        error: RepodataError,
    },
    Value {
        key: Range<usize>,
        value: Range<usize>,
    },
    End,
}

impl<R: Read> Scanner<R> {
    /// A scanner at the beginning of `input`, which needs no buffering of its own.
    pub fn new(input: R, limits: Limits) -> Self {
        Self::at(input, 0, BUFFER, State::Start, limits)
    }

    fn at(input: R, base: u64, capacity: usize, state: State, limits: Limits) -> Self {
        Self {
            window: Window::new(input, base, capacity),
            limits,
            state,
            first: true,
            ordinal: 0,
            top_keys: HashSet::new(),
            inner_keys: HashSet::new(),
            unescaped: None,
        }
    }

    /// The next event; `None` after the index has ended well.
    ///
    /// # Errors
    /// What is wrong with the index and where. The scanner cannot go on after an error.
    #[allow(
        clippy::should_implement_trait,
        reason = "events borrow from the scanner, which Iterator cannot say"
    )]
    pub fn next(&mut self) -> Result<Option<Event<'_>>, RepodataError> {
        let step = self.step()?;
        Ok(Some(match step {
            Step::End => return Ok(None),
            Step::Close => Event::Close,
            Step::Open { key, section } => Event::Open {
                key: self.key(key),
                section,
            },
            Step::Record {
                key,
                value,
                section,
            } => Event::Record(Entry {
                ordinal: self.ordinal - 1,
                section,
                len: value.end as u64,
                json: self.window.slice(value),
                key: self.key(key),
                offset: self.window.hold_offset(),
            }),
            Step::Unusable {
                key,
                section,
                error,
            } => Event::Unusable {
                ordinal: self.ordinal - 1,
                section,
                key,
                error,
            },
            Step::Value { key, value } => Event::Value {
                offset: self.window.hold_offset() + value.start as u64,
                json: self.window.slice(value),
                key: self.key(key),
            },
        }))
    }

    /// Reads one `"key": value` at `base`, where a record was found before.
    pub(super) fn member_at(
        input: R,
        base: u64,
        limits: Limits,
    ) -> Result<(String, Vec<u8>), RepodataError> {
        let section = State::Section {
            section: Section::Unsupported,
            within: None,
        };
        let mut scanner = Self::at(input, base, 4 << 10, section, limits);
        match scanner.next()? {
            Some(Event::Record(entry)) => Ok((entry.key.text.to_owned(), entry.json.to_vec())),
            Some(Event::Unusable { error, .. }) => Err(error),
            _ => Err(scanner.syntax(None, "a record")),
        }
    }

    fn step(&mut self) -> Result<Step, RepodataError> {
        if matches!(self.state, State::Start) {
            self.start()?;
        }
        if matches!(self.state, State::Done) {
            return Ok(Step::End);
        }
        let Some(key) = self.member()? else {
            return self.close();
        };
        match self.state {
            State::Section { section, .. } => self.record(key, section),
            State::Top => {
                let name = self.fresh_key(&key, true)?;
                let section = Section::at_top(&name);
                let revision = revision_container(&name);
                let object = self.window.peek_token()? == Some(b'{');
                if let Some(section) = section.filter(|section| object || section.is_mirrored()) {
                    return self.open(
                        key,
                        Some(section),
                        State::Section {
                            section,
                            within: None,
                        },
                    );
                }
                match revision.filter(|revision| object || *revision == Revision::Numbered(3)) {
                    Some(revision) => {
                        self.inner_keys.clear();
                        self.open(key, None, State::Revision(revision))
                    }
                    None => self.other(key, &name),
                }
            }
            State::Revision(revision) => {
                let name = self.fresh_key(&key, false)?;
                let section = Section::in_revision(revision, &name);
                if self.window.peek_token()? == Some(b'{') || section.is_mirrored() {
                    return self.open(
                        key,
                        Some(section),
                        State::Section {
                            section,
                            within: Some(revision),
                        },
                    );
                }
                self.other(key, &name)
            }
            State::Start | State::Done => Ok(Step::End),
        }
    }

    fn unexpected(&self, found: Option<u8>, expected: &'static str) -> RepodataError {
        match found {
            None => RepodataError::CutOff {
                offset: self.window.offset(),
                inside: "an object",
            },
            found => self.syntax(found, expected),
        }
    }

    fn syntax(&self, found: Option<u8>, expected: &'static str) -> RepodataError {
        RepodataError::Syntax {
            offset: self.window.offset(),
            expected,
            found: RepodataError::found(found),
        }
    }
}

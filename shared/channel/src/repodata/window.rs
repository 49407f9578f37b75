//! The part of the input that is in memory: from the beginning of what is being delivered to the end of what was read.

use std::io::Read;

use super::RepodataError;
use super::swar::quote_or_escape;

/// A sliding buffer over an input. Positions in it are relative to `hold`, where the current item begins.
pub(super) struct Window<R> {
    source: R,
    buf: Vec<u8>,
    /// The offset of `buf[0]` in the input.
    base: u64,
    /// Where the bytes to keep begin; follows `pos` while nothing is held.
    hold: usize,
    holding: bool,
    pos: usize,
    end: usize,
    /// What is being held and how large it may become.
    bound: Bound,
    /// What was let go of the current item.
    excess: Option<Excess>,
}

/// The limit that an item in progress is under.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    pub(super) what: &'static str,
    pub(super) bytes: usize,
    /// The limit to report, where `bytes` has something added to it.
    pub(super) limit: usize,
    pub(super) over: Over,
}

/// What becomes of an item over a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// The index as a whole cannot be read.
    Fails,
    /// The item is no longer kept: the window goes on behind it, in bounded memory.
    LetsGo,
}

/// An item that was let go.
#[derive(Debug)]
pub(super) struct Excess {
    /// How it begins: what fits into [`HEAD`].
    pub(super) head: Vec<u8>,
    /// The limit that it is over.
    pub(super) error: RepodataError,
}

/// The bytes that are kept of an item that is let go: enough for its key to be shown.
const HEAD: usize = 512;

impl<R: Read> Window<R> {
    pub(super) fn new(source: R, base: u64, capacity: usize) -> Self {
        let bound = Bound {
            what: "a key",
            bytes: usize::MAX,
            limit: usize::MAX,
            over: Over::Fails,
        };
        Self {
            source,
            buf: vec![0; capacity],
            base,
            hold: 0,
            holding: false,
            pos: 0,
            end: 0,
            bound,
            excess: None,
        }
    }

    /// The absolute offset of the next byte.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.pos as u64
    }

    /// The absolute offset of the item being held.
    pub(super) fn hold_offset(&self) -> u64 {
        self.base + self.hold as u64
    }

    /// Begins an item at the next byte.
    pub(super) fn begin(&mut self, bound: Bound) {
        self.hold = self.pos;
        self.holding = true;
        self.bound = bound;
        self.excess = None;
    }

    /// Goes on with the item under another limit. It is held against the one that it leaves first: whether it is over
    /// must not depend on where the buffer happened to end.
    pub(super) fn rebound(&mut self, bound: Bound) -> Result<(), RepodataError> {
        self.check()?;
        self.bound = bound;
        Ok(())
    }

    /// Whether the current item was let go: there are no bytes of it to look at.
    pub(super) fn let_go(&self) -> bool {
        self.excess.is_some()
    }

    /// What was let go of the item that ended last.
    pub(super) fn take_excess(&mut self) -> Option<Excess> {
        self.excess.take()
    }

    /// Ends the item; unless it was let go, its bytes stay readable until the next read.
    pub(super) fn finish(&mut self) -> Result<(), RepodataError> {
        self.check()?;
        self.holding = false;
        Ok(())
    }

    /// Bytes of the item so far.
    pub(super) fn held(&self) -> usize {
        self.pos - self.hold
    }

    pub(super) fn slice(&self, range: std::ops::Range<usize>) -> &[u8] {
        &self.buf[self.hold + range.start..self.hold + range.end]
    }

    /// What is in memory and not yet passed.
    #[inline]
    pub(super) fn rest(&self) -> &[u8] {
        &self.buf[self.pos..self.end]
    }

    #[inline]
    pub(super) fn advance(&mut self, count: usize) {
        self.pos += count;
    }

    /// Looks whether the item is over its size.
    pub(super) fn check(&mut self) -> Result<(), RepodataError> {
        if self.holding && self.held() > self.bound.bytes {
            return self.exceed(self.too_large());
        }
        Ok(())
    }

    /// The item is over a limit: that is an error of the index, or the item is let go. The first limit counts.
    pub(super) fn exceed(&mut self, error: RepodataError) -> Result<(), RepodataError> {
        if self.bound.over == Over::Fails {
            return Err(error);
        }
        if self.holding {
            let head = self.slice(0..self.held().min(HEAD)).to_vec();
            self.holding = false;
            self.excess = Some(Excess { head, error });
        }
        Ok(())
    }

    fn too_large(&self) -> RepodataError {
        RepodataError::TooLarge {
            what: self.bound.what,
            offset: self.hold_offset(),
            limit: self.bound.limit,
        }
    }

    /// The next byte, without passing it; `None` at the end.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<Option<u8>, RepodataError> {
        if self.pos == self.end && !self.fill()? {
            return Ok(None);
        }
        Ok(Some(self.buf[self.pos]))
    }

    /// Passes white space and gives the byte after it, without passing that.
    pub(super) fn peek_token(&mut self) -> Result<Option<u8>, RepodataError> {
        loop {
            match self
                .rest()
                .iter()
                .position(|b| !matches!(b, b' ' | b'\n' | b'\r' | b'\t'))
            {
                Some(count) => {
                    self.advance(count);
                    return Ok(Some(self.buf[self.pos]));
                }
                None => {
                    self.pos = self.end;
                    if !self.fill()? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Passes the rest of a string whose opening quote has been passed.
    #[inline]
    pub(super) fn pass_string(&mut self) -> Result<(), RepodataError> {
        let cut_off = |window: &Self| RepodataError::CutOff {
            offset: window.offset(),
            inside: "a string",
        };
        loop {
            match quote_or_escape(self.rest()) {
                Some(at) => {
                    let quote = self.rest()[at] == b'"';
                    self.advance(at + 1);
                    if quote {
                        return Ok(());
                    }
                    if self.peek()?.is_none() {
                        return Err(cut_off(self));
                    }
                    self.advance(1);
                }
                None => {
                    self.pos = self.end;
                    if !self.fill()? {
                        return Err(cut_off(self));
                    }
                }
            }
        }
    }

    /// Reads more behind `end`, moving or growing the buffer as needed; `false` at the end of the input.
    #[cold]
    pub(super) fn fill(&mut self) -> Result<bool, RepodataError> {
        self.check()?;
        if !self.holding {
            self.hold = self.pos;
        }
        if self.hold > 0 {
            self.buf.copy_within(self.hold..self.end, 0);
            self.base += self.hold as u64;
            self.pos -= self.hold;
            self.end -= self.hold;
            self.hold = 0;
        }
        if self.end == self.buf.len() {
            self.buf.resize(self.buf.len() * 2, 0);
        }
        loop {
            match self.source.read(&mut self.buf[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(RepodataError::Read {
                        offset: self.base + self.end as u64,
                        error,
                    });
                }
            }
        }
    }
}

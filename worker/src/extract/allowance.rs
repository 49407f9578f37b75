//! Bounds what a reader of archives takes before it hands out a member.
//!
//! Long names and extended headers of a tar are members of their own, read into memory whole before
//! anybody sees the member they belong to: a package of a few kilobytes could name one of many
//! gigabytes. The directory of a zip is read whole as well.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

/// How many bytes may still be read.
#[derive(Debug, Clone)]
pub(super) struct Allowance(Rc<Cell<Left>>);

#[derive(Debug, Clone, Copy)]
enum Left {
    Bytes(u64),
    Exceeded,
}

impl Allowance {
    pub(super) fn of(bytes: u64) -> Self {
        Self(Rc::new(Cell::new(Left::Bytes(bytes))))
    }

    /// From now on `bytes` may be read.
    pub(super) fn renew(&self, bytes: u64) {
        self.0.set(Left::Bytes(bytes));
    }

    /// From now on everything may be read.
    pub(super) fn lift(&self) {
        self.renew(u64::MAX);
    }

    /// Whether a read was refused.
    pub(super) fn is_exceeded(&self) -> bool {
        matches!(self.0.get(), Left::Exceeded)
    }
}

/// A reader that gives no more than its allowance.
pub(super) struct Metered<R> {
    pub inner: R,
    pub allowance: Allowance,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = match self.allowance.0.get() {
            Left::Bytes(left) if left > 0 || buffer.is_empty() => left,
            _ => {
                self.allowance.0.set(Left::Exceeded);
                return Err(io::Error::other("more than may be read"));
            }
        };
        let most = usize::try_from(left).map_or(buffer.len(), |left| buffer.len().min(left));
        let read = self.inner.read(&mut buffer[..most])?;
        self.allowance.renew(left - read as u64);
        Ok(read)
    }
}

impl<R: Seek> Seek for Metered<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

//! Writes an index as a stream.

use std::io::Write;

use super::{Key, RepodataError};

/// Writes nested objects with the commas where they belong.
pub(super) struct Writer<'a, W> {
    output: &'a mut W,
    /// For each open object, whether its next member is the first.
    objects: Vec<bool>,
}

impl<'a, W: Write> Writer<'a, W> {
    /// Inside the outermost object, whose braces are the caller's.
    pub(super) fn new(output: &'a mut W) -> Self {
        Self {
            output,
            objects: vec![true],
        }
    }

    /// How many objects are open, the outermost counted.
    pub(super) fn depth(&self) -> usize {
        self.objects.len()
    }

    pub(super) fn flush(&mut self) -> Result<(), RepodataError> {
        self.output.flush().map_err(RepodataError::Write)
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> Result<(), RepodataError> {
        self.output.write_all(bytes).map_err(RepodataError::Write)
    }

    pub(super) fn key(&mut self, key: &Key<'_>) -> Result<(), RepodataError> {
        if let Some(first) = self.objects.last_mut()
            && !std::mem::take(first)
        {
            self.raw(b",")?;
        }
        self.raw(key.raw)?;
        self.raw(b":")
    }

    pub(super) fn open(&mut self) -> Result<(), RepodataError> {
        self.objects.push(true);
        self.raw(b"{")
    }

    pub(super) fn close(&mut self) -> Result<(), RepodataError> {
        self.objects.pop();
        self.raw(b"}")
    }
}

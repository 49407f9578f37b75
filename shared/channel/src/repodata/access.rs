//! Going back to a record that the scanner delivered before, by its offset.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use memchr::memchr2;

use super::{Limits, RepodataError, Scanner};

/// A record read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Its key: file name or stem, unchecked.
    pub key: String,
    /// Its raw JSON.
    pub json: Vec<u8>,
}

/// Reads the record whose key begins at `offset` ([`Entry::offset`](super::Entry::offset)). Leaves the file's own
/// position alone, so several threads may share one `File`.
///
/// # Errors
/// As the scanner; an offset that is not one of a record is a syntax error.
pub fn read_at(file: &File, offset: u64, limits: Limits) -> Result<Located, RepodataError> {
    let (key, json) = Scanner::member_at(Positioned::new(file, offset), offset, limits)?;
    Ok(Located { key, json })
}

/// Reads a file from a position of its own.
pub(crate) struct Positioned<'a> {
    file: &'a File,
    at: u64,
}

impl<'a> Positioned<'a> {
    pub(crate) const fn new(file: &'a File, at: u64) -> Self {
        Self { file, at }
    }
}

impl Read for Positioned<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buf, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Fills `buf` from `offset`.
pub(crate) fn read_exact_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(buf, offset)
}

/// Splits the bytes of a record as delivered, `"key" : value`, into the key with its quotes and the value.
pub(crate) fn split_member(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let (key, rest) = split_key(raw)?;
    let value = rest
        .trim_ascii_start()
        .strip_prefix(b":")?
        .trim_ascii_start();
    Some((key, value))
}

/// Splits off the string that `raw` begins with, quotes included; `None` if it does not end.
pub(super) fn split_key(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut end = 1;
    loop {
        end += memchr2(b'"', b'\\', raw.get(end..)?)?;
        if raw[end] == b'"' {
            break;
        }
        end += 2;
    }
    raw.split_at_checked(end + 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::repodata::Event;

    #[test]
    fn every_delivered_record_can_be_read_again_in_any_order() {
        let json = br#"{"info":{},"packages" : {"a-1-0.tar.bz2" : {"x":[1]} , "b\"\\-1-0": { } },"v3":{"conda":{"c-1-0":{"y":"}"}}}}"#;
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, json).unwrap();
        let mut found = Vec::new();
        let mut scanner = Scanner::new(&json[..], Limits::default());
        while let Some(event) = scanner.next().unwrap() {
            if let Event::Record(entry) = event {
                let raw = &json[usize::try_from(entry.offset).unwrap()..]
                    [..usize::try_from(entry.len).unwrap()];
                assert_eq!(split_member(raw).unwrap(), (entry.key.raw, entry.json));
                found.push((
                    entry.offset,
                    Located {
                        key: entry.key.text.into(),
                        json: entry.json.into(),
                    },
                ));
            }
        }
        assert_eq!(found.len(), 3);
        assert_eq!(found[1].1.key, "b\"\\-1-0");
        for (offset, expected) in found.iter().rev() {
            assert_eq!(
                &read_at(&file, *offset, Limits::default()).unwrap(),
                expected
            );
        }
        assert!(read_at(&file, 0, Limits::default()).is_err());
        assert!(read_at(&file, 10_000, Limits::default()).is_err());
    }
}

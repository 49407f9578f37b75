//! Refuses a zip by what its end claims, before a reader of zips makes room for it.
//!
//! Only the 64-bit end record can count more than 65535 entries. It must be the plain one, right
//! before its locator, so that no other can be found in its place.

use std::io::{Read, Seek, SeekFrom};

use super::ExtractError;

/// Entries a `.conda` may have in its directory; a real one has three.
const ENTRIES: u64 = 1024;

/// The end record, its comment of up to 64 KiB, and what stands before it, rounded up.
const TAIL: u64 = (64 << 10) + 1024;

/// Bytes of the 64-bit end record, without the extension nobody writes.
const RECORD: usize = 56;
/// Where it holds the number of entries.
const RECORD_ENTRIES: usize = 32;

/// Bytes of the locator between that record and the end record proper.
const LOCATOR: usize = 20;
/// Where it holds the offset of the record.
const LOCATOR_OFFSET: usize = 8;

/// Reads the end of `package` and leaves it at its start.
pub(super) fn check(package: &mut (impl Read + Seek)) -> Result<(), ExtractError> {
    let (start, tail) = read_tail(package).map_err(ExtractError::unreadable)?;
    let ends = tail.windows(4).enumerate().skip(RECORD + LOCATOR);
    for (at, _) in ends.filter(|(_, signature)| signature == b"PK\x05\x06") {
        let (record, locator) = tail[at - LOCATOR - RECORD..at].split_at(RECORD);
        if !locator.starts_with(b"PK\x06\x07") {
            continue;
        }
        let place = start + (at - LOCATOR - RECORD) as u64;
        if number(locator, LOCATOR_OFFSET) != place {
            return Err(ExtractError::unreadable(
                "the zip's 64-bit end record is not right before its locator",
            ));
        }
        if number(record, RECORD_ENTRIES) > ENTRIES {
            return Err(ExtractError::TooMuch {
                what: "the number of entries in the zip",
                limit: ENTRIES,
                option: None,
            });
        }
    }
    Ok(())
}

fn read_tail(package: &mut (impl Read + Seek)) -> std::io::Result<(u64, Vec<u8>)> {
    let start = package.seek(SeekFrom::End(0))?.saturating_sub(TAIL);
    package.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    package.by_ref().take(TAIL).read_to_end(&mut tail)?;
    package.rewind()?;
    Ok((start, tail))
}

fn number(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}

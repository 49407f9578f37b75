//! The published index: upstream's, with only the records that are held.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom, Write};

use super::members::{members, object};
use super::survey::Survey;
use super::writer::Writer;
use super::{Entry, Event, Key, Limits, RepodataError, Scanner, Section, info};

/// What becomes of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Left out.
    Drop,
    /// Kept byte for byte.
    Keep,
    /// Kept, with this sha256 in place of none (some clients install nothing without).
    WithSha256([u8; 32]),
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rewritten {
    /// The records kept.
    pub records: u64,
    /// The records of mirrored sections that were left out, the unusable ones among them.
    pub dropped: u64,
    /// The records of sections that cannot be mirrored (wheels), all left out.
    pub not_mirrored: u64,
    /// The records kept, by section.
    pub sections: BTreeMap<Section, u64>,
}

/// The most bytes that [`Keep::WithSha256`] adds to a record: `,"sha256":"…"` has 76.
pub(crate) const MAX_ADDED: usize = 128;

/// Copies the index from `input` (from its current position) to `output` with only the records that `keep` wants; it is
/// asked by [`Entry::ordinal`], for mirrored sections only. Keep only what [`Record::parse`](super::Record::parse)
/// accepted: other records are copied unchecked.
///
/// Keys keep their order, and keys, records and unknown values their bytes; white space between them goes. Changed
/// are only: `info.base_url` (removed), `info.repodata_revisions.*` (counted anew, for which the input is read twice), the
/// sha256 asked for, and `packages` and `packages.conda`, which are added if absent.
///
/// # Errors
/// Of the input's content, of reading, of writing.
pub fn rewrite<I: Read + Seek>(
    input: &mut I,
    output: &mut impl Write,
    limits: Limits,
    keep: &dyn Fn(u64) -> Keep,
) -> Result<Rewritten, RepodataError> {
    let seek = |error| RepodataError::Read { offset: 0, error };
    let start = input.stream_position().map_err(seek)?;
    let survey = Survey::take(&mut *input, limits, keep)?;
    input.seek(SeekFrom::Start(start)).map_err(seek)?;

    let mut scanner = Scanner::new(input, limits);
    let mut writer = Writer::new(output);
    let mut rewritten = Rewritten::default();
    let mut missing = vec!["packages", "packages.conda"];
    writer.raw(b"{")?;
    while let Some(event) = scanner.next()? {
        match event {
            Event::Open { key, .. } => {
                if writer.depth() == 1 {
                    missing.retain(|name| *name != key.text);
                }
                writer.key(&key)?;
                writer.open()?;
            }
            Event::Close => writer.close()?,
            Event::Record(entry) => record(&entry, keep, &mut writer, &mut rewritten)?,
            // What was not read whole is not published.
            Event::Unusable { section, .. } if section.is_mirrored() => rewritten.dropped += 1,
            Event::Unusable { .. } => rewritten.not_mirrored += 1,
            Event::Value { key, json, offset } => {
                writer.key(&key)?;
                if writer.depth() == 1 && key.text == "info" {
                    let info = info::publish(json, survey.as_ref()).map_err(|error| {
                        RepodataError::Value {
                            key: "info".to_owned(),
                            offset,
                            error,
                        }
                    })?;
                    writer.raw(&info)?;
                } else {
                    writer.raw(json)?;
                }
            }
        }
    }
    for name in missing {
        writer.key(&Key {
            text: name,
            raw: format!("\"{name}\"").as_bytes(),
        })?;
        writer.raw(b"{}")?;
    }
    writer.raw(b"}")?;
    writer.flush()?;
    Ok(rewritten)
}

fn record(
    entry: &Entry<'_>,
    keep: &dyn Fn(u64) -> Keep,
    writer: &mut Writer<'_, impl Write>,
    rewritten: &mut Rewritten,
) -> Result<(), RepodataError> {
    if !entry.section.is_mirrored() {
        rewritten.not_mirrored += 1;
        return Ok(());
    }
    match keep(entry.ordinal) {
        Keep::Drop => {
            rewritten.dropped += 1;
            return Ok(());
        }
        Keep::Keep => {
            writer.key(&entry.key)?;
            writer.raw(entry.json)?;
        }
        Keep::WithSha256(sha256) => {
            let json = with_sha256(entry.json, sha256).map_err(|error| RepodataError::Value {
                key: entry.key.text.to_owned(),
                offset: entry.offset,
                error,
            })?;
            writer.key(&entry.key)?;
            writer.raw(&json)?;
        }
    }
    rewritten.records += 1;
    *rewritten.sections.entry(entry.section).or_default() += 1;
    Ok(())
}

/// The record with a sha256: added as its last field, or in place of the one it has (null, say).
fn with_sha256(json: &[u8], sha256: [u8; 32]) -> Result<Vec<u8>, serde_json::Error> {
    let value = format!("\"{}\"", hex::encode(sha256));
    let members = members(json)?;
    if members.iter().any(|(key, _)| key == "sha256") {
        let replaced: Vec<_> = members
            .into_iter()
            .map(|(key, raw)| {
                if key == "sha256" {
                    (key, value.clone())
                } else {
                    (key, raw.get().to_owned())
                }
            })
            .collect();
        return Ok(object(&replaced));
    }
    let body = json
        .strip_suffix(b"}")
        .expect("an object ends in a brace")
        .trim_ascii_end();
    let mut out = body.to_vec();
    if !members.is_empty() {
        out.push(b',');
    }
    out.extend_from_slice(format!("\"sha256\":{value}}}").as_bytes());
    Ok(out)
}

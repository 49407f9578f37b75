//! Records of our own beside those of an index: what `push-cache` added to a channel.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};

use super::writer::Writer;
use super::{Entry, Event, Key, Limits, RepodataError, Scanner, Section};
use crate::name::{ArchiveType, FileName};

/// Records to add, their JSON by file name. Each is one that [`Record::parse`](super::Record::parse) accepts.
pub type Added<'a> = BTreeMap<&'a FileName, &'a [u8]>;

/// Copies the index from `input` to `output` without the records that `without`, which sees each with its JSON, names, and with `added` at the
/// end of `packages` and `packages.conda`, in the order of their names. What is added replaces the input's records of the
/// same files, of whatever section. All else keeps its bytes; white space between goes, as do records over a limit.
///
/// # Errors
/// Of the input's content, of reading, of writing.
pub fn merge(
    input: &mut impl Read,
    output: &mut impl Write,
    limits: Limits,
    added: &Added<'_>,
    without: &mut dyn FnMut(&FileName, &[u8]) -> bool,
) -> Result<(), RepodataError> {
    let mut scanner = Scanner::new(input, limits);
    let mut writer = Writer::new(output);
    let mut missing = BTreeSet::from(["packages", "packages.conda"]);
    // The top-level section that is open.
    let mut open = None;
    writer.raw(b"{")?;
    while let Some(event) = scanner.next()? {
        match event {
            Event::Open { key, .. } => {
                if writer.depth() == 1 {
                    missing.remove(key.text);
                    open = Section::at_top(key.text);
                }
                writer.key(&key)?;
                writer.open()?;
            }
            Event::Close => {
                if writer.depth() == 2
                    && let Some(section) = open.take()
                {
                    write(added, section, &mut writer)?;
                }
                writer.close()?;
            }
            Event::Record(entry) => {
                if !is_replaced(&entry, added, without) {
                    writer.key(&entry.key)?;
                    writer.raw(entry.json)?;
                }
            }
            Event::Unusable { .. } => {}
            Event::Value { key, json, .. } => {
                writer.key(&key)?;
                writer.raw(json)?;
            }
        }
    }
    for name in missing {
        writer.key(&key_of(name, &format!("\"{name}\"")))?;
        writer.open()?;
        let section = Section::at_top(name).expect("both are sections of the top level");
        write(added, section, &mut writer)?;
        writer.close()?;
    }
    writer.raw(b"}")?;
    writer.flush()
}

fn is_replaced(
    entry: &Entry<'_>,
    added: &Added<'_>,
    without: &mut dyn FnMut(&FileName, &[u8]) -> bool,
) -> bool {
    let file = entry.section.file_name(entry.key.text);
    let Ok(Some(file)) = file else {
        return false;
    };
    without(&file, entry.json) || added.contains_key(&file)
}

/// The added records that belong into a section.
fn write(
    added: &Added<'_>,
    section: Section,
    writer: &mut Writer<'_, impl Write>,
) -> Result<(), RepodataError> {
    let archive = match section {
        Section::Packages => ArchiveType::TarBz2,
        Section::PackagesConda => ArchiveType::Conda,
        _ => return Ok(()),
    };
    for (file, json) in added.iter().filter(|(file, _)| file.archive() == archive) {
        let name = file.as_str();
        let raw = serde_json::to_string(name).expect("a string always has a JSON form");
        writer.key(&key_of(name, &raw))?;
        writer.raw(json)?;
    }
    Ok(())
}

fn key_of<'a>(text: &'a str, raw: &'a str) -> Key<'a> {
    Key {
        text,
        raw: raw.as_bytes(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const INDEX: &str = r#"{ "info": {"subdir": "linux-64", "base_url": "../x/"},
        "packages.conda": {"a-1-0.conda": {"size": 1}, "b-1-0.conda": {"size": 2}}, "more": [1, 2.50],
        "v3": {"conda": {"c-1-0": {"size": 3}, "d-1-0": {}}}, "packages.whl": {"w": {}}}"#;

    fn merged(index: &str, added: &[(&str, &str)], without: &[&str]) -> String {
        let files: Vec<(FileName, &str)> = added
            .iter()
            .map(|(file, json)| (file.parse().unwrap(), *json))
            .collect();
        let added = files
            .iter()
            .map(|(file, json)| (file, json.as_bytes()))
            .collect();
        let mut output = Vec::new();
        merge(
            &mut index.as_bytes(),
            &mut output,
            Limits::default(),
            &added,
            &mut |file, _| without.contains(&file.as_str()),
        )
        .unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn added_records_come_last_and_replace_namesakes_of_any_section() {
        let added = [
            ("z-1-0.tar.bz2", r#"{"n":1}"#),
            ("c-1-0.conda", r#"{"n":2}"#),
            ("a-1-0.conda", r#"{"n":3}"#),
        ];
        let whole = concat!(
            r#"{"info":{"subdir": "linux-64", "base_url": "../x/"},"#,
            r#""packages.conda":{"b-1-0.conda":{"size": 2},"a-1-0.conda":{"n":3},"c-1-0.conda":{"n":2}},"#,
            r#""more":[1, 2.50],"v3":{"conda":{"d-1-0":{}}},"packages.whl":{"w":{}},"#,
            r#""packages":{"z-1-0.tar.bz2":{"n":1}}}"#
        );
        assert_eq!(merged(INDEX, &added, &[]), whole);
        assert_eq!(
            merged(whole, &added, &[]),
            whole,
            "merged again it is the same"
        );
    }

    #[test]
    fn what_is_not_wanted_is_left_out_and_nothing_else() {
        let left = merged(INDEX, &[], &["b-1-0.conda", "d-1-0.conda", "w"]);
        assert!(!left.contains("b-1-0") && !left.contains("d-1-0"), "{left}");
        assert!(
            left.contains("a-1-0") && left.contains("c-1-0") && left.contains(r#""w":{}"#),
            "{left}"
        );
    }
}

//! An index as `serde_json` sees it: the same steps as the scanner's, found another way.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::repodata::{Event, Limits, RepodataError, Scanner};

/// One step through an index. Texts are JSON as it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    Open(String),
    Close,
    Record {
        /// Whether its section is one that can be published.
        mirrored: bool,
        key: String,
        json: String,
    },
    /// A record over a limit.
    Unusable {
        mirrored: bool,
    },
    Value {
        key: String,
        json: String,
    },
}

/// What `serde_json` sees; `None` if the text is no JSON object.
pub(super) fn parsed(text: &[u8], limits: Limits) -> Option<Vec<Seen>> {
    let mut seen = Vec::new();
    for (key, value) in members(text)? {
        let name: String = serde_json::from_str(key).ok()?;
        let object = value.starts_with('{');
        let revision = name
            .strip_prefix('v')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
        if object && (name == "packages" || name.starts_with("packages.")) {
            let mirrored = ["packages", "packages.conda"].contains(&&*name);
            section(key, value, mirrored, limits, &mut seen)?;
        } else if object && revision {
            seen.push(Seen::Open(key.to_owned()));
            for (key, value) in members(value.as_bytes())? {
                let bucket: String = serde_json::from_str(key).ok()?;
                let mirrored = name == "v3" && ["conda", "tar.bz2"].contains(&&*bucket);
                if value.starts_with('{') {
                    section(key, value, mirrored, limits, &mut seen)?;
                } else {
                    seen.push(other(key, value));
                }
            }
            seen.push(Seen::Close);
        } else {
            seen.push(other(key, value));
        }
    }
    Some(seen)
}

/// What the scanner delivers.
pub(super) fn scanned(
    input: impl std::io::Read,
    limits: Limits,
) -> Result<Vec<Seen>, RepodataError> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut scanner = Scanner::new(input, limits);
    let (mut seen, mut count) = (Vec::new(), 0);
    while let Some(event) = scanner.next()? {
        seen.push(match event {
            Event::Open { key, .. } => Seen::Open(text(key.raw)),
            Event::Close => Seen::Close,
            Event::Record(entry) => {
                assert_eq!(entry.ordinal, count);
                count += 1;
                Seen::Record {
                    mirrored: entry.section.is_mirrored(),
                    key: text(entry.key.raw),
                    json: text(entry.json),
                }
            }
            Event::Unusable {
                ordinal, section, ..
            } => {
                assert_eq!(ordinal, count);
                count += 1;
                let mirrored = section.is_mirrored();
                Seen::Unusable { mirrored }
            }
            Event::Value { key, json, .. } => other(&text(key.raw), &text(json)),
        });
    }
    Ok(seen)
}

fn section(
    key: &str,
    value: &str,
    mirrored: bool,
    limits: Limits,
    seen: &mut Vec<Seen>,
) -> Option<()> {
    seen.push(Seen::Open(key.to_owned()));
    for (key, json) in members(value.as_bytes())? {
        let over = key.len() - 2 > limits.max_key_bytes
            || json.len() > limits.max_record_bytes
            || between(key, json) > limits.max_record_bytes
            || depth(json) > limits.max_depth;
        seen.push(if over {
            Seen::Unusable { mirrored }
        } else {
            let (key, json) = (key.to_owned(), json.to_owned());
            Seen::Record {
                mirrored,
                key,
                json,
            }
        });
    }
    seen.push(Seen::Close);
    Some(())
}

/// The bytes of the colon and the white space around it.
fn between(key: &str, value: &str) -> usize {
    value.as_ptr().addr() - key.as_bytes().as_ptr_range().end.addr()
}

fn other(key: &str, json: &str) -> Seen {
    Seen::Value {
        key: key.to_owned(),
        json: json.to_owned(),
    }
}

/// How deep the brackets of valid JSON nest.
fn depth(json: &str) -> u32 {
    let (mut depth, mut deepest) = (0, 0);
    let mut characters = json.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => loop {
                match characters.next() {
                    Some('\\') => drop(characters.next()),
                    Some('"') | None => break,
                    Some(_) => {}
                }
            },
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The members of an object in their order, keys and values as they stand there.
fn members(json: &[u8]) -> Option<Vec<(&str, &str)>> {
    struct Members;

    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(&'de str, &'de str)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                members.push((key.get(), value.get()));
            }
            Ok(members)
        }
    }

    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let members = deserializer.deserialize_map(Members).ok()?;
    deserializer.end().ok()?;
    Some(members)
}

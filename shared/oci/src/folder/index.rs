//! What an `index.json` says: which manifest each tag points to.
//!
//! Entries and keys that are not ours are kept as they were written, to the byte.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::digest::Digest;

const MEDIA_TYPE: &str = "application/vnd.oci.image.index.v1+json";
/// The annotation that holds a tag, after the OCI image layout specification.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// A parsed `index.json`. Entries are sorted by tag, those without one last.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    entries: Vec<Arc<Entry>>,
    /// Other keys of the top level, as written.
    more: BTreeMap<String, Box<RawValue>>,
}

#[derive(Debug)]
struct Entry {
    tag: Option<Box<str>>,
    /// `None` for algorithms other than sha256.
    digest: Option<Digest>,
    /// The descriptor as written.
    raw: Box<str>,
}

/// A manifest and the tag that is to point to it.
#[derive(Debug, Clone)]
pub(super) struct Tagged {
    pub(super) tag: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) media_type: String,
}

impl Index {
    /// Reads an `index.json`; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut top: BTreeMap<String, &RawValue> =
            serde_json::from_str(text).map_err(|error| error.to_string())?;
        let version = top.remove("schemaVersion").map_or("missing", RawValue::get);
        if version != "2" {
            return Err(format!("schemaVersion is {}, not 2", shortened(version)));
        }
        let media_type = top.remove("mediaType").map(RawValue::get);
        if media_type.is_some_and(|written| {
            serde_json::from_str::<String>(written).is_ok_and(|m| m != MEDIA_TYPE)
        }) {
            return Err(format!(
                "its media type is {}",
                media_type.map_or("", shortened)
            ));
        }
        let manifests = top.remove("manifests").map_or("null", RawValue::get);
        let manifests: Option<Vec<&RawValue>> =
            serde_json::from_str(manifests).map_err(|error| format!("manifests: {error}"))?;
        let entries = manifests.unwrap_or_default().into_iter().map(Entry::parse);
        let mut index = Self {
            entries: entries.collect::<Result<_, _>>()?,
            more: top
                .into_iter()
                .map(|(key, value)| (key, value.to_owned()))
                .collect(),
        };
        index.sort();
        Ok(index)
    }

    /// The same with each tag moved to its manifest, the last of equal tags winning; `None` if that
    /// changes nothing.
    pub(super) fn moved(&self, tagged: &[Tagged]) -> Option<Self> {
        let moves: HashMap<&str, &Tagged> = tagged
            .iter()
            .map(|tagged| (tagged.tag.as_str(), tagged))
            .collect();
        let in_place = |moved: &&Tagged| {
            let [entry] = self.at(&moved.tag) else {
                return false;
            };
            entry.digest == Some(moved.digest)
        };
        if moves.values().all(in_place) {
            return None;
        }
        let stays = |entry: &&Arc<Entry>| {
            entry
                .tag
                .as_deref()
                .is_none_or(|tag| !moves.contains_key(tag))
        };
        let mut entries: Vec<_> = self.entries.iter().filter(stays).cloned().collect();
        entries.extend(moves.values().map(|moved| Arc::new(Entry::of(moved))));
        let mut index = Self {
            entries,
            more: self.more.clone(),
        };
        index.sort();
        Some(index)
    }

    /// The manifest a tag points to; the last where a foreign index has several.
    pub(super) fn digest(&self, tag: &str) -> Option<Digest> {
        self.at(tag).last()?.digest
    }

    /// All tags, sorted.
    pub(super) fn tags(&self) -> Vec<String> {
        let mut tags: Vec<_> = self
            .entries
            .iter()
            .filter_map(|entry| entry.tag.as_deref())
            .collect();
        tags.dedup();
        tags.into_iter().map(str::to_owned).collect()
    }

    /// The text of an `index.json`.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::with_capacity(self.weight() + 128);
        text.push_str(r#"{"schemaVersion":2,"mediaType":""#);
        text.push_str(MEDIA_TYPE);
        text.push_str(r#"","manifests":["#);
        for (nth, entry) in self.entries.iter().enumerate() {
            if nth > 0 {
                text.push(',');
            }
            text.push_str(&entry.raw);
        }
        text.push(']');
        for (key, value) in &self.more {
            text.push(',');
            text.push_str(&serde_json::Value::from(key.as_str()).to_string());
            text.push(':');
            text.push_str(value.get());
        }
        text.push('}');
        text
    }

    /// About its size as text, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.entries.iter().map(|entry| entry.raw.len() + 1).sum()
    }

    fn at(&self, tag: &str) -> &[Arc<Entry>] {
        let key = Some(tag);
        let start = self
            .entries
            .partition_point(|entry| order(entry) < (false, key));
        let len = self.entries[start..].partition_point(|entry| entry.tag.as_deref() == key);
        &self.entries[start..start + len]
    }

    /// Stable, so that foreign entries without a tag stay in their order.
    fn sort(&mut self) {
        self.entries.sort_by(|a, b| order(a).cmp(&order(b)));
    }
}

fn order(entry: &Entry) -> (bool, Option<&str>) {
    (entry.tag.is_none(), entry.tag.as_deref())
}

impl Entry {
    fn parse(raw: &RawValue) -> Result<Arc<Self>, String> {
        #[derive(Deserialize)]
        struct Descriptor {
            digest: String,
            annotations: Option<Annotations>,
        }
        #[derive(Deserialize)]
        struct Annotations {
            #[serde(rename = "org.opencontainers.image.ref.name")]
            ref_name: Option<Box<str>>,
        }
        let read: Descriptor = serde_json::from_str(raw.get())
            .map_err(|error| format!("manifests: {}: {error}", shortened(raw.get())))?;
        Ok(Arc::new(Self {
            tag: read
                .annotations
                .and_then(|annotations| annotations.ref_name),
            digest: read.digest.parse().ok(),
            raw: raw.get().into(),
        }))
    }

    fn of(tagged: &Tagged) -> Self {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Descriptor<'a> {
            media_type: &'a str,
            digest: Digest,
            size: u64,
            annotations: BTreeMap<&'a str, &'a str>,
        }
        let written = serde_json::to_string(&Descriptor {
            media_type: &tagged.media_type,
            digest: tagged.digest,
            size: tagged.size,
            annotations: BTreeMap::from([(REF_NAME, tagged.tag.as_str())]),
        });
        Self {
            tag: Some(tagged.tag.as_str().into()),
            digest: Some(tagged.digest),
            raw: written
                .expect("strings and numbers always serialize")
                .into(),
        }
    }
}

/// Enough of a foreign text to recognise it by.
fn shortened(text: &str) -> &str {
    let end = text
        .char_indices()
        .nth(120)
        .map_or(text.len(), |(end, _)| end);
    &text[..end]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tagged(tag: &str, content: &str) -> Tagged {
        Tagged {
            tag: tag.to_owned(),
            digest: Digest::of(content.as_bytes()),
            size: content.len() as u64,
            media_type: "m".to_owned(),
        }
    }

    #[test]
    fn an_index_is_written_as_the_specification_has_it() {
        let index = Index::default()
            .moved(&[tagged("b", ""), tagged("a", "{}")])
            .unwrap();
        assert_eq!(
            index.to_text(),
            format!(
                concat!(
                    r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":["#,
                    r#"{{"mediaType":"m","digest":"{a}","size":2,"annotations":{{"org.opencontainers.image.ref.name":"a"}}}},"#,
                    r#"{{"mediaType":"m","digest":"{b}","size":0,"annotations":{{"org.opencontainers.image.ref.name":"b"}}}}]}}"#
                ),
                a = Digest::of(b"{}"),
                b = Digest::of(b""),
            )
        );
    }

    #[test]
    fn a_tag_moves_and_a_move_to_where_it_is_changes_nothing() {
        let index = Index::default()
            .moved(&[tagged("t", "1"), tagged("t", "2"), tagged("u", "3")])
            .unwrap();
        assert_eq!(index.digest("t"), Some(Digest::of(b"2")));
        assert!(index.moved(&[tagged("t", "2")]).is_none());
        let index = index.moved(&[tagged("t", "4")]).unwrap();
        assert_eq!(index.digest("t"), Some(Digest::of(b"4")));
        assert_eq!(index.tags(), ["t", "u"]);
        let read = Index::parse(&index.to_text()).unwrap();
        assert_eq!(read.to_text(), index.to_text());
    }

    #[test]
    fn what_others_wrote_is_kept_to_the_byte() {
        let untagged = r#"{ "digest": "sha512:00", "x": [1,  2] }"#;
        let other = format!(
            r#"{{"digest":"{}","annotations":{{"z":"1","org.opencontainers.image.ref.name":"v1"}},"platform":{{}}}}"#,
            Digest::of(b"o")
        );
        let text = format!(
            r#"{{"annotations":{{"who": "us"}},"manifests":[{untagged},{other}],"schemaVersion":2}}"#
        );
        let index = Index::parse(&text)
            .unwrap()
            .moved(&[tagged("a", "a")])
            .unwrap();
        let written = index.to_text();
        for kept in [untagged, &other, r#""annotations":{"who": "us"}"#] {
            assert!(written.contains(kept), "{kept} in {written}");
        }
        assert_eq!(Index::parse(&written).unwrap().tags(), ["a", "v1"]);
        let moved = index.moved(&[tagged("v1", "new")]).unwrap().to_text();
        assert!(
            !moved.contains(&other) && moved.contains(untagged),
            "{moved}"
        );
    }

    #[test]
    fn what_is_no_index_is_refused_and_go_style_nulls_are_not() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"schemaVersion":1}"#,
            r#"{"schemaVersion":2,"manifests":{}}"#,
            r#"{"schemaVersion":2,"manifests":[{}]}"#,
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#,
        ] {
            assert!(Index::parse(text).is_err(), "{text}");
        }
        assert!(
            Index::parse(r#"{"schemaVersion":2,"manifests":null}"#)
                .unwrap()
                .tags()
                .is_empty()
        );
    }
}

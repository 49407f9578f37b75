//! Image manifests as the v0 layout has them: written canonically, read tolerantly.
//!
//! Keys are sorted, nothing optional is written (no `artifactType`, no `subject`: readers in the
//! field refuse keys they do not know), and there is no clock, so equal content has an equal digest.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;
use crate::layout;

/// Largest manifest read or written, in bytes; what every registry takes (zot, distribution: 4 MiB).
pub const MAX_MANIFEST: usize = 4 * 1024 * 1024;

/// Annotation with a layer's file name.
pub const TITLE: &str = "org.opencontainers.image.title";
/// Annotation with a package's md5, hex. Where the channel's record has a sha256 as well, which then vouches for the
/// bytes, it is the record's md5 and not computed again.
pub const MD5: &str = "org.conda.md5";
/// Annotation with the time the package was built, `%Y.%m.%d.%H.%M` UTC.
pub const CREATION_TIME: &str = "creationTime";

/// A manifest, its keys in canonical (sorted) order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Annotations of the whole.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null_is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
    /// The config blob.
    pub config: Descriptor,
    /// The content.
    pub layers: Vec<Descriptor>,
    /// [`layout::MANIFEST`]; absent in some foreign manifests.
    #[serde(default)]
    pub media_type: String,
    /// Always 2.
    pub schema_version: u32,
}

/// A blob as a manifest names it, its keys in canonical (sorted) order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Annotations of the blob.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null_is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A manifest that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("not an image manifest we can read: {0}")]
pub struct NotAManifest(#[from] serde_json::Error);

impl Manifest {
    /// A manifest over `layers` with the layout's config.
    #[must_use]
    pub fn new(layers: Vec<Descriptor>, annotations: BTreeMap<String, String>) -> Self {
        Self {
            annotations,
            config: config(),
            layers,
            media_type: layout::MANIFEST.to_owned(),
            schema_version: 2,
        }
    }

    /// The same with more annotations; those it has already stay as they are.
    #[must_use]
    pub fn annotated(mut self, more: &BTreeMap<String, String>) -> Self {
        for (key, value) in more {
            let annotations = &mut self.annotations;
            annotations
                .entry(key.clone())
                .or_insert_with(|| value.clone());
        }
        self
    }

    /// The bytes a registry stores; their digest is the manifest's.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self)
            .expect("strings, numbers and string maps always serialize")
            .into()
    }

    /// Reads a manifest, ours or a foreign one.
    ///
    /// # Errors
    /// When it is not JSON of this shape, or names a blob by something else than sha256.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotAManifest> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The first layer of a media type. `+zstd` counts as `+zst`: older mirrors wrote both.
    #[must_use]
    pub fn layer(&self, media_type: &str) -> Option<&Descriptor> {
        let same = |written: &str| {
            written == media_type
                || written.strip_suffix('d') == Some(media_type) && media_type.ends_with("+zst")
        };
        self.layers.iter().find(|layer| same(&layer.media_type))
    }
}

impl Descriptor {
    /// A layer with a title.
    #[must_use]
    pub fn titled(media_type: &str, digest: Digest, size: u64, title: impl Into<String>) -> Self {
        Self {
            annotations: BTreeMap::from([(TITLE.to_owned(), title.into())]),
            digest,
            media_type: media_type.to_owned(),
            size,
        }
    }

    /// The same with one more annotation, if there is a value for it.
    #[must_use]
    pub fn annotated(mut self, key: &str, value: Option<String>) -> Self {
        if let Some(value) = value {
            self.annotations.insert(key.to_owned(), value);
        }
        self
    }

    /// The md5 annotation, if it is one.
    #[must_use]
    pub fn md5(&self) -> Option<[u8; 16]> {
        let mut md5 = [0; 16];
        hex::decode_to_slice(self.annotations.get(MD5)?, &mut md5).ok()?;
        Some(md5)
    }
}

/// The descriptor of the config blob `{}`.
#[must_use]
pub fn config() -> Descriptor {
    Descriptor {
        annotations: BTreeMap::new(),
        digest: Digest::of(layout::CONFIG_BYTES),
        media_type: layout::CONFIG.to_owned(),
        size: layout::CONFIG_BYTES.len() as u64,
    }
}

fn null_is_empty<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_manifest_is_canonical_and_round_trips() {
        let layer = Descriptor::titled(layout::INFO, Digest::of(b"x"), 1, "t").annotated(MD5, None);
        let manifest = Manifest::new(vec![layer], BTreeMap::new());
        let bytes = manifest.to_bytes();
        let text = std::str::from_utf8(&bytes).unwrap();
        assert!(text.starts_with(r#"{"config":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","mediaType":"application/vnd.unknown.config.v1+json","size":2},"layers":[{"annotations":{"#));
        assert!(text.ends_with(
            r#""mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}"#
        ));
        assert_eq!(Manifest::from_bytes(&bytes).unwrap(), manifest);
    }

    proptest::proptest! {
        /// A manifest may be anybody's.
        #[test]
        fn what_can_be_read_is_written_and_read_the_same(
            start in proptest::collection::vec(proptest::num::u8::ANY, 0..64),
            cut in 0..400_usize,
            with in proptest::num::u8::ANY,
        ) {
            let layer = Descriptor::titled(layout::INFO, Digest::of(b"x"), 1, "t");
            let mut ours = Manifest::new(vec![layer], BTreeMap::new()).to_bytes().to_vec();
            let at = cut % ours.len();
            ours[at] = with;
            for bytes in [&start[..], &ours, &ours[..at]] {
                if let Ok(read) = Manifest::from_bytes(bytes) {
                    let again = Manifest::from_bytes(&read.to_bytes());
                    proptest::prop_assert_eq!(again.ok(), Some(read));
                }
            }
        }
    }

    #[test]
    fn a_foreign_manifest_with_nulls_and_more_keys_is_read() {
        let text = format!(
            r#"{{"schemaVersion":2,"annotations":null,"x":1,"config":{{"mediaType":"c","size":0,"digest":"{d}","annotations":null}},
               "layers":[{{"mediaType":"application/vnd.conda.repodata.shards.v1+msgpack+zstd","size":1,"digest":"{d}","urls":[]}}]}}"#,
            d = Digest::of(b"")
        );
        let manifest = Manifest::from_bytes(text.as_bytes()).unwrap();
        assert!(manifest.layer(layout::SHARD_INDEX).is_some());
        assert!(manifest.layer(layout::SHARD).is_none());
    }
}

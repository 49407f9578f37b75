//! The manifest of one build, decided from data alone: what was transferred, what the tag already
//! has, what upstream lists.

use mirror_channel::name::{ArchiveType, FileName};

use crate::digest::Digest;
use crate::layout;
use crate::manifest::{CREATION_TIME, Descriptor, MD5, Manifest, TITLE};

/// A file as upstream's record describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub file: FileName,
    /// Its sha256, unless the record has only an md5.
    pub sha256: Option<[u8; 32]>,
    /// Its md5.
    pub md5: Option<[u8; 16]>,
    /// Its size in bytes.
    pub size: Option<u64>,
}

impl Wanted {
    /// The layer of `manifest` that is this very file: same media type and sha256, or md5 and size
    /// where the record has no sha256.
    ///
    /// Of a record with no hash at all this is the layer that may be the file: same media type, and
    /// the same size if the record has one. The tag is the file name's, so more cannot be known;
    /// whether that is enough is up to the caller (see [`Wanted::has_hash`]).
    #[must_use]
    pub fn layer_in<'m>(&self, manifest: &'m Manifest) -> Option<&'m Descriptor> {
        let layer = manifest.layer(layout::package_media_type(self.file.archive()))?;
        let same_size = self.size.is_none_or(|size| size == layer.size);
        let same_hash = match (self.sha256, self.md5) {
            (Some(sha256), _) => layer.digest.sha256() == sha256,
            (None, Some(md5)) => layer.md5() == Some(md5) && self.size.is_some(),
            (None, None) => true,
        };
        (same_hash && same_size).then_some(layer)
    }

    /// Whether anything can vouch for the file's bytes.
    #[must_use]
    pub fn has_hash(&self) -> bool {
        self.sha256.is_some() || self.md5.is_some()
    }
}

/// The two layers taken out of a package's `info/` folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfoLayers {
    /// `info/` as tar.gz.
    pub archive: Descriptor,
    /// `info/index.json`.
    pub index: Descriptor,
}

impl InfoLayers {
    /// The layers of the build `stem` (`name-version-build`).
    #[must_use]
    pub fn new(
        stem: &str,
        archive: (Digest, u64),
        index: (Digest, u64),
        created: Option<String>,
    ) -> Self {
        let layer = |media_type, (digest, size), title: String| {
            Descriptor::titled(media_type, digest, size, title)
                .annotated(CREATION_TIME, created.clone())
        };
        let (archive_title, index_title) = info_titles(stem);
        Self {
            archive: layer(layout::INFO, archive, archive_title),
            index: layer(layout::INFO_INDEX, index, index_title),
        }
    }

    /// Those that a manifest names, if it names both.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Option<Self> {
        Some(Self {
            archive: manifest.layer(layout::INFO)?.clone(),
            index: manifest.layer(layout::INFO_INDEX)?.clone(),
        })
    }

    /// The same under the titles that they have in the build `stem`.
    fn titled(self, stem: &str) -> Self {
        let (archive, index) = info_titles(stem);
        Self {
            archive: self.archive.annotated(TITLE, Some(archive)),
            index: self.index.annotated(TITLE, Some(index)),
        }
    }
}

/// The titles of the info layers of the build `stem`.
fn info_titles(stem: &str) -> (String, String) {
    (
        format!("{stem}/info.tar.gz"),
        format!("{stem}/info/index.json"),
    )
}

/// A package layer.
#[must_use]
pub fn package_layer(
    file: &FileName,
    digest: Digest,
    size: u64,
    md5: [u8; 16],
    created: Option<String>,
) -> Descriptor {
    Descriptor::titled(
        layout::package_media_type(file.archive()),
        digest,
        size,
        file.as_str(),
    )
    .annotated(MD5, Some(hex::encode(md5)))
    .annotated(CREATION_TIME, created)
}

/// A file that was transferred just now.
#[derive(Debug, Clone)]
pub struct Transferred {
    /// Which format it is.
    pub archive: ArchiveType,
    /// Its layer.
    pub layer: Descriptor,
    /// Its info layers.
    pub info: InfoLayers,
}

/// The manifest of a build: the files transferred, the files the tag has already with the wanted
/// hash, and formats that the tag has and upstream no longer lists.
///
/// `listed` is everything upstream has for the build; `existing` the manifest at the tag, if it was
/// probed. `info` comes once, from the `.conda` if there is one. What is kept gets the titles of this build: some clients
/// write files by them, and whoever wrote them before may be anybody. `None` when there is no file to name.
#[must_use]
pub fn assemble(
    listed: &[Wanted],
    transferred: &[Transferred],
    existing: Option<&Manifest>,
) -> Option<Manifest> {
    let stem = listed.first().map(|wanted| wanted.file.stem());
    let new = |archive| transferred.iter().find(|file| file.archive == archive);
    let kept = |archive| {
        let existing = existing?;
        match listed
            .iter()
            .find(|wanted| wanted.file.archive() == archive)
        {
            Some(wanted) => wanted.layer_in(existing),
            None => existing.layer(layout::package_media_type(archive)),
        }
    };
    let layer = |archive| match new(archive) {
        Some(file) => Some(file.layer.clone()),
        None => kept(archive).map(|layer| {
            let title = stem.map(|stem| format!("{stem}.{}", archive.extension()));
            layer.clone().annotated(TITLE, title)
        }),
    };
    let conda = layer(ArchiveType::Conda);
    let tar_bz2 = layer(ArchiveType::TarBz2);

    let existing_info = || {
        let info = existing.and_then(InfoLayers::of)?;
        Some(match stem {
            Some(stem) => info.titled(stem),
            None => info,
        })
    };
    let info = match (new(ArchiveType::Conda), &conda, new(ArchiveType::TarBz2)) {
        (Some(file), _, _) => Some(file.info.clone()),
        // A kept .conda: the tag's info came from it when it was pushed.
        (None, Some(_), Some(file)) => existing_info().or_else(|| Some(file.info.clone())),
        (None, None, Some(file)) => Some(file.info.clone()),
        (None, _, None) => existing_info(),
    };

    let (first, other) = match (conda, tar_bz2) {
        (Some(conda), other) => (conda, other),
        (None, Some(tar_bz2)) => (tar_bz2, None),
        (None, None) => return None,
    };
    let mut layers = vec![first];
    layers.extend(info.into_iter().flat_map(|info| [info.archive, info.index]));
    layers.extend(other);
    Some(Manifest::new(layers, std::collections::BTreeMap::new()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wanted(file: &str, content: &[u8]) -> Wanted {
        Wanted {
            file: file.parse().unwrap(),
            sha256: Some(Digest::of(content).sha256()),
            md5: None,
            size: Some(content.len() as u64),
        }
    }

    fn transferred(file: &str, content: &[u8]) -> Transferred {
        let file: FileName = file.parse().unwrap();
        let blob = (Digest::of(content), content.len() as u64);
        let info = (Digest::of(file.as_str().as_bytes()), 9);
        Transferred {
            archive: file.archive(),
            layer: package_layer(&file, blob.0, blob.1, [7; 16], None),
            info: InfoLayers::new(file.stem(), info, info, None),
        }
    }

    fn titles(manifest: &Manifest) -> Vec<&str> {
        manifest
            .layers
            .iter()
            .map(|l| l.annotations[crate::manifest::TITLE].as_str())
            .collect()
    }

    const CONDA: &str = "a-1-0.conda";
    const TAR: &str = "a-1-0.tar.bz2";

    #[test]
    fn both_formats_share_a_manifest_with_the_info_of_the_conda() {
        let listed = [wanted(CONDA, b"c"), wanted(TAR, b"t")];
        let both = [transferred(TAR, b"t"), transferred(CONDA, b"c")];
        let manifest = assemble(&listed, &both, None).unwrap();
        assert_eq!(
            titles(&manifest),
            [CONDA, "a-1-0/info.tar.gz", "a-1-0/info/index.json", TAR]
        );
        assert_eq!(manifest.layers[1], both[1].info.archive);
    }

    #[test]
    fn pushing_the_formats_one_after_the_other_ends_at_the_same_manifest() {
        let listed = [wanted(CONDA, b"c"), wanted(TAR, b"t")];
        let (conda, tar) = ([transferred(CONDA, b"c")], [transferred(TAR, b"t")]);
        let at_once = assemble(&listed, &[conda[0].clone(), tar[0].clone()], None).unwrap();
        for (first, second) in [(&conda, &tar), (&tar, &conda)] {
            let step = assemble(&listed, first, None).unwrap();
            assert_eq!(assemble(&listed, second, Some(&step)).unwrap(), at_once);
        }
    }

    #[test]
    fn a_listed_format_with_another_hash_is_dropped_and_an_unlisted_one_is_kept() {
        let old = assemble(
            &[],
            &[transferred(CONDA, b"c"), transferred(TAR, b"old")],
            None,
        )
        .unwrap();
        let listed = [wanted(CONDA, b"new"), wanted(TAR, b"t")];
        let manifest = assemble(&listed, &[transferred(CONDA, b"new")], Some(&old)).unwrap();
        assert_eq!(manifest.layers.len(), 3);
        let manifest = assemble(&listed[..1], &[transferred(CONDA, b"new")], Some(&old)).unwrap();
        assert_eq!(titles(&manifest)[3], TAR);
    }

    #[test]
    fn an_md5_only_record_is_recognised_by_md5_and_size() {
        let held = assemble(&[], &[transferred(CONDA, b"c")], None).unwrap();
        let mut record = wanted(CONDA, b"c");
        record.sha256 = None;
        record.md5 = Some([7; 16]);
        assert!(record.layer_in(&held).is_some());
        record.size = Some(2);
        assert!(record.layer_in(&held).is_none());
    }

    #[test]
    fn a_record_without_a_hash_finds_the_layer_of_its_format_and_size() {
        let held = assemble(&[], &[transferred(CONDA, b"c")], None).unwrap();
        let mut record = wanted(CONDA, b"other");
        record.sha256 = None;
        assert!(!record.has_hash());
        assert!(record.layer_in(&held).is_none(), "another size");
        for size in [Some(1), None] {
            record.size = size;
            assert!(record.layer_in(&held).is_some());
        }
        record.file = TAR.parse().unwrap();
        assert!(record.layer_in(&held).is_none(), "another format");
    }
}

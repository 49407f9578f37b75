//! A manifest, whoever wrote it, and what a worker decides from it.
//!
//! - What can be read is written and read the same, in the same bytes each time.
//! - A layer is held to be a file only if it has the file's media type, and its hash where the record has one.
//! - Each file of a task gets one step, `.conda` first.
//! - The manifest of a build names only files of that build, with the wanted hashes, under titles that are their file
//!   names: no title of a stranger goes on, and none leaves a folder.

use std::path::{Component, Path};

use mirror_channel::name::ArchiveType;
use mirror_oci::Digest;
use mirror_oci::layout::{self, package_media_type};
use mirror_oci::manifest::{Descriptor, Manifest, TITLE};
use mirror_oci::package::{InfoLayers, Transferred, Wanted, assemble, package_layer};
use mirror_queue::Action;
use mirror_worker::steps::{Asked, Step, steps};

/// The content of the `.conda` that is wanted.
pub const CONDA: &[u8] = b"c";
/// The md5 of the `.tar.bz2` that is wanted, of one byte.
pub const MD5: [u8; 16] = [7; 16];
/// The build.
pub const STEM: &str = "a-1-0";

/// `data` is the manifest.
pub fn check(data: &[u8]) {
    let Ok(manifest) = Manifest::from_bytes(data) else {
        return;
    };
    let bytes = manifest.to_bytes();
    let again = Manifest::from_bytes(&bytes).expect("what was written is read");
    assert_eq!(again, manifest);
    assert_eq!(again.to_bytes(), bytes);

    for action in [Action::Transfer, Action::Keep, Action::Check] {
        for allow_unverified in [false, true] {
            stepped(&manifest, action, allow_unverified);
        }
    }
    for transferred in [
        vec![],
        vec![conda()],
        vec![tar_bz2()],
        vec![conda(), tar_bz2()],
    ] {
        for listed in [
            vec![by_sha256()],
            vec![by_md5()],
            vec![by_sha256(), by_md5()],
        ] {
            assembled(&manifest, &listed, &transferred);
        }
    }
}

fn wanted(archive: ArchiveType) -> Wanted {
    Wanted {
        file: format!("{STEM}.{}", archive.extension()).parse().unwrap(),
        sha256: None,
        md5: None,
        size: Some(1),
    }
}

fn by_sha256() -> Wanted {
    Wanted {
        sha256: Some(Digest::of(CONDA).sha256()),
        ..wanted(ArchiveType::Conda)
    }
}

fn by_md5() -> Wanted {
    Wanted {
        md5: Some(MD5),
        ..wanted(ArchiveType::TarBz2)
    }
}

fn brought(wanted: Wanted, digest: Digest) -> Transferred {
    let blob = (Digest::of(b"info"), 4);
    Transferred {
        archive: wanted.file.archive(),
        layer: package_layer(&wanted.file, digest, 1, MD5, None),
        info: InfoLayers::new(STEM, blob, blob, None),
    }
}

fn conda() -> Transferred {
    brought(by_sha256(), Digest::of(CONDA))
}

fn tar_bz2() -> Transferred {
    brought(by_md5(), Digest::of(b"t"))
}

/// Whether a layer may be taken for a file whose record has a hash.
fn is(layer: &Descriptor, wanted: &Wanted) -> bool {
    let same_bytes = match (wanted.sha256, wanted.md5) {
        (Some(sha256), _) => layer.digest == Digest::from_sha256(sha256),
        (None, Some(md5)) => {
            let written = layer.annotations.get("org.conda.md5");
            written.map(|hex| hex.to_ascii_lowercase()) == Some(hex::encode(md5))
        }
        (None, None) => true,
    };
    let size = wanted.size.is_none_or(|size| size == layer.size);
    layer.media_type == package_media_type(wanted.file.archive()) && same_bytes && size
}

fn stepped(manifest: &Manifest, action: Action, allow_unverified: bool) {
    let asked = |wanted: Wanted, known_sha256| Asked {
        wanted,
        action,
        known_sha256,
    };
    let known = Digest::of(b"known").sha256();
    let files = [
        asked(by_md5(), None),
        asked(by_sha256(), None),
        asked(wanted(ArchiveType::Conda), None),
        asked(wanted(ArchiveType::TarBz2), Some(known)),
    ];
    let steps = steps(&files, Some(manifest), allow_unverified);
    assert_eq!(steps.len(), files.len());
    assert!(steps.is_sorted_by_key(|step| step.wanted().file.archive() != ArchiveType::Conda));
    for step in &steps {
        let file = files.iter().find(|file| file.wanted == *step.wanted());
        let file = file.expect("a step is about a file of the task");
        let hashed = file.wanted.has_hash();
        match step {
            Step::Held(wanted, layer) => {
                assert!(
                    manifest.layers.contains(layer) && is(layer, wanted),
                    "{step:?}"
                );
                let known = file.known_sha256 == Some(layer.digest.sha256());
                assert!(hashed || allow_unverified || known || action == Action::Keep);
            }
            Step::Absent(_) => assert_eq!(action, Action::Check),
            Step::Fetch(_) => assert!(hashed || allow_unverified),
            Step::Refused(_) => assert!(!hashed && !allow_unverified),
        }
    }
}

fn assembled(existing: &Manifest, listed: &[Wanted], transferred: &[Transferred]) {
    let Some(made) = assemble(listed, transferred, Some(existing)) else {
        assert!(transferred.is_empty());
        return;
    };
    assert_eq!(Manifest::from_bytes(&made.to_bytes()).unwrap(), made);
    let mut packages = 0;
    for layer in &made.layers {
        let title = layer
            .annotations
            .get(TITLE)
            .expect("every layer has a title");
        let archive = match layer.media_type.as_str() {
            layout::PACKAGE_CONDA => ArchiveType::Conda,
            layout::PACKAGE_TAR_BZ2 => ArchiveType::TarBz2,
            layout::INFO => {
                assert_eq!(*title, format!("{STEM}/info.tar.gz"));
                continue;
            }
            layout::INFO_INDEX => {
                assert_eq!(*title, format!("{STEM}/info/index.json"));
                continue;
            }
            other => panic!("a layer {other}"),
        };
        packages += 1;
        assert_eq!(*title, format!("{STEM}.{}", archive.extension()));
        let new = transferred.iter().find(|file| file.archive == archive);
        let wanted = listed.iter().find(|file| file.file.archive() == archive);
        match (new, wanted) {
            (Some(new), _) => assert_eq!(layer, &new.layer),
            (None, Some(wanted)) => assert!(is(layer, wanted), "{layer:?}"),
            (None, None) => assert!(existing.layers.iter().any(|old| old.digest == layer.digest)),
        }
        let inside = Path::new(title).components();
        assert!(
            inside
                .into_iter()
                .all(|part| matches!(part, Component::Normal(_)))
        );
    }
    assert!((1..=2).contains(&packages));
    let media_types = made.layers.iter().map(|layer| &*layer.media_type);
    let unique: std::collections::BTreeSet<&str> = media_types.collect();
    assert_eq!(unique.len(), made.layers.len(), "one layer of each kind");
}

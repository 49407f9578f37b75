//! The seed corpus, which holds every input that ever broke a promise.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mirror_hostile::BODIES;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The seeds of a body, in the order of their names.
pub(crate) fn of(body: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = fuzz().join("corpus-seeds").join(body);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut seeds: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            (path, bytes)
        })
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{body} has no seeds");
    seeds
}

#[test]
fn every_seed_keeps_the_promises_of_its_body() {
    let mut broken = Vec::new();
    for body in BODIES {
        for (path, bytes) in of(body.name) {
            if std::panic::catch_unwind(|| (body.check)(&bytes)).is_err() {
                broken.push(path);
            }
        }
    }
    assert!(broken.is_empty(), "{broken:?}");
}

#[test]
fn every_body_has_a_fuzz_target_and_every_target_a_body() {
    let bodies: BTreeSet<String> = BODIES.map(|body| body.name.to_owned()).into();
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(fuzz().join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("corpus-seeds"), bodies);
    assert_eq!(names("fuzz_targets"), bodies);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in bodies {
        assert!(
            manifest.contains(&format!("\nname = \"{name}\"\n")),
            "{name}"
        );
    }
}

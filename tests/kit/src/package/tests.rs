//! The made packages are judged by the reader that real clients use.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use rattler_conda_types::{
    PackageRecord, RepodataRevision,
    package::{AboutJson, IndexJson, PackageFile, PathType, PathsJson},
};
use rattler_digest::{Sha256, compute_file_digest};
use rattler_package_streaming::fs::extract;

use super::*;

fn spec() -> PackageSpec {
    PackageSpec::new("zlib", "1.3.1", "h0_1")
        .depends("libgcc >=13")
        .payload(10_000, Fill::Random)
        .script("bin/zcat", "#!/bin/sh\necho hello\n")
        .link("lib/zlib/latest.bin", "zlib.bin")
}

fn unpack(spec: &PackageSpec, folder: &Path) -> MadePackage {
    let made = spec.write(folder).unwrap();
    let result = extract(&folder.join(&made.file_name), &folder.join("unpacked")).unwrap();
    assert_eq!(hex::encode(result.sha256), made.sha256);
    assert_eq!(hex::encode(result.md5), made.md5);
    made
}

#[test]
fn both_formats_unpack_to_the_paths_and_hashes_that_paths_json_states() {
    for format in [Format::Conda, Format::TarBz2] {
        let folder = tempfile::tempdir().unwrap();
        let made = unpack(&spec().format(format), folder.path());
        assert_eq!(
            made.size,
            folder
                .path()
                .join(&made.file_name)
                .metadata()
                .unwrap()
                .len()
        );
        let unpacked = folder.path().join("unpacked");

        let paths = PathsJson::from_package_directory(&unpacked).unwrap();
        assert_eq!(paths.paths_version, 1);
        assert_eq!(paths.paths.len(), 4);
        for entry in &paths.paths {
            let path = unpacked.join(&entry.relative_path);
            assert_eq!(
                entry.sha256.unwrap(),
                compute_file_digest::<Sha256>(&path).unwrap()
            );
            assert_eq!(entry.size_in_bytes.unwrap(), path.metadata().unwrap().len());
            assert_eq!(path.is_symlink(), entry.path_type == PathType::SoftLink);
        }
        AboutJson::from_package_directory(&unpacked).unwrap();
        assert!(unpacked.join("info/recipe/meta.yaml").is_file());
        assert!(unpacked.join("info/licenses/LICENSE.txt").is_file());
    }
}

#[test]
fn the_record_says_what_index_json_says_plus_hashes_and_size() {
    let folder = tempfile::tempdir().unwrap();
    let made = unpack(&spec(), folder.path());
    let index = IndexJson::from_package_directory(folder.path().join("unpacked")).unwrap();
    let record: PackageRecord = serde_json::from_value(made.record.clone().into()).unwrap();
    assert_eq!(record.name, index.name);
    assert_eq!(record.version, index.version);
    assert_eq!((record.build_number, index.build_number), (1, 1));
    assert_eq!(record.depends, index.depends);
    assert_eq!(record.subdir, index.subdir.unwrap());
    assert_eq!(record.timestamp, index.timestamp);
    assert_eq!(record.size, Some(made.size));
    assert_eq!(hex::encode(record.sha256.unwrap()), made.sha256);
    assert_eq!(hex::encode(record.md5.unwrap()), made.md5);
}

#[test]
fn one_spec_gives_the_same_bytes_in_memory_and_on_disk_and_another_edition_other_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for format in [Format::Conda, Format::TarBz2] {
        let spec = spec().format(format);
        let (bytes, made) = spec.to_bytes().unwrap();
        spec.write(folder.path()).unwrap();
        assert_eq!(
            std::fs::read(folder.path().join(&made.file_name)).unwrap(),
            bytes
        );
        let (other, next) = spec.edition(1).to_bytes().unwrap();
        assert_eq!(next.file_name, made.file_name);
        assert_ne!(other, bytes);
    }
    let texts_only = PackageSpec::new("words", "1.0", "0");
    assert_ne!(
        texts_only.to_bytes().unwrap().0,
        texts_only.edition(1).to_bytes().unwrap().0
    );
}

#[test]
fn the_record_keeps_a_subdir_that_index_json_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let made = unpack(
        &PackageSpec::new("old", "1.0", "0").without_subdir_in_index(),
        folder.path(),
    );
    let index = IndexJson::from_package_directory(folder.path().join("unpacked")).unwrap();
    assert_eq!(index.subdir, None);
    assert_eq!(made.record["subdir"], "linux-64");
}

#[test]
fn fields_of_a_later_revision_reach_index_json() {
    let folder = tempfile::tempdir().unwrap();
    let extras = serde_json::json!({ "docs": ["greeter"] });
    let spec = PackageSpec::new("future", "1.0", "0").index_field("extra_depends", extras);
    let made = unpack(
        &spec.index_field("repodata_revision", serde_json::json!(3)),
        folder.path(),
    );
    assert!(
        made.record.contains_key("extra_depends") && !made.record.contains_key("repodata_revision")
    );
    let index = IndexJson::from_package_directory(folder.path().join("unpacked")).unwrap();
    assert_eq!(index.required_repodata_revision(), RepodataRevision::V3);
    index.validate().unwrap();
}

#[test]
fn random_payload_keeps_its_size_and_compressible_payload_does_not() {
    let of = |fill| {
        PackageSpec::new("big", "1", "0")
            .payload(9 << 20, fill)
            .to_bytes()
            .unwrap()
            .1
            .size
    };
    assert!(of(Fill::Random) > 9 << 20);
    assert!(of(Fill::Compressible) < 2 << 20);
}

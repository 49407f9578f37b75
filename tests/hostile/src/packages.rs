//! A package, whoever packed it: what is taken out of its `info/`.
//!
//! - It is bounded, in members and in bytes, whatever is packed.
//! - `info.tar.gz` has regular files only, sorted, each name once, none outside its folder, without times and owners; it
//!   is a deterministic function of what it holds: packed anew, the same bytes come out.
//! - `index.json` is a JSON object that names a subdir, the same that the archive has but for that.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::path::{Component, Path};

use mirror_channel::name::ArchiveType;
use mirror_oci::{Body, Digest};
use mirror_worker::extract::{Blob, Info, InfoLimits, extract};
use serde_json::value::RawValue;

use crate::wrapping;

/// Limits that a package can go over without being large.
pub const LIMITS: InfoLimits = InfoLimits {
    entries: 1000,
    members: 100,
    info_bytes: 256 << 10,
    index_bytes: 16 << 10,
    header_bytes: 16 << 10,
    unpacked_bytes: 1 << 20,
};

/// The files of an `info/`, by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// `data` is a `.conda`.
pub fn check_conda(data: &[u8]) {
    taken(data, ArchiveType::Conda);
}

/// `data` is a `.tar.bz2`.
pub fn check_tar_bz2(data: &[u8]) {
    taken(data, ArchiveType::TarBz2);
}

/// What is taken out, if anything is, held against the promises.
pub(crate) fn taken(package: &[u8], archive: ArchiveType) -> Option<Files> {
    let info = take(package, archive)?;
    let files = unpacked(&info);
    assert!(files.len() <= LIMITS.members);
    let bytes: usize = files.values().map(Vec::len).sum();
    assert!(bytes as u64 <= LIMITS.info_bytes, "{bytes} bytes of info");

    let index = bytes_of(&info.index);
    assert!(files["index.json"].len() as u64 <= LIMITS.index_bytes);
    let mut expected = members(&files["index.json"]);
    let named = expected.get("subdir");
    if named.is_none_or(|subdir| matches!(subdir.as_str(), "null" | "\"\"")) {
        expected.insert("subdir".to_owned(), "\"linux-64\"".to_owned());
    }
    let told = "nothing but the subdir is filled in";
    assert_eq!(members(&index), expected, "{told}");

    let again: Vec<(String, &[u8])> = files
        .iter()
        .rev()
        .map(|(name, bytes)| (format!("info/{name}"), &**bytes))
        .collect();
    if again.iter().all(|(name, _)| name.len() <= 100) {
        let tar = wrapping::tar(again.iter().map(|(name, bytes)| (&**name, *bytes)));
        let again = take(&wrapping::conda(&tar), ArchiveType::Conda).expect("it was taken before");
        assert_eq!(unpacked(&again), files, "packed anew");
        assert_eq!(bytes_of(&again.index), index, "packed anew");
    }
    Some(files)
}

/// The members of a JSON object, values as they are written.
fn members(json: &[u8]) -> BTreeMap<String, String> {
    let members: BTreeMap<String, &RawValue> =
        serde_json::from_slice(json).expect("index.json is a JSON object");
    let texts = members.into_iter();
    texts
        .map(|(key, raw)| (key, raw.get().to_owned()))
        .collect()
}

fn take(package: &[u8], archive: ArchiveType) -> Option<Info> {
    let spool = std::env::temp_dir();
    extract(Cursor::new(package), archive, "linux-64", &LIMITS, &spool).ok()
}

fn bytes_of(blob: &Blob) -> Vec<u8> {
    let bytes = match &blob.body {
        Body::Memory(bytes) => bytes.to_vec(),
        Body::File { path, .. } => std::fs::read(path.as_path()).unwrap(),
    };
    assert_eq!(Digest::of(&bytes), blob.digest);
    assert_eq!(bytes.len() as u64, blob.body.len());
    bytes
}

/// The files of an info archive, which must show no mark of where it was made.
fn unpacked(info: &Info) -> Files {
    let gzip = bytes_of(&info.archive);
    assert_eq!(gzip[..4], [0x1f, 0x8b, 8, 0], "no name, no comment");
    assert_eq!(
        (&gzip[4..8], gzip[9]),
        (&[0; 4][..], 255),
        "no time, no system"
    );
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(gzip.as_slice()));
    let mut files = Files::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert!(header.entry_type().is_file());
        let owner = (header.uid().unwrap(), header.gid().unwrap());
        assert_eq!((header.mtime().unwrap(), owner), (0, (0, 0)));
        assert!(matches!(header.mode().unwrap(), 0o644 | 0o755));
        let path = entry.path().unwrap().into_owned();
        let name = path.to_str().expect("names are text").to_owned();
        let mut inside = Path::new(&name).components();
        assert!(
            inside.all(|part| matches!(part, Component::Normal(_))),
            "{name:?}"
        );
        assert!(
            files.last_key_value().is_none_or(|(last, _)| *last < name),
            "{name:?} is sorted"
        );
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(name, bytes);
    }
    files
}

//! The layers taken out of a package's `info/`.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use flate2::read::GzDecoder;
use mirror_e2e::stored::{INFO, INFO_INDEX};
use mirror_kit::channel::{MadeFile, oci_name};
use serde_json::Value;

use super::Mirrored;

/// Files below `info/` of a package, by their path relative to it, read by others' code.
fn info_of(file: &MadeFile) -> BTreeMap<String, Vec<u8>> {
    let bytes = Cursor::new(file.bytes().unwrap());
    let tar: Box<dyn Read> = if file.file_name.ends_with(".conda") {
        let info = rattler_package_streaming::seek::stream_conda_info(bytes);
        Box::new(info.unwrap().into_inner())
    } else {
        Box::new(bzip2::read::BzDecoder::new(bytes))
    };
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(tar).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        if let Some(inside) = path.strip_prefix("info/") {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(inside.to_owned(), bytes);
        }
    }
    files
}

/// Of a build's two files the `.conda`: its info is the build's.
fn leading_files(mirrored: &Mirrored) -> impl Iterator<Item = &MadeFile> {
    let files = || {
        mirrored
            .channel
            .files
            .iter()
            .filter(|file| file.representable)
    };
    files().filter(move |file| {
        let sibling = file.file_name.replace(".tar.bz2", ".conda");
        sibling == file.file_name || files().all(|other| other.file_name != sibling)
    })
}

fn layer(mirrored: &Mirrored, file: &MadeFile, media_type: &str) -> Vec<u8> {
    let place = oci_name(&file.file_name).unwrap();
    let repository = mirrored.repository(&file.subdir, &place.component);
    let (_, bytes) = mirrored
        .registry
        .layer(&repository, &place.tag, media_type)
        .unwrap();
    bytes.to_vec()
}

#[tokio::test]
async fn info_tar_gz_is_the_packages_info_sorted_without_times_owners_or_folders() {
    let mirrored = Mirrored::standard(&[]).await;
    let mut seen = 0;
    for file in leading_files(&mirrored) {
        let archive = layer(&mirrored, file, INFO);
        // RFC 1952: deflate, no name and no comment, time 0, unknown system.
        assert_eq!(
            archive[..8],
            [0x1f, 0x8b, 8, 0, 0, 0, 0, 0],
            "{}",
            file.file_name
        );
        assert_eq!(archive[9], 255, "{}", file.file_name);
        let mut tar = tar::Archive::new(GzDecoder::new(&*archive));
        let (mut names, mut contents) = (Vec::new(), BTreeMap::new());
        for entry in tar.entries().unwrap() {
            let mut entry = entry.unwrap();
            let header = entry.header().clone();
            assert_eq!(header.mtime().unwrap(), 0);
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            assert_eq!(header.username().unwrap().unwrap_or_default(), "");
            assert!(header.entry_type().is_file());
            let name = entry.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            names.push(name.clone());
            contents.insert(name, bytes);
        }
        assert!(names.is_sorted(), "{}: {names:?}", file.file_name);
        assert!(names.contains(&"index.json".to_owned()), "{names:?}");
        assert!(contents == info_of(file), "{}: {names:?}", file.file_name);
        seen += 1;
    }
    assert_eq!(seen, mirrored.channel.files.len() - 4 - 3);
}

#[tokio::test]
async fn the_index_json_layer_is_the_packages_own_but_for_a_missing_subdir() {
    let mirrored = Mirrored::standard(&[]).await;
    for file in leading_files(&mirrored) {
        let found = layer(&mirrored, file, INFO_INDEX);
        let own = info_of(file).remove("index.json").unwrap();
        if file.file_name != "oldstyle-1.0-0.tar.bz2" {
            assert_eq!(String::from_utf8(found), String::from_utf8(own));
            continue;
        }
        let mut own: Value = serde_json::from_slice(&own).unwrap();
        assert_eq!(own.get("subdir"), None);
        own["subdir"] = "linux-64".into();
        assert_eq!(serde_json::from_slice::<Value>(&found).unwrap(), own);
    }
}

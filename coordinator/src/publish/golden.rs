//! What is published of one small channel, byte for byte but for zstd's own spelling.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use mirror_channel::index::{self, IndexFiles};
use mirror_channel::repodata::{Keep, Limits};
use mirror_channel::{shards, zst};
use mirror_oci::Digest;

const CHANGED: &str =
    "if this changed on purpose, raise GENERATED_BY, or unchanged channels keep what they have";

/// Members in no order, fields that nobody knows, a record of each format, one without a sha256, one to leave out.
const UPSTREAM: &str = r#"{
  "info": {"subdir": "linux-64", "base_url": "https://upstream.example/", "more": [1, 2.50]},
  "unknown": {"a": null},
  "packages.conda": {
    "zlib-1.3-h0_1.conda": {"build": "h0_1", "build_number": 1, "depends": ["libc >=2.17", "a"], "license": "Zlib",
      "md5": "00112233445566778899aabbccddeeff", "name": "zlib",
      "sha256": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "size": 123456, "timestamp": 1700000000123,
      "version": "1.3"},
    "gone-1-0.conda": {"build": "0", "build_number": 0, "depends": [], "name": "gone", "version": "1"}
  },
  "packages": {
    "zlib-1.2-0.tar.bz2": {"build": "0", "build_number": 0, "depends": [], "md5": "ffeeddccbbaa99887766554433221100",
      "name": "zlib", "size": 99, "version": "1.2"},
    "_odd-1!2-b.tar.bz2": {"build": "b", "build_number": 7, "depends": [], "name": "_odd",
      "sha256": "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210", "size": 5, "version": "1!2", "x": {"y": 1e3}}
  },
  "removed": ["old-1-0.tar.bz2"],
  "repodata_version": 1
}"#;

fn made(dir: &Path) -> IndexFiles {
    let mut upstream = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(dir.join("upstream"))
        .unwrap();
    upstream.write_all(UPSTREAM.as_bytes()).unwrap();
    // In the order of the document.
    let keep = |ordinal| match ordinal {
        1 => Keep::Drop,
        2 => Keep::WithSha256([0xab; 32]),
        _ => Keep::Keep,
    };
    let plain = index::filter(upstream, &keep, dir, Limits::default()).unwrap();
    index::complete(plain, "linux-64", &HashSet::new(), dir, Limits::default()).unwrap()
}

fn unpacked(frame: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    zst::decompress(frame, &mut content, 1 << 20).unwrap();
    content
}

#[test]
fn what_is_published_of_a_channel_is_what_it_has_always_been() {
    let dir = tempfile::tempdir().unwrap();
    let files = made(dir.path());
    let read = |path: &Path| std::fs::read(path).unwrap();
    let plain = read(&files.json.path);
    assert_eq!(unpacked(&read(&files.zst.path)), plain);
    // The shard index names shards as zstd spelled them; what it would say of their content does not depend on that.
    let mut listed = unpacked(&read(&files.shard_index.path));
    let pack = read(&files.shards.pack.path);
    let mut contents = Vec::new();
    for shard in &files.shards.new {
        let (start, len) = (shard.offset as usize, shard.len as usize);
        let content = unpacked(&pack[start..start + len]);
        let at = listed.windows(32).position(|some| *some == shard.sha256);
        let at = at.unwrap_or_else(|| panic!("{} is not listed", shard.name));
        listed[at..at + 32].copy_from_slice(&Digest::of(&content).sha256());
        contents.extend_from_slice(&content);
    }
    let digest = |bytes: &[u8]| Digest::of(bytes).hex();
    let found = [
        ("the plain index", digest(&plain)),
        ("the shards", digest(&contents)),
        ("the shard index", digest(&listed)),
        ("the level of compression", zst::LEVEL.to_string()),
    ];
    let expected = [
        (
            "the plain index",
            "7bde99a7040661ba34f2ac8c5f9c6e9314df786d0cf9d1d198497e19b307c2fb",
        ),
        (
            "the shards",
            "4d7a362f0e38357ceb162b272e112429e26426f988e38044d8319b9b703c78b0",
        ),
        (
            "the shard index",
            "ee1bd2a8eb8e4cac895f637002ce409c77237ccf2c2667da1649cb184d8d2c47",
        ),
        ("the level of compression", "9"),
    ];
    let expected = expected.map(|(what, digest)| (what, digest.to_owned()));
    assert_eq!(found, expected, "{CHANGED}");
    assert_eq!(
        shards::read_index(&read(&files.shard_index.path))
            .unwrap()
            .len(),
        2
    );
}

//! Packages as they come: both formats, any order, any compression.

use mirror_channel::name::ArchiveType::{Conda, TarBz2};
use mirror_kit::package::{Fill, Format, PackageSpec};
use mirror_oci::{Body, Digest};

use crate::make::{INDEX, Tar, Unpacked, Zipped, bytes, bz2, conda, take, unpacked, zip};

fn plain(name: &str, bytes: &[u8]) -> Unpacked {
    Unpacked {
        name: name.to_owned(),
        mode: 0o644,
        bytes: bytes.to_vec(),
    }
}

#[test]
fn both_formats_of_a_build_give_the_same_archive_and_index() {
    let spec = PackageSpec::new("zlib", "1.3.1", "h0_1")
        .depends("libgcc >=13")
        .script("bin/zlib-config", "#!/bin/sh\n")
        .link("lib/libz.so", "libz.so.1")
        .payload(10_000, Fill::Compressible);
    let (first, _) = spec.clone().format(Format::Conda).to_bytes().unwrap();
    let (second, _) = spec.format(Format::TarBz2).to_bytes().unwrap();
    let (first, second) = (take(&first, Conda).unwrap(), take(&second, TarBz2).unwrap());
    assert_eq!(first.archive.digest, second.archive.digest);
    assert_eq!(first.index.digest, second.index.digest);
    assert_eq!(first.created, second.created);
    let names: Vec<String> = unpacked(&first).into_iter().map(|m| m.name).collect();
    assert!(names.is_sorted(), "{names:?}");
    assert!(names.iter().any(|name| name == "index.json"), "{names:?}");
}

#[test]
fn members_are_sorted_regular_files_with_nothing_but_their_exec_bit() {
    let tar = Tar::new()
        .raw(b"info/test/run.sh", b'0', 0o100_775, 2, b"#!")
        .raw(b"info/recipe/", b'5', 0o755, 0, b"")
        .file("lib/z.so", b"payload")
        .raw(b"info/link", b'2', 0o777, 0, b"")
        .raw(b"info/hard", b'1', 0o777, 0, b"")
        .raw(b"info/pipe", b'6', 0o644, 0, b"")
        .file("./info/index.json", INDEX)
        .file("infos/index.json", b"not ours")
        .raw(b"info/about.json", b'0', 0o400, 2, b"{}")
        .end();
    let expected = [
        plain("about.json", b"{}"),
        plain("index.json", INDEX),
        Unpacked {
            name: "test/run.sh".to_owned(),
            mode: 0o755,
            bytes: b"#!".to_vec(),
        },
    ];
    for (package, archive) in [(bz2(&tar), TarBz2), (conda(&tar), Conda)] {
        assert_eq!(unpacked(&take(&package, archive).unwrap()), expected);
    }
}

#[test]
fn neither_order_nor_times_of_the_members_show_in_the_bytes() {
    let one = Tar::new()
        .file("info/index.json", INDEX)
        .file("info/files", b"x")
        .file("x", b"payload")
        .end();
    let other = Tar::new()
        .file("x", b"payload")
        .file("y", b"payload")
        .file("info/files", b"x")
        .file("info/index.json", INDEX)
        .end();
    let one = take(&bz2(&one), TarBz2).unwrap();
    let other = take(&bz2(&other), TarBz2).unwrap();
    assert_eq!(one.archive.digest, other.archive.digest);
    assert_eq!(
        Digest::of(&bytes(&one.archive.body)),
        one.archive.digest,
        "the digest is of the bytes"
    );
}

#[test]
fn info_is_found_behind_the_whole_payload() {
    let payload: Vec<u8> = (0..3_000_000_u32)
        .map(|n| (n.wrapping_mul(n) % 251) as u8)
        .collect();
    let tar = Tar::new()
        .file("lib/a", &payload)
        .file("lib/b", &payload)
        .file("info/index.json", INDEX)
        .end();
    let info = take(&bz2(&tar), TarBz2).unwrap();
    assert_eq!(unpacked(&info), [plain("index.json", INDEX)]);
}

#[test]
fn a_bzip2_file_of_several_streams_is_read_to_its_end() {
    let tar = Tar::new()
        .file("lib/a", b"payload")
        .file("info/index.json", INDEX)
        .end();
    // Parallel compressors cut anywhere.
    let package: Vec<u8> = tar.chunks(700).flat_map(bz2).collect();
    let info = take(&package, TarBz2).unwrap();
    assert_eq!(unpacked(&info), [plain("index.json", INDEX)]);
}

#[test]
fn the_last_of_two_members_with_one_name_counts() {
    let tar = Tar::new()
        .file("info/index.json", br#"{"name":"first"}"#)
        .file("info/files", b"first")
        .file("info/index.json", INDEX)
        .file("info/./files", b"last")
        .end();
    let info = take(&bz2(&tar), TarBz2).unwrap();
    assert_eq!(bytes(&info.index.body), INDEX);
    assert_eq!(
        unpacked(&info),
        [plain("files", b"last"), plain("index.json", INDEX)]
    );
}

#[test]
fn long_names_of_both_kinds_are_kept_whole() {
    let long = |end: &str| format!("info/{}{end}", "folder/".repeat(40));
    let tar = Tar::new()
        .file("info/index.json", INDEX)
        .long_name(long("gnu").as_bytes())
        .file("info/short", b"1")
        .extended_path(&long("pax"))
        .file("info/short", b"2")
        .end();
    let info = take(&bz2(&tar), TarBz2).unwrap();
    let below = |name: &str| name.strip_prefix("info/").unwrap().to_owned();
    let expected = [
        plain(&below(&long("gnu")), b"1"),
        plain(&below(&long("pax")), b"2"),
        plain("index.json", INDEX),
    ];
    assert_eq!(unpacked(&info), expected);
}

#[test]
fn a_missing_subdir_is_filled_into_the_index_and_not_into_the_archive() {
    let spec = PackageSpec::new("old", "1", "0").without_subdir_in_index();
    let (package, _) = spec.to_bytes().unwrap();
    let info = take(&package, Conda).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&bytes(&info.index.body)).unwrap();
    assert_eq!(index["subdir"], "linux-64");
    assert_eq!(index["name"], "old");
    let members = unpacked(&info);
    let original = members.iter().find(|m| m.name == "index.json").unwrap();
    let original: serde_json::Value = serde_json::from_slice(&original.bytes).unwrap();
    assert!(original.get("subdir").is_none());
}

#[test]
fn an_index_that_names_its_subdir_is_pushed_to_the_byte() {
    let (package, _) = PackageSpec::new("a", "1", "0").to_bytes().unwrap();
    let info = take(&package, Conda).unwrap();
    let members = unpacked(&info);
    let original = members.iter().find(|m| m.name == "index.json").unwrap();
    assert_eq!(bytes(&info.index.body), original.bytes);
    assert_eq!(info.index.digest, Digest::of(&original.bytes));
}

#[test]
fn a_package_that_does_not_say_when_it_was_built_has_no_time() {
    let (package, _) = PackageSpec::new("a", "1", "0")
        .without_timestamp()
        .to_bytes()
        .unwrap();
    assert_eq!(take(&package, Conda).unwrap().created, None);
}

#[test]
fn a_large_info_is_spooled_and_its_file_goes_with_it() {
    let noise: Vec<u8> = std::iter::successors(Some(1_u64), |n| {
        Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1))
    })
    .take(300_000)
    .flat_map(|n| (n >> 16).to_le_bytes())
    .collect();
    let tar = Tar::new()
        .file("info/large", &noise)
        .file("info/index.json", INDEX)
        .end();
    let info = take(&conda(&tar), Conda).unwrap();
    let Body::File { path, .. } = info.archive.body.clone() else {
        panic!("{} bytes stayed in memory", info.archive.body.len());
    };
    assert_eq!(
        unpacked(&info),
        [plain("index.json", INDEX), plain("large", &noise)]
    );
    assert_eq!(Digest::of(&bytes(&info.archive.body)), info.archive.digest);
    drop(info);
    assert!(!path.exists());
}

#[test]
fn links_are_left_out_of_info_and_passed_over_elsewhere_wherever_they_lead() {
    let tar = Tar::new()
        .link("info/passwd", b'2', "/etc/passwd")
        .link("info/up", b'2', "../../../secret")
        .link("info/again", b'1', "info/index.json")
        .link("lib/passwd", b'2', "/etc/passwd")
        .link("lib/up", b'1', "../../secret")
        .file("info/index.json", INDEX)
        .end();
    for (package, archive) in [(bz2(&tar), TarBz2), (conda(&tar), Conda)] {
        let info = take(&package, archive).unwrap();
        assert_eq!(unpacked(&info), [plain("index.json", INDEX)]);
    }
}

#[test]
fn a_link_in_the_place_of_the_index_is_no_index() {
    for kind in [b'1', b'2'] {
        let tar = Tar::new()
            .file("info/other.json", INDEX)
            .link("info/index.json", kind, "info/other.json")
            .end();
        let error = take(&bz2(&tar), TarBz2).unwrap_err();
        assert!(error.to_string().contains("no info/index.json"), "{error}");
    }
}

#[test]
fn what_stands_behind_the_end_of_an_archive_is_not_looked_at() {
    let tar = Tar::new().file("info/index.json", INDEX).end();
    let expected = [plain("index.json", INDEX)];
    for (package, archive) in [(bz2(&tar), TarBz2), (conda(&tar), Conda)] {
        for garbage in [&b"garbage"[..], &[0; 5000], b"BZh9", b"PK\x03\x04"] {
            let package = [&package, garbage].concat();
            assert_eq!(unpacked(&take(&package, archive).unwrap()), expected);
        }
    }
}

#[test]
fn of_a_conda_only_its_info_archive_is_opened() {
    let info = zstd::encode_all(&*Tar::new().file("info/index.json", INDEX).end(), 1).unwrap();
    let payload = zstd::encode_all(&*Tar::new().file("../evil", b"x").end(), 1).unwrap();
    let package = zip(
        &[
            Zipped::stored("../../evil", b"x"),
            Zipped::stored("/etc/evil", b"x"),
            Zipped::stored("pkg-a-1-0.tar.zst", &payload),
            Zipped::stored("info-a-1-0.tar.zst", &info),
        ],
        4,
    );
    let info = take(&package, Conda).unwrap();
    assert_eq!(unpacked(&info), [plain("index.json", INDEX)]);
}

#[test]
fn an_index_of_another_package_is_told_apart_from_the_files_name() {
    let index = br#"{"name":"a","version":"1","build":"0"}"#;
    let tar = Tar::new().file("info/index.json", index).end();
    let info = take(&bz2(&tar), TarBz2).unwrap();
    assert_eq!(info.other_than("a-1-0"), None);
    assert_eq!(info.other_than("b-1-0").as_deref(), Some("a-1-0"));
    // What says nothing contradicts nothing.
    let tar = Tar::new().file("info/index.json", INDEX).end();
    assert_eq!(take(&bz2(&tar), TarBz2).unwrap().other_than("b-1-0"), None);
}

#[test]
fn the_name_of_another_package_cannot_write_to_a_terminal() {
    let name = format!("\\u001b[2J\\n{}", "x".repeat(1000));
    let index = format!(r#"{{"name":"{name}","version":"1","build":"0"}}"#);
    let tar = Tar::new().file("info/index.json", index.as_bytes()).end();
    let other = take(&bz2(&tar), TarBz2)
        .unwrap()
        .other_than("a-1-0")
        .unwrap();
    assert!(
        !other.contains(|c: char| c.is_control()) && other.len() == 200,
        "{other:?}"
    );
}

#[test]
fn names_that_are_no_text_matter_only_in_info() {
    let tar = Tar::new()
        .raw(b"lib/\xff\xfe", b'0', 0o644, 0, b"")
        .file("info/index.json", INDEX)
        .end();
    assert!(take(&bz2(&tar), TarBz2).is_ok());
}

//! Packages: tar archives of members of any name, kind and size.

use mirror_hostile::{info_tar, packages, wrapping};
use mirror_kit::package::{Format, PackageSpec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::damage::damaged;

#[derive(Debug, Clone)]
struct Member {
    name: &'static str,
    kind: u8,
    mode: u32,
    /// What the header says beyond the bytes that are there.
    lie: i64,
    bytes: Vec<u8>,
}

fn member() -> impl Strategy<Value = Member> {
    let names = [
        "info/index.json",
        "info/about.json",
        "info/a/b",
        "info//a",
        "./info/a",
        "info/./a",
        "info",
        "info/",
        "lib/x",
        "../x",
        "/info/x",
        "info/../x",
        "info/a/..",
        "infox/a",
        "\u{1b}[2J",
        "info/\u{1b}",
        "info/é",
        "././@LongLink",
    ];
    let kinds = [
        b'0', b'0', b'0', b'\0', b'1', b'2', b'5', b'L', b'K', b'x', b'g', b'S', b'7',
    ];
    let contents = prop_oneof![
        Just(br#"{"name":"a","version":"1","build":"0"}"#.to_vec()),
        Just(br#"{"subdir":"noarch","timestamp":1e300}"#.to_vec()),
        Just(b"18 path=info/long\n".to_vec()),
        Just(b"info/other\0".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    let lie = prop_oneof![12 => Just(0), 1 => select(vec![1, 512, i64::MAX / 2, -1])];
    (
        select(names.to_vec()),
        select(kinds.to_vec()),
        select(vec![0o644, 0o755, 0o4777]),
        lie,
        contents,
    )
        .prop_map(|(name, kind, mode, lie, bytes)| Member {
            name,
            kind,
            mode,
            lie,
            bytes,
        })
}

fn tar(members: &[Member]) -> Vec<u8> {
    let mut tar = Vec::new();
    for member in members {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..member.name.len()].copy_from_slice(member.name.as_bytes());
        header.set_entry_type(tar::EntryType::new(member.kind));
        header.set_mode(member.mode);
        header.set_size((member.bytes.len() as u64).saturating_add_signed(member.lie));
        header.set_mtime(1_700_000_000);
        header.set_uid(1000);
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(&member.bytes);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

fn package(format: Format) -> Vec<u8> {
    let spec = PackageSpec::new("zlib", "1.3.1", "h0_1").format(format);
    spec.to_bytes().unwrap().0
}

proptest! {
    #[test]
    fn archives_of_any_members(mut members in prop::collection::vec(member(), 0..6), with_index in any::<bool>()) {
        if with_index {
            let bytes = br#"{"name":"a","version":"1","build":"0"}"#.to_vec();
            members.push(Member { name: "info/index.json", kind: b'0', mode: 0o644, lie: 0, bytes });
        }
        info_tar::check(&tar(&members));
    }

    #[test]
    fn damaged_archives(bytes in prop::collection::vec(member(), 1..4).prop_flat_map(|members| damaged(tar(&members)))) {
        info_tar::check(&bytes);
    }

    #[test]
    fn damaged_packages(conda in damaged(package(Format::Conda)), tar_bz2 in damaged(package(Format::TarBz2))) {
        packages::check_conda(&conda);
        packages::check_tar_bz2(&tar_bz2);
    }
}

#[test]
fn what_is_wrapped_is_taken_out() {
    let index = br#"{"name":"a","version":"1","build":"0"}"#;
    let tar = wrapping::tar([("info/index.json", &index[..]), ("info/about.json", b"{}")]);
    info_tar::check(&tar);
    for (package, archive) in [
        (
            wrapping::conda(&tar),
            mirror_channel::name::ArchiveType::Conda,
        ),
        (
            wrapping::tar_bz2(&tar),
            mirror_channel::name::ArchiveType::TarBz2,
        ),
    ] {
        let spool = std::env::temp_dir();
        let package = std::io::Cursor::new(package);
        let taken =
            mirror_worker::extract::extract(package, archive, "noarch", &packages::LIMITS, &spool);
        assert!(taken.is_ok(), "{taken:?}");
    }
}

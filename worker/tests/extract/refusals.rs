//! What is no package, or one past the bounds, is refused with the name of what is wrong.

use mirror_channel::name::ArchiveType::{self, Conda, TarBz2};
use mirror_kit::package::{Fill, Format, PackageSpec};
use mirror_runtime::{Disposed as _, Disposition};
use mirror_worker::extract::{ExtractError, InfoLimits};

use crate::make::{INDEX, Tar, Zipped, bz2, conda, take, take_within, zip, zip64};

/// The error of a package with this tar, the same in both formats.
fn refused(tar: &[u8], limits: &InfoLimits) -> ExtractError {
    let error = take_within(&bz2(tar), TarBz2, limits).unwrap_err();
    let other = take_within(&conda(tar), Conda, limits).unwrap_err();
    assert_eq!(error.to_string(), other.to_string());
    assert_eq!(error.disposition(), Disposition::Permanent);
    error
}

/// The same where the two formats have different bounds.
fn refused_by_each(tar: &[u8], limits: &InfoLimits) -> [ExtractError; 2] {
    [(bz2(tar), TarBz2), (conda(tar), Conda)]
        .map(|(package, archive)| take_within(&package, archive, limits).unwrap_err())
}

fn with_index(tar: Tar) -> Vec<u8> {
    tar.file("info/index.json", INDEX).end()
}

#[test]
fn a_package_without_an_index_is_told_so() {
    let none = Tar::new().file("lib/x", b"x").end();
    let other = Tar::new().file("info/about.json", b"{}").end();
    let nowhere = Tar::new().file("index.json", INDEX).end();
    let linked = Tar::new()
        .raw(b"info/index.json", b'2', 0o777, 0, b"")
        .end();
    for tar in [none, other, nowhere, linked, Tar::new().end()] {
        let error = refused(&tar, &InfoLimits::default());
        assert!(matches!(error, ExtractError::NoIndex), "{error}");
    }
}

#[test]
fn an_index_that_is_no_json_object_is_told_so() {
    for index in [
        &b""[..],
        b"[]",
        b"\"text\"",
        b"null",
        b"{\"name\":",
        b"{} {}",
        b"\xff\xfe{}",
    ] {
        let tar = Tar::new().file("info/index.json", index).end();
        let error = refused(&tar, &InfoLimits::default());
        assert!(matches!(error, ExtractError::BadIndex(_)), "{error}");
        assert!(error.to_string().contains("info/index.json"), "{error}");
    }
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let index = [br#"{"a":"#, deep.as_slice(), b"}"].concat();
    let tar = Tar::new().file("info/index.json", &index).end();
    // Passed over without recursion, or refused; the stack must survive it.
    let _ = take(&bz2(&tar), TarBz2);
}

#[test]
fn a_member_that_leaves_its_folder_is_refused_and_named() {
    for name in [
        "../evil",
        "info/../../evil",
        "info/..",
        "/etc/evil",
        "lib/../../evil",
        "//info/evil",
    ] {
        let error = refused(
            &with_index(Tar::new().file(name, b"x")),
            &InfoLimits::default(),
        );
        assert!(matches!(error, ExtractError::HostileName(_)), "{error}");
        assert!(error.to_string().contains(name), "{error}");
        // A name in an extension is no better.
        let tar = with_index(Tar::new().long_name(name.as_bytes()).file("x", b"x"));
        let error = refused(&tar, &InfoLimits::default());
        assert!(matches!(error, ExtractError::HostileName(_)), "{error}");
    }
}

#[test]
fn a_name_in_info_that_is_no_text_or_holds_a_zero_is_refused() {
    let no_text = with_index(Tar::new().raw(b"info/\xff\xfe", b'0', 0o644, 0, b""));
    let zero = with_index(
        Tar::new()
            .extended_path("info/a\0b")
            .file("info/short", b"x"),
    );
    for tar in [no_text, zero] {
        let error = refused(&tar, &InfoLimits::default());
        assert!(matches!(error, ExtractError::HostileName(_)), "{error}");
    }
}

#[test]
fn a_hostile_name_cannot_write_to_a_terminal() {
    let tar = with_index(Tar::new().file("../\u{1b}[2J\nevil", b"x"));
    let text = refused(&tar, &InfoLimits::default()).to_string();
    assert!(!text.contains(['\u{1b}', '\n']), "{text:?}");
}

#[test]
fn every_limit_is_kept_and_named() {
    let limits = InfoLimits {
        entries: 5,
        members: 3,
        info_bytes: 1000,
        index_bytes: 100,
        header_bytes: 2048,
        unpacked_bytes: 2000,
    };
    let many = |name: &str, count: usize| {
        (0..count).fold(Tar::new(), |tar, n| tar.file(&format!("{name}{n}"), b""))
    };
    let large = |name: &str, size: usize| Tar::new().file(name, &vec![b' '; size]);
    let just = [
        many("lib/", 4),
        many("info/", 2),
        large("info/x", 1000 - INDEX.len()),
        large("lib/x", 1000 - INDEX.len()),
    ];
    for tar in just {
        let tar = with_index(tar);
        take_within(&bz2(&tar), TarBz2, &limits).unwrap();
        take_within(&conda(&tar), Conda, &limits).unwrap();
    }
    let all = with_index(large("lib/x", 2000 - INDEX.len()));
    take_within(&bz2(&all), TarBz2, &limits).unwrap();
    let past = [
        (many("lib/", 5), "the number of members is more than 5"),
        (
            many("info/", 3),
            "the number of files in info/ is more than 3",
        ),
        (
            large("info/index.json", 101),
            "the size of info/index.json is more than 100",
        ),
        (
            Tar::new().long_name(&[b'n'; 4096]).file("x", b""),
            "the size of a member's headers is more than 2048",
        ),
        (
            // After one that was passed over, and one that was read.
            Tar::new()
                .file("lib/x", &[b' '; 400])
                .file("info/x", &[b' '; 400])
                .extended_path(&"n".repeat(4096))
                .file("x", b""),
            "the size of a member's headers is more than 2048",
        ),
    ];
    for (tar, said) in past {
        let error = refused(&with_index(tar), &limits);
        assert!(error.to_string().contains(said), "{error}");
    }
    // A `.conda` unpacks nothing but info.
    let past = [
        (
            "info/x",
            1001,
            "the size of info/ is more than 1000 bytes; if the package is to be trusted, raise --max-info-size",
        ),
        (
            "lib/x",
            2001,
            "the unpacked size is more than 2000 bytes; if the package is to be trusted, raise --max-unpacked-size",
        ),
    ];
    for (name, size, said) in past {
        let tar = with_index(large(name, size - INDEX.len()));
        let [whole, info] = refused_by_each(&tar, &limits);
        assert!(whole.to_string().contains(said), "{whole}");
        let said = "the unpacked size is more than 1000 bytes; if the package is to be trusted, raise --max-info-size";
        assert!(info.to_string().contains(said), "{info}");
    }
    let between = with_index(large("lib/x", 1001 - INDEX.len()));
    let error = take_within(&conda(&between), Conda, &limits).unwrap_err();
    assert!(matches!(error, ExtractError::TooMuch { .. }), "{error}");
}

#[test]
fn a_conda_of_headers_alone_is_bounded_as_well() {
    let limits = InfoLimits {
        members: 10,
        info_bytes: 1000,
        ..InfoLimits::default()
    };
    let tar = (0..50).fold(Tar::new(), |tar, n| tar.file(&format!("lib/{n}"), b""));
    let tar = with_index(tar);
    let error = take_within(&conda(&tar), Conda, &limits).unwrap_err();
    let said = "the unpacked size with all headers is more than 21480";
    assert!(error.to_string().contains(said), "{error}");
    take_within(&bz2(&tar), TarBz2, &limits).unwrap();
}

#[test]
fn an_info_of_more_than_128_mib_is_refused_by_default() {
    let size = (128 << 20) + 1;
    let tar = Tar::new().raw(b"info/huge", b'0', 0o644, size, b"").end();
    for error in refused_by_each(&tar, &InfoLimits::default()) {
        assert!(error.to_string().contains("134217728"), "{error}");
    }
}

#[test]
fn a_sparse_member_is_refused_whatever_size_it_claims() {
    // An extension says that nothing is stored, the header a terabyte; the name behind it is read by the first.
    let tar = Tar::new()
        .extended("size", "0")
        .sparse("lib/holes", 1 << 40)
        .long_name(&vec![b'n'; 4 << 20]);
    let plain = Tar::new().sparse("info/holes", 0);
    for (tar, name) in [(tar, "`lib/holes`"), (plain, "`info/holes`")] {
        let error = refused(&with_index(tar), &InfoLimits::default());
        assert!(matches!(error, ExtractError::Sparse(_)), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_zip_that_is_nearly_all_directory_is_refused() {
    let info = zstd::encode_all(with_index(Tar::new()).as_slice(), 1).unwrap();
    let names: Vec<String> = (0..20_000).map(|n| format!("{n:0>250}")).collect();
    let with = |others: usize| {
        let mut members = vec![Zipped::stored("info-a-1-0.tar.zst", &info)];
        members.extend(names.iter().take(others).map(|n| Zipped::stored(n, b"")));
        zip(&members, members.len() as u16)
    };
    take(&with(3), Conda).unwrap();
    let error = take(&with(names.len()), Conda).unwrap_err();
    let said = "the size of the zip's directory is more than 4194304";
    assert!(error.to_string().contains(said), "{error}");
}

#[test]
fn the_directory_of_a_large_conda_leaves_all_of_info_to_be_read() {
    let noise: Vec<u8> = std::iter::successors(Some(1_u64), |n| {
        Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1))
    })
    .take(1_000_000)
    .flat_map(|n| (n >> 16).to_le_bytes())
    .collect();
    let package = conda(&with_index(Tar::new().file("info/large", &noise)));
    assert!(package.len() > 5 << 20);
    take(&package, Conda).unwrap();
}

#[test]
fn a_zip_is_not_believed_how_many_entries_to_make_room_for() {
    let info = zstd::encode_all(with_index(Tar::new()).as_slice(), 1).unwrap();
    let payload = vec![0; 1 << 20];
    let members = || {
        [
            Zipped::stored("pkg-a-1-0.tar.zst", &payload),
            Zipped::stored("info-a-1-0.tar.zst", &info),
        ]
    };
    let honest = zip64(&members(), 2);
    take(&honest, Conda).unwrap();
    let error = take(&zip64(&members(), 20_000), Conda).unwrap_err();
    let said = "the number of entries in the zip is more than 1024";
    assert!(error.to_string().contains(said), "{error}");
    // A record elsewhere could be another than the one that was looked at.
    let mut elsewhere = honest;
    let locator = elsewhere.len() - 22 - 20;
    elsewhere[locator + 8] ^= 1;
    let error = take(&elsewhere, Conda).unwrap_err();
    assert!(error.to_string().contains("right before"), "{error}");
}

#[test]
fn a_member_that_claims_more_than_the_bounds_is_refused_unread() {
    let claims = Tar::new().raw(b"lib/huge", b'0', 0o644, 1 << 60, b"").end();
    for error in refused_by_each(&claims, &InfoLimits::default()) {
        assert!(matches!(error, ExtractError::TooMuch { .. }), "{error}");
    }
}

#[test]
fn a_long_name_of_many_gigabytes_is_not_believed() {
    // 64 MiB of it are there, 8 GiB are claimed.
    let name = vec![b'n'; 64 << 20];
    let tar = Tar::new()
        .raw(b"././@LongLink", b'L', 0o644, 8 << 30, &name)
        .end();
    let error = refused(&tar, &InfoLimits::default());
    assert!(matches!(error, ExtractError::TooMuch { .. }), "{error}");
}

#[test]
fn a_cut_package_is_unreadable_wherever_it_was_cut() {
    for (format, archive) in [(Format::Conda, Conda), (Format::TarBz2, TarBz2)] {
        let spec = PackageSpec::new("zlib", "1.3.1", "h0_1").payload(20_000, Fill::Random);
        let (package, _) = spec.format(format).to_bytes().unwrap();
        for sixteenths in 0..16 {
            let cut = &package[..package.len() * sixteenths / 16];
            let error = take(cut, archive).unwrap_err();
            assert!(matches!(error, ExtractError::Unreadable(_)), "{error}");
        }
    }
}

#[test]
fn an_archive_that_ends_within_a_member_is_unreadable() {
    let tar = Tar::new().file("info/index.json", INDEX);
    let cut = |name: &[u8]| {
        let tar = Tar::new().file("info/index.json", INDEX);
        tar.raw(name, b'0', 0o644, 5000, b"cut").open_ended()
    };
    let within_header = [tar.open_ended().as_slice(), &[1; 100]].concat();
    for tar in [cut(b"info/cut"), cut(b"lib/cut"), within_header] {
        let error = refused(&tar, &InfoLimits::default());
        assert!(matches!(error, ExtractError::Unreadable(_)), "{error}");
    }
}

#[test]
fn what_is_no_archive_is_unreadable() {
    let (real_conda, _) = PackageSpec::new("a", "1", "0").to_bytes().unwrap();
    let real_bz2 = bz2(&with_index(Tar::new()));
    let cases: [(&[u8], ArchiveType); 8] = [
        (b"", Conda),
        (b"", TarBz2),
        (b"<html>Please log in</html>", Conda),
        (b"<html>Please log in</html>", TarBz2),
        (&real_conda, TarBz2),
        (&real_bz2, Conda),
        (&bz2(b"<html>Please log in</html>"), TarBz2),
        (&conda(b"<html>Please log in</html>"), Conda),
    ];
    for (package, archive) in cases {
        let error = take(package, archive).unwrap_err();
        assert!(matches!(error, ExtractError::Unreadable(_)), "{error}");
        assert_eq!(error.disposition(), Disposition::Permanent);
        assert!(error.to_string().contains("conda package"), "{error}");
    }
}

#[test]
fn a_zip_that_lies_about_its_members_is_unreadable() {
    let info = zstd::encode_all(with_index(Tar::new()).as_slice(), 1).unwrap();
    let name = "info-a-1-0.tar.zst";
    let honest = || Zipped::stored(name, &info);
    take(&zip(&[honest()], 1), Conda).unwrap();
    let elsewhere = [1, 40, 1 << 20, u32::MAX].map(|offset| Zipped {
        told_offset: Some(offset),
        ..honest()
    });
    let mut lies: Vec<Vec<u8>> = elsewhere.map(|member| zip(&[member], 1)).into();
    lies.push(zip(&[honest()], 7));
    lies.push(zip(&[honest()], 0));
    let shorter = info.len() as u32 / 2;
    for told_size in [0, shorter] {
        lies.push(zip(
            &[Zipped {
                told_size,
                ..honest()
            }],
            1,
        ));
    }
    let deflated = Zipped {
        method: 8,
        ..honest()
    };
    lies.push(zip(&[deflated], 1));
    lies.push(zip(&[Zipped::stored("pkg-a-1-0.tar.zst", &info)], 1));
    lies.push(zip(&[Zipped::stored(name, b"no zstd")], 1));
    for (n, lie) in lies.iter().enumerate() {
        let error = take(lie, Conda).map(drop).unwrap_err();
        assert!(matches!(error, ExtractError::Unreadable(_)), "{n}: {error}");
    }
}

#[test]
fn a_spool_that_cannot_be_written_is_not_the_packages_fault() {
    let noise: Vec<u8> = (0..2_000_000_u32)
        .map(|n| (n.wrapping_mul(n) >> 7) as u8)
        .collect();
    let tar = with_index(Tar::new().file("info/large", &noise));
    let error = mirror_worker::extract::extract(
        std::io::Cursor::new(conda(&tar)),
        Conda,
        "linux-64",
        &InfoLimits::default(),
        std::path::Path::new("/nowhere/at/all"),
    );
    assert_eq!(error.unwrap_err().disposition(), Disposition::Local);
}

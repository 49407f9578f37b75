//! Small packages that claim, or unpack to, far more than anybody should read.

use mirror_channel::name::ArchiveType::{Conda, TarBz2};
use mirror_runtime::{Disposed as _, Disposition};
use mirror_worker::extract::{ExtractError, InfoLimits};

use crate::make::{INDEX, Tar, Zipped, bz2, take, take_within, zip};

/// Both formats with a tar that is `first` and then `again`, so many times. Compressed once: frames and
/// streams may stand behind each other.
fn repeated(
    first: &[u8],
    again: &[u8],
    times: usize,
) -> [(Vec<u8>, mirror_channel::name::ArchiveType); 2] {
    let zst = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let info = [zst(first), zst(again).repeat(times)].concat();
    let name = "info-a-1-0.tar.zst";
    let conda = zip(&[Zipped::stored(name, &info)], 1);
    let tar_bz2 = [bz2(first), bz2(again).repeat(times)].concat();
    [(conda, Conda), (tar_bz2, TarBz2)]
}

fn index() -> Tar {
    Tar::new().file("info/index.json", INDEX)
}

#[test]
fn a_million_files_in_info_are_refused_after_the_first_hundred_thousand() {
    let many = (0..10_000).fold(Tar::new(), |tar, _| tar.file("info/x", b""));
    let packages = repeated(&index().open_ended(), &many.open_ended(), 100);
    for (package, archive) in packages {
        assert!(package.len() < 4 << 20, "{}", package.len());
        let error = take(&package, archive).unwrap_err();
        let said = "the number of files in info/ is more than 100000";
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(error.disposition(), Disposition::Permanent);
    }
}

#[test]
fn gigabytes_in_info_are_refused_and_the_option_named() {
    let size = 3 << 30;
    let zeros = vec![0; 4 << 20];
    for name in ["info/index.json", "info/huge"] {
        let head = Tar::new()
            .raw(name.as_bytes(), b'0', 0o644, size, b"")
            .open_ended();
        for (package, archive) in repeated(&head, &zeros, 768) {
            assert!(package.len() < 1 << 20, "{}", package.len());
            let error = take(&package, archive).unwrap_err();
            assert!(matches!(error, ExtractError::TooMuch { .. }), "{error}");
            let by_option = error.to_string().contains("--max-info-size");
            // No option raises the bound on the index, which is met first unless info/ is all there is.
            assert_eq!(
                by_option,
                archive == Conda || name == "info/huge",
                "{error}"
            );
        }
    }
}

#[test]
fn no_index_is_larger_than_info_may_be() {
    let limits = InfoLimits {
        info_bytes: 1000,
        ..InfoLimits::default()
    };
    let blanks = vec![b' '; 1001];
    let tar = Tar::new().file("info/index.json", &blanks).end();
    let error = take_within(&bz2(&tar), TarBz2, &limits).unwrap_err();
    let said = "the size of info/index.json is more than 1000 bytes";
    assert!(error.to_string().contains(said), "{error}");
    assert!(error.to_string().contains("--max-info-size"), "{error}");
}

#[test]
fn a_payload_of_gigabytes_is_not_unpacked_past_its_bound() {
    let limits = InfoLimits {
        unpacked_bytes: 1 << 30,
        ..InfoLimits::default()
    };
    let huge = index().raw(b"lib/huge", b'0', 0o644, 3 << 30, b"");
    let [_, (package, archive)] = repeated(&huge.open_ended(), &[0; 1 << 20], 100);
    let error = take_within(&package, archive, &limits).unwrap_err();
    for part in [
        "the unpacked size is more than 1073741824",
        "--max-unpacked-size",
        "--retry-failed",
    ] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

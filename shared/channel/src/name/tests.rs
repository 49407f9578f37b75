#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

#[test]
fn splits_from_the_right_so_that_names_may_have_dashes() {
    let file = FileName::parse("ros-noetic-bridge-1!0.11+cu1-py39_14.tar.bz2").unwrap();
    assert_eq!(
        (file.name(), file.version(), file.build()),
        ("ros-noetic-bridge", "1!0.11+cu1", "py39_14")
    );
    assert_eq!(file.archive(), ArchiveType::TarBz2);
    assert_eq!(file.stem(), "ros-noetic-bridge-1!0.11+cu1-py39_14");
}

#[test]
fn refuses_what_is_no_single_component_of_four_parts() {
    for bad in [
        "",
        ".conda",
        "a.conda",
        "a-1.conda",
        "-1-0.conda",
        "a--0.conda",
        "a-1-.conda",
        "a-1-0.zip",
        "a-1-0",
        "a-1-0conda",
        "../a-1-0.conda",
        "x/a-1-0.conda",
        "x\\a-1-0.conda",
        "a-..-0.conda",
        "..-1-0.conda",
        "a-1-0\n.conda",
        "a -1-0.conda",
        "\u{fc}-1-0.conda",
        "a-1-\u{0}.conda",
        "a-1-\u{202e}0.tar.bz2",
    ] {
        assert!(FileName::parse(bad).is_err(), "{bad:?}");
    }
    let long = format!("{}-1-0.conda", "a".repeat(250));
    assert!(matches!(
        FileName::parse(&long),
        Err(NameError::Long { len: 260, .. })
    ));
    let longest = format!("{}-1-0.conda", "a".repeat(245));
    assert_eq!(FileName::parse(&longest).unwrap().name().len(), 245);
    assert!(FileName::from_stem(&"-".repeat(300), ArchiveType::Conda).is_err());
}

#[test]
fn serde_checks_the_name_again() {
    let file: FileName = serde_json::from_str("\"zlib-1.2-0.conda\"").unwrap();
    assert_eq!(
        serde_json::to_string(&file).unwrap(),
        "\"zlib-1.2-0.conda\""
    );
    assert!(serde_json::from_str::<FileName>("\"../etc-1-0.conda\"").is_err());
}

/// Any text that may be the version or the build of a file name: printable ASCII but for `-`, `/` and `\`.
fn part() -> impl Strategy<Value = String> {
    "[!-,.0-\\[\\]-~]{1,12}".prop_filter("only dots", |part| part != "." && part != "..")
}

/// Any text that may be the name: the same, with dashes wherever.
fn name() -> impl Strategy<Value = String> {
    "[!-.0-\\[\\]-~]{1,24}".prop_filter("only dots", |name| name != "." && name != "..")
}

fn archive() -> impl Strategy<Value = ArchiveType> {
    prop_oneof![Just(ArchiveType::Conda), Just(ArchiveType::TarBz2)]
}

/// Texts that are almost file names.
fn near_miss() -> impl Strategy<Value = String> {
    let pieces = [
        "-", "--", ".", "..", "a", "1.2", "h0_1", "1!2+x", ".conda", ".tar.bz2", ".tar", "conda",
        "/", "\\", " ", "\u{0}", "\n", "\u{fc}", "\u{202e}", "%2f", "A",
    ];
    let long = prop::sample::select(vec![100_usize, 127, 128, 255, 256, 300]);
    let piece = prop_oneof![
        20 => prop::sample::select(pieces.to_vec()).prop_map(str::to_owned),
        1 => long.prop_map(|length| "n".repeat(length)),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// What every file name promises, wherever it came from.
fn check(file: &FileName) -> Result<(), TestCaseError> {
    let text = file.as_str();
    prop_assert!(text.len() <= MAX_FILE_NAME_BYTES);
    prop_assert!(
        text.bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"/\\".contains(&byte))
    );
    prop_assert_eq!(std::path::Path::new(text).components().count(), 1);
    let (name, version, build) = (file.name(), file.version(), file.build());
    for part in [name, version, build] {
        prop_assert!(!matches!(part, "" | "." | ".."), "{:?}", file);
    }
    prop_assert!(!version.contains('-') && !build.contains('-'));
    prop_assert_eq!(file.stem(), format!("{name}-{version}-{build}"));
    prop_assert_eq!(
        text,
        format!("{}.{}", file.stem(), file.archive().extension())
    );
    Ok(())
}

proptest! {
    #[test]
    fn the_parts_and_the_text_round_trip(
        name in name(), version in part(), build in part(), archive in archive(),
    ) {
        let stem = format!("{name}-{version}-{build}");
        let file = FileName::from_stem(&stem, archive).unwrap();
        prop_assert_eq!((file.name(), file.version(), file.build()), (&*name, &*version, &*build));
        prop_assert_eq!((file.stem(), file.archive()), (&*stem, archive));
        prop_assert_eq!(&FileName::parse(file.as_str()).unwrap(), &file);
        check(&file)?;
        let json = serde_json::to_string(&file).unwrap();
        prop_assert_eq!(serde_json::from_str::<FileName>(&json).unwrap(), file);
    }

    #[test]
    fn no_text_makes_it_panic_or_escape_a_folder(text in "\\PC{0,300}") {
        if let Ok(file) = FileName::parse(&text) {
            check(&file)?;
        }
    }

    #[test]
    fn what_is_almost_a_file_name_is_refused_or_keeps_every_promise(text in near_miss(), archive in archive()) {
        if let Ok(file) = FileName::parse(&text) {
            prop_assert_eq!(file.as_str(), &*text);
            check(&file)?;
        }
        let whole = FileName::parse(&format!("{text}.{}", archive.extension()));
        prop_assert_eq!(FileName::from_stem(&text, archive), whole.clone());
        if let Ok(file) = whole {
            prop_assert_eq!((file.stem(), file.archive()), (&*text, archive));
            check(&file)?;
        }
    }
}

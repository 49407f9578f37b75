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

proptest! {
    #[test]
    fn the_parts_and_the_text_round_trip(
        name in "[a-zA-Z0-9_.]{1,10}(-[a-z0-9]{1,8}){0,3}",
        version in "[0-9][0-9a-z.!+_]{0,10}",
        build in "[a-z0-9_]{1,10}",
        bz in any::<bool>(),
    ) {
        prop_assume!(name != "." && name != "..");
        let archive = if bz { ArchiveType::TarBz2 } else { ArchiveType::Conda };
        let stem = format!("{name}-{version}-{build}");
        let file = FileName::from_stem(&stem, archive).unwrap();
        prop_assert_eq!((file.name(), file.version(), file.build()), (&*name, &*version, &*build));
        prop_assert_eq!(file.stem(), &stem);
        prop_assert_eq!(&FileName::parse(file.as_str()).unwrap(), &file);
    }

    #[test]
    fn no_text_makes_it_panic_or_escape_a_folder(text in "\\PC{0,300}") {
        if let Ok(file) = FileName::parse(&text) {
            prop_assert!(!file.as_str().contains(['/', '\\']));
            prop_assert_eq!(std::path::Path::new(file.as_str()).components().count(), 1);
        }
    }
}

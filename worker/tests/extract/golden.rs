//! The bytes of `info.tar.gz`, to the last one. Whoever changes them makes every mirror in the world
//! hold two versions of the same thing, so this fails first.

use mirror_channel::name::ArchiveType;
use mirror_kit::package::{Fill, Format, PackageSpec};

use crate::make::{take, unpacked};

const INFO_TAR_GZ: &str = "sha256:1af57af2fcd69cd8ec57482a22d267ea31925e3943d7bfc06bf0ae1af3a30776";
const INDEX_JSON: &str = "sha256:2e2535643fba1aeabcd733f6e6514fdb6791592e6fa241c8a0ccbf230c08a32b";

fn spec() -> PackageSpec {
    PackageSpec::new("golden", "1.2.3", "h0_4")
        .depends("libgcc >=13")
        .payload(4096, Fill::Random)
        .info_file("info/test/run_test.sh", b"#!/bin/sh\ntrue\n")
        .info_file(
            "info/recipe/long.txt",
            "a line of text\n".repeat(5000).as_bytes(),
        )
}

#[test]
fn a_package_gives_the_same_info_bytes_for_ever() {
    for (format, archive) in [
        (Format::Conda, ArchiveType::Conda),
        (Format::TarBz2, ArchiveType::TarBz2),
    ] {
        let (package, _) = spec().format(format).to_bytes().unwrap();
        let info = take(&package, archive).unwrap();
        assert_eq!(unpacked(&info).len(), 9);
        assert_eq!(info.archive.digest.to_string(), INFO_TAR_GZ, "{archive:?}");
        assert_eq!(info.index.digest.to_string(), INDEX_JSON, "{archive:?}");
        assert_eq!(info.created.as_deref(), Some("2023.11.14.22.13"));
    }
}

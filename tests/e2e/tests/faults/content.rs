//! Files that are what their records say, and still no packages.

use mirror_kit::package::{Format, PackageSpec};

use crate::packages_raw::{Tar, bz2};
use crate::packages_support::{Odd, assert_mirrored, assert_refused};

const NO_PACKAGE: &[&str] = &["not a readable conda package", "--exclude"];

fn real(format: Format) -> Vec<u8> {
    let spec = PackageSpec::new("odd", "1.0", "0").format(format);
    spec.to_bytes().unwrap().0
}

#[tokio::test]
async fn what_is_no_archive_fails() {
    let text = b"<!doctype html><p>Not a package, but the record says so.</p>";
    let all = [
        Odd::new("page", Format::Conda, text.to_vec()),
        Odd::new("page-bz2", Format::TarBz2, text.to_vec()),
        Odd::new("empty", Format::Conda, Vec::new()),
        Odd::new("empty-bz2", Format::TarBz2, Vec::new()),
    ];
    assert_refused(all.map(|odd| odd.fails(NO_PACKAGE)).into()).await;
}

#[tokio::test]
async fn a_package_of_the_other_format_fails() {
    let all = [
        Odd::new("conda", Format::TarBz2, real(Format::Conda)),
        Odd::new("bz2", Format::Conda, real(Format::TarBz2)),
    ];
    assert_refused(all.map(|odd| odd.fails(NO_PACKAGE)).into()).await;
}

#[tokio::test]
async fn an_archive_that_breaks_off_fails() {
    let whole = Tar::new().index("half").file("info/x", &[7; 4_000]).end();
    let whole = bz2(&whole);
    let conda = real(Format::Conda);
    let all = [
        Odd::new("half", Format::TarBz2, whole[..whole.len() / 2].to_vec()),
        Odd::new(
            "half-conda",
            Format::Conda,
            conda[..conda.len() / 2].to_vec(),
        ),
    ];
    assert_refused(all.map(|odd| odd.fails(NO_PACKAGE)).into()).await;
}

#[tokio::test]
async fn the_archive_maker_of_these_tests_makes_packages_that_pass() {
    let tar = |name: &str| Tar::new().index(name).file("lib/x", b"x").end();
    let odd = Odd::new("odd", Format::TarBz2, bz2(&tar("odd")));
    assert_mirrored(&[odd]).await;
}

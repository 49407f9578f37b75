//! Files that are what their records say, and still no packages.

use mirror_e2e::stage::Stage;
use mirror_kit::channel::Listing;
use mirror_kit::fake_registry::sha256_digest;
use mirror_kit::package::{Format, PackageSpec};

use crate::support::{GOOD, assert_cause, run, stage};

const FILE: &str = "odd-1.0-0";

/// Puts `bytes` into the channel as a file whose record fits them.
async fn stage_with(format: Format, bytes: &[u8]) -> (Stage, String) {
    let mut stage = stage().await;
    let digest = sha256_digest(bytes);
    let sha256 = digest.strip_prefix("sha256:").unwrap();
    let listing = Listing::indexed()
        .field("sha256", &format!("{sha256:?}"))
        .field("size", &bytes.len().to_string());
    let spec = PackageSpec::new("odd", "1.0", "0").format(format);
    let made = stage.channel.add(spec, listing).unwrap();
    std::fs::write(&made.path, bytes).unwrap();
    let file = made.file_name.clone();
    (stage, file)
}

/// The file fails at its first try with this cause; everything else is mirrored.
async fn assert_refused(format: Format, bytes: &[u8], cause: &[&str]) {
    let (stage, file) = stage_with(format, bytes).await;
    let (finished, report) = run(&stage, 3).await;
    finished.assert_code(1);
    let entry = report.entry(&file);
    assert_eq!(entry["outcome"], "failed");
    assert_eq!(entry["attempts"], 1, "{entry:#}");
    assert_cause(&entry, &[FILE]);
    assert_cause(&entry, cause);
    let listed = stage.view().index_files(&stage.subdir("linux-64"));
    assert!(!listed.contains(&file) && listed.len() == 3, "{listed:?}");
    for good in GOOD {
        assert_eq!(report.entry(good)["outcome"], "done");
    }
    stage.assert_publications_passed();
    let control = finished
        .stderr
        .chars()
        .find(|c| c.is_control() && *c != '\n');
    assert_eq!(control, None, "{}", finished.to_text());
}

/// A `.tar.bz2` of members with these names, as they are, and contents.
fn tar_bz2(members: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        // The library refuses names like these; attackers do not ask it.
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, *content).unwrap();
    }
    let mut packed = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    std::io::Write::write_all(&mut packed, &tar.into_inner().unwrap()).unwrap();
    packed.finish().unwrap()
}

const INDEX: &[u8] =
    br#"{"name":"odd","version":"1.0","build":"0","build_number":0,"subdir":"linux-64"}"#;

#[tokio::test]
async fn what_is_no_archive_fails() {
    let text = b"<!doctype html><p>Not a package, but the record says so.</p>";
    assert_refused(Format::Conda, text, &[]).await;
    assert_refused(Format::TarBz2, text, &[]).await;
    assert_refused(Format::Conda, b"", &[]).await;
}

#[tokio::test]
async fn a_package_of_the_other_format_fails() {
    let (conda, _) = PackageSpec::new("odd", "1.0", "0").to_bytes().unwrap();
    assert_refused(Format::TarBz2, &conda, &[]).await;
}

#[tokio::test]
async fn a_package_without_an_index_json_fails_and_the_file_is_named() {
    let bytes = tar_bz2(&[(b"info/about.json", b"{}"), (b"lib/x", b"x")]);
    assert_refused(Format::TarBz2, &bytes, &["info/index.json"]).await;
}

#[tokio::test]
async fn members_that_climb_out_of_the_package_make_it_fail() {
    for name in [&b"../evil"[..], b"info/../../evil", b"/etc/evil"] {
        let bytes = tar_bz2(&[(b"info/index.json", INDEX), (name, b"x")]);
        assert_refused(Format::TarBz2, &bytes, &["evil"]).await;
    }
}

#[tokio::test]
async fn an_archive_that_breaks_off_fails() {
    let whole = tar_bz2(&[(b"info/index.json", INDEX), (b"info/x", &[7; 4_000])]);
    assert_refused(Format::TarBz2, &whole[..whole.len() / 2], &[]).await;
    let (conda, _) = PackageSpec::new("odd", "1.0", "0").to_bytes().unwrap();
    assert_refused(Format::Conda, &conda[..conda.len() / 2], &[]).await;
}

#[tokio::test]
async fn the_archive_maker_of_these_tests_makes_packages_that_pass() {
    let bytes = tar_bz2(&[(b"info/index.json", INDEX), (b"lib/x", b"x")]);
    let (stage, file) = stage_with(Format::TarBz2, &bytes).await;
    let (finished, report) = run(&stage, 1).await;
    finished.assert_code(0);
    assert_eq!(report.entry(&file)["outcome"], "done");
}

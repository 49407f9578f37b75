//! `--package` and `--exclude` with versions and conditions: what is held, indexed and asked of the channel is exactly
//! what the pattern says.

use mirror_e2e::stage::Stage;

use crate::catalogue::{
    EVERYTHING, MKL, PY39, PY310, PY313, PY313_RC, TZDATA, ZLIB, ZLIB_OLD, catalogue,
};
use crate::support::{assert_mirrored_of, downloads, files, indexed};

/// Everything but these.
fn without(left_out: &[&str]) -> Vec<&'static str> {
    let stays = |file: &&str| !left_out.contains(file);
    EVERYTHING.into_iter().filter(stays).collect()
}

async fn assert_mirrored(arguments: &[&str], expected: &[&str]) {
    assert_mirrored_of(catalogue, arguments, expected).await;
}

#[tokio::test]
async fn a_name_and_a_version_select_every_build_and_format_of_that_version() {
    assert_mirrored(&["-p", "python@3.10.15"], &PY310).await;
    assert_mirrored(&["-p", "zlib@1.3"], &ZLIB).await;
    assert_mirrored(&["-p", "python@3.13.*"], &[PY313_RC, PY313]).await;
    assert_mirrored(&["-p", "Python@3.1"], &[]).await;
}

#[tokio::test]
async fn a_range_of_versions_is_compared_as_conda_compares_versions() {
    let older = [PY39, PY310[0], PY310[1], PY310[2]];
    assert_mirrored(&["-p", "python >=3.9,<3.13.0rc1"], &older).await;
    assert_mirrored(&["-p", "python >3.10.15,<3.13"], &[PY313_RC]).await;
    assert_mirrored(
        &["-p", "zlib >=1.2.12,<1.3|==1.3.0"],
        &[ZLIB_OLD, ZLIB[0], ZLIB[1]],
    )
    .await;
}

#[tokio::test]
async fn what_a_record_says_can_be_asked_for() {
    assert_mirrored(&["-p", "*[license=MIT]"], &[TZDATA]).await;
    assert_mirrored(&["-p", "python[build_number=1]"], &[PY310[2]]).await;
    assert_mirrored(&["-p", "python=3.10.15=h1_*"], &PY310[..2]).await;
    let file = format!("*[fn='{}']", PY310[1]);
    assert_mirrored(&["-p", &file], &[PY310[1]]).await;
}

#[tokio::test]
async fn patterns_of_all_kinds_add_up() {
    let patterns = [
        "-p",
        "MKL",
        "-p",
        "tz*",
        "-p",
        "zlib@1.2.13",
        "-p",
        "py* >=3.13",
    ];
    assert_mirrored(&patterns, &[MKL, TZDATA, ZLIB_OLD, PY313]).await;
}

#[tokio::test]
async fn an_exclusion_of_any_kind_wins() {
    let excluding = |pattern: &'static str| ["--exclude", pattern];
    assert_mirrored(&excluding("zlib"), &without(&[ZLIB_OLD, ZLIB[0], ZLIB[1]])).await;
    assert_mirrored(&excluding("?[zk]*"), &without(&[TZDATA, MKL])).await;
    let both = without(&[ZLIB_OLD, ZLIB[0], ZLIB[1], TZDATA]);
    assert_mirrored(&["--exclude", "z*", "--exclude", "TZ*"], &both).await;
    assert_mirrored(&excluding("python@3.10.15"), &without(&PY310)).await;
    assert_mirrored(&excluding("*[license=MIT]"), &without(&[TZDATA])).await;
    assert_mirrored(&["-p", "python", "--exclude", "python >=3.10"], &[PY39]).await;
    assert_mirrored(&["-p", "python", "--exclude", "python"], &[]).await;
    assert_mirrored(
        &["-p", "zlib@1.3", "--exclude", "zlib[build_number=1]"],
        &ZLIB[..1],
    )
    .await;
}

#[tokio::test]
async fn nothing_can_be_selected_and_it_is_said() {
    let stage = Stage::registry(catalogue).await;
    let finished = stage.run().args(["-p", "zlib >=4"]).run().await;
    finished.assert_code(0);
    let said = finished
        .stderr
        .lines()
        .filter(|line| line.contains("zlib >=4"));
    assert_eq!(said.count(), 1, "{}", finished.to_text());
    assert_eq!(indexed(&stage), files(&[]));
}

#[tokio::test]
async fn what_says_nothing_about_one_subdir_of_one_channel_is_refused_with_what_to_write() {
    let stage = Stage::registry(catalogue).await;
    for (pattern, says) in [
        ("conda-forge::zlib", "--channel"),
        ("zlib[subdir=noarch]", "--subdir"),
        ("zlib >=", "zlib >=1.2,<2"),
        ("zlib@", "name@1.2"),
        ("*[licence=MIT]", "licence"),
        ("zlib-1.3-h1_0.conda", "fn="),
    ] {
        for option in ["--package", "--exclude"] {
            let finished = stage.run().args([option, pattern]).run().await;
            finished.assert_code(2);
            let shown = finished.stderr.contains(option) && finished.stderr.contains(says);
            assert!(shown, "no {option} and {says}: {}", finished.to_text());
            assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.to_text());
        }
    }
    assert_eq!(stage.source.count(|_| true), 0);
    assert_eq!(downloads(&stage.source), 0);
}

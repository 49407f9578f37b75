//! `--latest`, `--newer-than`, `--max-size`, `--formats`: what they leave, alone and together; and that a selection is
//! remembered.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use mirror_e2e::stage::Stage;
use mirror_kit::channel::{Channel, ChannelBuilder, Listing};
use mirror_kit::package::{Fill, Format::TarBz2, PackageSpec};

use crate::catalogue::{
    EVERYTHING, MKL, PY39, PY310, PY313, PY313_RC, TZDATA, ZLIB, ZLIB_OLD, catalogue,
};
use crate::support::{assert_mirrored_of, downloads, files, indexed};

async fn assert_mirrored(arguments: &[&str], expected: &[&str]) {
    assert_mirrored_of(catalogue, arguments, expected).await;
}

#[tokio::test]
async fn the_latest_version_of_each_name_comes_with_all_its_builds_formats_and_spellings() {
    let newest = [PY313, ZLIB[0], ZLIB[1], TZDATA, MKL];
    assert_mirrored(&["--latest", "1"], &newest).await;
}

#[tokio::test]
async fn the_latest_are_ranked_as_conda_ranks_versions() {
    let python = |more: &'static [&'static str]| [&["-p", "python"], more].concat();
    assert_mirrored(&python(&["--latest", "2"]), &[PY313, PY313_RC]).await;
    let three = [PY313, PY313_RC, PY310[0], PY310[1], PY310[2]];
    assert_mirrored(&python(&["--latest", "3"]), &three).await;
    assert_mirrored(&["-p", "zlib", "--latest", "1"], &ZLIB).await;
    assert_mirrored(&["--latest", "9"], &EVERYTHING).await;
}

#[tokio::test]
async fn the_latest_are_those_of_what_everything_else_selects() {
    assert_mirrored(&["-p", "python <3.13.0rc1", "--latest", "1"], &PY310).await;
    assert_mirrored(
        &[
            "-p",
            "python",
            "--latest",
            "1",
            "--exclude",
            "python@3.13.0",
        ],
        &[PY313_RC],
    )
    .await;
    let old_format = ["--latest", "1", "--formats", "tar.bz2"];
    assert_mirrored(&old_format, &[PY310[1], ZLIB_OLD]).await;
}

#[tokio::test]
async fn each_subdir_has_its_own_latest() {
    let make = |dir: PathBuf| -> anyhow::Result<Channel> {
        let package = |version: &str| PackageSpec::new("tool", version, "0");
        ChannelBuilder::new(dir)
            .package(package("1.9"))
            .package(package("1.10"))
            .package(package("2.0").noarch())
            .package(package("1.0").noarch())
            .build()
    };
    let stage = Stage::registry(make).await;
    stage
        .run()
        .args(["--latest", "1"])
        .run()
        .await
        .assert_code(0);
    assert_eq!(indexed(&stage), files(&["tool-1.10-0.conda"]));
    let noarch = stage.view().index_files(&stage.subdir("noarch"));
    assert_eq!(noarch, files(&["tool-2.0-0.conda"]));
}

#[tokio::test]
async fn a_size_limit_is_of_each_file_and_takes_its_own_size_in() {
    assert_mirrored(
        &["--max-size", "30kB", "-p", "mkl", "-p", "tzdata"],
        &[TZDATA],
    )
    .await;
    assert_mirrored(
        &["--max-size", "0.03MB", "-p", "mkl", "-p", "tzdata"],
        &[TZDATA],
    )
    .await;
    let stage = Stage::registry(catalogue).await;
    let size = stage.channel.file(MKL).size;
    for (limit, held) in [(size - 1, &[][..]), (size, &[MKL])] {
        let run = stage
            .run()
            .args(["-p", "mkl", "--max-size", &limit.to_string()]);
        run.run().await.assert_code(0);
        assert_eq!(indexed(&stage), files(held), "{limit}");
    }
}

#[tokio::test]
async fn formats_are_chosen_by_their_extensions() {
    assert_mirrored(&["--formats", "tar.bz2"], &[PY310[1], ZLIB_OLD]).await;
    assert_mirrored(
        &["-p", "python@3.10.15", "--formats", ".conda"],
        &[PY310[0], PY310[2]],
    )
    .await;
    assert_mirrored(&["--formats", "conda,tar.bz2"], &EVERYTHING).await;
    let repeated = ["--formats", "conda", "--formats", "tar.bz2"];
    assert_mirrored(&repeated, &EVERYTHING).await;
}

/// `new` was built 10 days ago, `old` 50, `dated` on 2026-01-31 at noon; `undated` does not say.
fn ages(dir: PathBuf) -> anyhow::Result<Channel> {
    const DAY: u64 = 24 * 3600 * 1000;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let now = u64::try_from(now.as_millis())?;
    let built = |name: &str, at: u64| PackageSpec::new(name, "1.0", "0").timestamp(at);
    ChannelBuilder::new(dir)
        .subdir("noarch")
        .package(built("new", now - 10 * DAY))
        .package(built("old", now - 50 * DAY))
        .package(built("dated", 1_769_860_800_000))
        .package(PackageSpec::new("undated", "1.0", "0").without_timestamp())
        .build()
}

#[tokio::test]
async fn an_age_counts_back_from_now_and_what_has_no_date_is_not_new() {
    let (new, old) = ("new-1.0-0.conda", "old-1.0-0.conda");
    let named = ["-p", "new", "-p", "old", "-p", "undated", "--newer-than"];
    for (age, expected) in [
        ("720h", &[new][..]),
        ("3w", &[new]),
        ("60d", &[new, old]),
        ("9d", &[]),
    ] {
        assert_mirrored_of(ages, &[&named[..], &[age]].concat(), expected).await;
    }
}

#[tokio::test]
async fn a_date_is_midnight_utc_and_takes_the_moment_itself_in() {
    let dated = "dated-1.0-0.conda";
    for (date, expected) in [
        ("2026-01-31", &[dated][..]),
        ("2026-02-01", &[]),
        ("2026-01-31T12:00:00Z", &[dated]),
        ("2026-01-31T12:00:00.001Z", &[]),
        ("2026-01-31T13:00:00+01:00", &[dated]),
    ] {
        let arguments = ["-p", "dated", "-p", "undated", "--newer-than", date];
        assert_mirrored_of(ages, &arguments, expected).await;
    }
}

#[tokio::test]
async fn filters_that_mean_nothing_are_refused_by_name_before_anything_is_asked() {
    let stage = Stage::registry(catalogue).await;
    for (option, value, says) in [
        ("--newer-than", "yesterday", "30d"),
        ("--newer-than", "30", "unit"),
        ("--newer-than", "2026-02-30", "2026-01-31"),
        ("--newer-than", "0d", "no time"),
        ("--latest", "0", "--latest"),
        ("--latest", "some", "--latest"),
        ("--max-size", "big", "500MB"),
        ("--formats", "conda,zip", "`zip`"),
    ] {
        let finished = stage.run().args([option, value]).run().await;
        finished.assert_code(2);
        for part in [option, says] {
            let said = finished.stderr.contains(part);
            assert!(said, "no {part}: {}", finished.to_text());
        }
    }
    assert_eq!(stage.source.count(|_| true), 0);
}

#[tokio::test]
async fn the_same_selection_again_is_one_conditional_request_and_another_is_planned_anew() {
    let mut stage = Stage::registry(catalogue).await;
    let select = [
        "-p",
        "python >=3.10",
        "--latest",
        "1",
        "--exclude",
        "mkl",
        "--newer-than",
        "2020-01-01",
    ];
    stage.run().args(select).run().await.assert_code(0);
    stage.source.forget_requests();
    // In another order, other case and spelling, it means the same.
    let same = [
        "--newer-than",
        "2020-01-01T00:00:00Z",
        "--exclude",
        "MKL",
        "--exclude",
        "mkl",
    ];
    let again = stage
        .run()
        .args(same)
        .args(["--latest", "1", "-p", "Python  >=3.10"])
        .run()
        .await;
    again.assert_code(0);
    let rows = again.stdout.matches("unchanged since the last run");
    assert_eq!(rows.count(), 2, "{}", again.to_text());
    assert_eq!(stage.source.count(|request| request.status == Some(304)), 2);
    assert_eq!(stage.source.count(|_| true), 2);

    for other in [
        &["--latest", "2"][..],
        &["--latest", "1", "--formats", "conda"],
    ] {
        let finished = stage
            .run()
            .args(["-p", "python >=3.10"])
            .args(other)
            .run()
            .await;
        finished.assert_code(0);
        let unchanged = finished.stdout.contains("unchanged since the last run");
        assert!(!unchanged, "{}", finished.to_text());
    }
    // The channel moves on: the same selection has a new latest, and the old one stays.
    let newer = PackageSpec::new("python", "3.14.0", "h1_0").payload(600, Fill::Random);
    stage
        .channel
        .add(newer.clone(), Listing::indexed())
        .unwrap();
    stage
        .channel
        .add(newer.format(TarBz2), Listing::indexed())
        .unwrap();
    stage.source.forget_requests();
    let last = ["-p", "python >=3.10", "--latest", "1", "--formats", "conda"];
    stage.run().args(last).run().await.assert_code(0);
    assert_eq!(downloads(&stage.source), 1);
    let expected = files(&[PY313, PY313_RC, "python-3.14.0-h1_0.conda"]);
    assert_eq!(indexed(&stage), expected);
    assert!(!indexed(&stage).contains(PY39));
    stage.assert_publications_passed();
}

//! A dry run says what would be done and does none of it.

use mirror_e2e::mirror::{Report, mirror};
use mirror_e2e::stage::Stage;
use mirror_kit::channel::{bulk_of, standard};
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::process::Run;
use serde_json::Value;

use crate::plan_table::{row, size};
use crate::support::{downloads, four_packages};

fn offline(stage: &Stage) -> Run {
    let channel = stage.source.url();
    let arguments = [
        "mirror",
        "--channel",
        &channel,
        "--subdir",
        "linux-64",
        "--dry-run",
    ];
    Run::in_home(&stage.home).args(arguments)
}

/// Nothing is in the home but what the test put there.
fn assert_untouched(stage: &Stage) {
    let left = std::fs::read_dir(stage.home.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == "report.json"), "{left:?}");
    assert_eq!(downloads(&stage.source), 0);
}

#[tokio::test]
async fn without_a_registry_it_prints_builds_files_bytes_and_writes() {
    let stage = Stage::registry(standard).await;
    let report = Report::in_home(&stage.home);
    let run = offline(&stage).arg("--report").arg(report.path());
    let finished = run.run().await;
    finished.assert_code(0);
    assert_untouched(&stage);
    let files: Vec<_> = stage.channel.files.iter().collect();
    let planned = |subdir: &str| {
        let files = files
            .iter()
            .filter(|f| f.subdir == subdir && f.representable);
        let mut stems: Vec<&str> = files
            .clone()
            .map(|f| {
                f.file_name
                    .trim_end_matches(".conda")
                    .trim_end_matches(".tar.bz2")
            })
            .collect();
        stems.sort_unstable();
        stems.dedup();
        let bytes: u64 = files.clone().map(|f| f.size).sum();
        (stems.len() as u64, files.count() as u64, bytes)
    };
    let summary = report.read()["summary"].clone();
    for (at, subdir) in ["linux-64", "noarch"].into_iter().enumerate() {
        let (builds, files, bytes) = planned(subdir);
        let printed = row(&finished, subdir);
        assert_eq!((printed.builds, printed.files), (builds, files), "{subdir}");
        assert_eq!(printed.size, size(bytes));
        assert_eq!(printed.time, None, "no rate is known");
        assert_eq!(summary["subdirs"][at]["subdir"], subdir);
        assert_eq!(summary["subdirs"][at]["planned_bytes"], bytes);
    }
    let total = row(&finished, "total");
    let sum = row(&finished, "linux-64").files + row(&finished, "noarch").files;
    assert_eq!(total.files, sum);
    assert_eq!(summary["dry_run"], true);
    assert_eq!(summary["registry"], Value::Null);
    let left_out = "4 files cannot be named in OCI";
    assert!(finished.stdout.contains(left_out), "{}", finished.to_text());
}

#[tokio::test]
async fn with_a_registry_it_writes_nothing_anywhere() {
    let stage = Stage::registry(four_packages).await;
    let finished = stage.run().arg("--dry-run").run().await;
    finished.assert_code(0);
    assert_eq!(row(&finished, "linux-64").files, 4);
    assert_eq!(stage.fake().log().writes(), 0, "{}", stage.log());
    assert_eq!(stage.fake().repositories(), Vec::<String>::new());
    assert_untouched(&stage);
}

#[tokio::test]
async fn with_a_folder_it_does_not_even_make_the_folder() {
    let stage = Stage::folder(four_packages).await;
    let target = stage.home.path().join("mirror");
    let to = format!("oci:{}", target.display());
    let finished = offline(&stage).args(["--registry", &to]).run().await;
    finished.assert_code(0);
    assert_eq!(row(&finished, "linux-64").files, 4);
    assert_untouched(&stage);
}

#[tokio::test]
async fn with_a_folder_that_has_a_mirror_it_leaves_every_byte() {
    let stage = Stage::folder(four_packages).await;
    let to = stage.home.path().join("mirror");
    let run = || {
        let to = format!("oci:{}", to.display());
        mirror(&stage.home, stage.source.url(), to).args(["-s", "linux-64"])
    };
    run().args(["-p", "zlib"]).run().await.assert_code(0);
    let before = contents(&to);
    let finished = run().arg("--dry-run").run().await;
    finished.assert_code(0);
    assert_eq!(row(&finished, "linux-64").files, 2);
    assert!(contents(&to) == before, "the mirror was changed");
}

#[tokio::test]
async fn of_a_mirror_half_done_it_shows_only_what_is_left() {
    let stage = Stage::registry(four_packages).await;
    stage.run().args(["-p", "zlib"]).run().await.assert_code(0);
    let state = stage.home.path().join("state");
    let before = contents(&state);
    stage.source.forget_requests();
    stage.fake().log().clear();

    let finished = stage.run().arg("--dry-run").run().await;
    finished.assert_code(0);
    let left = row(&finished, "linux-64");
    assert_eq!((left.builds, left.files), (2, 2));
    let held = "2 files are held already";
    assert!(finished.stdout.contains(held), "{}", finished.to_text());
    assert_eq!(stage.fake().log().writes(), 0, "{}", stage.log());
    assert_eq!(downloads(&stage.source), 0);
    assert!(contents(&state) == before, "the ledger was changed");

    stage.run().run().await.assert_code(0);
    stage.assert_complete();
    let finished = stage.run().arg("--dry-run").run().await;
    let unchanged = finished
        .stdout
        .matches("unchanged since the last run")
        .count();
    assert_eq!(unchanged, 2, "{}", finished.to_text());
    let nothing = row(&finished, "total");
    assert_eq!((nothing.builds, nothing.files, nothing.writes), (0, 0, 0));
}

#[tokio::test]
async fn the_writes_it_names_are_enough_and_hardly_too_many() {
    let stage = Stage::registry(|dir| bulk_of(dir, 3, 5, 3_000)).await;
    let planned = row(&stage.run().arg("--dry-run").run().await, "linux-64");
    stage.run().run().await.assert_code(0);
    let linux = stage.subdir("linux-64");
    let of_linux = |repository: &str| repository.starts_with(&linux);
    let log = stage.fake().log();
    let made = log.select(|e| e.kind.is_write() && e.repository.as_deref().is_some_and(of_linux));
    // The configs of index and shards may be mounted, which saves a request each.
    let made = made.len() as u64;
    let (least, most) = (made, made + 2);
    assert!(
        (least..=most).contains(&planned.writes),
        "{planned:?}, made {made}"
    );
}

#[tokio::test]
async fn a_subdir_that_cannot_be_planned_is_not_shown_as_nothing_to_do() {
    let stage = Stage::registry(four_packages).await;
    let index = "linux-64/repodata.json.zst";
    stage.source.fault(index, Fault::Html, Times::Always);
    let finished = stage.run().arg("--dry-run").run().await;
    finished.assert_code(2);
    let line = finished
        .stdout
        .lines()
        .find(|line| line.starts_with("linux-64"));
    let says = line.is_some_and(|line| line.contains("could not be planned"));
    assert!(says, "{}", finished.to_text());
    assert_eq!(row(&finished, "noarch").files, 0);
}

/// Every file below a folder with its bytes.
fn contents(folder: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            match entry.unwrap().path() {
                path if path.is_dir() => folders.push(path),
                path => found.push((path.clone(), std::fs::read(path).unwrap())),
            }
        }
    }
    found.sort();
    found
}

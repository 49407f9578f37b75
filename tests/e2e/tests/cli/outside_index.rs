//! Files that the registry holds and the channel still names, which the index does not list: counted, and named in the
//! report with why.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mirror_e2e::mirror::Report;
use mirror_e2e::stage::Stage;
use mirror_kit::channel::{Channel, ChannelBuilder, Listing};
use mirror_kit::package::PackageSpec;
use mirror_kit::process::{Finished, Run};
use serde_json::Value;

use crate::support::{downloads, files, indexed};

fn file(name: &str) -> String {
    format!("{name}-1.0-0.conda")
}

/// `plain`, `gone`, `unwanted` and `yanked`, each what its name says at the end of [`three_ways_out`].
fn four_fates(dir: PathBuf) -> anyhow::Result<Channel> {
    let package = |name: &str| PackageSpec::new(name, "1.0", "0");
    ChannelBuilder::new(dir)
        .subdir("noarch")
        .package(package("plain"))
        .package(package("gone"))
        .package(package("unwanted"))
        .package_as(package("yanked"), Listing::yanked())
        // Whoever was never mirrored is not held.
        .top_level(
            "linux-64",
            "removed",
            r#"["gone-1.0-0.conda", "never-1.0-0.conda"]"#,
        )
        .build()
}

fn reported(stage: &Stage, run: Run) -> (Run, Report) {
    let report = Report::in_home(&stage.home);
    (run.arg("--report").arg(report.path()), report)
}

/// Why each file outside the index is there.
fn outside(report: &Value) -> BTreeMap<String, String> {
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let entries = report["files"].as_array().unwrap().iter();
    let outside = entries.filter(|entry| entry.get("outside_index").is_some());
    outside
        .map(|entry| (text(entry, "file"), text(entry, "outside_index")))
        .collect()
}

fn assert_counted(finished: &Finished, report: &Value, count: usize) {
    let summary = &report["summary"];
    assert_eq!(outside(report).len(), count, "{report:#}");
    assert_eq!(summary["totals"]["outside_index"], count, "{summary:#}");
    assert_eq!(summary["subdirs"][0]["outside_index"], count);
    let says = format!("{count} held outside the index");
    let said = finished.stdout.contains(&says);
    assert_eq!(said, count > 0, "{says}: {}", finished.to_text());
}

/// Mirrored whole, then `gone` removed by the channel and `unwanted` excluded by the user.
async fn three_ways_out() -> Stage {
    let mut stage = Stage::registry(four_fates).await;
    stage.run().run().await.assert_code(0);
    stage.channel.remove(&file("gone")).unwrap();
    stage.source.forget_requests();
    stage
}

#[tokio::test]
async fn a_yanked_file_is_outside_from_the_run_that_brings_it() {
    let stage = Stage::registry(four_fates).await;
    let (run, report) = reported(&stage, stage.run());
    let finished = run.run().await;
    finished.assert_code(0);
    assert_counted(&finished, &report.read(), 1);
    let entry = report.entry(&file("yanked"));
    assert_eq!(
        (&entry["outcome"], &entry["outside_index"]),
        (&"done".into(), &"yanked".into())
    );
    assert_eq!(
        indexed(&stage),
        files(&[
            "plain-1.0-0.conda",
            "gone-1.0-0.conda",
            "unwanted-1.0-0.conda"
        ])
    );
    assert_eq!(stage.held(&stage.view()).len(), 4);
}

#[tokio::test]
async fn yanked_removed_and_excluded_files_stay_in_the_registry_and_are_told_apart() {
    let stage = three_ways_out().await;
    let (run, report) = reported(&stage, stage.run().args(["--exclude", "unwanted"]));
    let finished = run.run().await;
    finished.assert_code(0);
    let expected = ["gone", "unwanted", "yanked"]
        .into_iter()
        .zip(["removed", "excluded", "yanked"]);
    let expected = expected.map(|(name, why)| (file(name), why.to_owned()));
    assert_eq!(outside(&report.read()), expected.collect());
    assert_counted(&finished, &report.read(), 3);
    for name in ["gone", "unwanted", "yanked"] {
        let entry = report.entry(&file(name));
        assert_eq!(entry["outcome"], "held", "{name}");
        assert!(entry["bytes"].as_u64() > Some(0), "{name}: {entry}");
    }
    assert_eq!(indexed(&stage), files(&["plain-1.0-0.conda"]));
    assert_eq!(
        stage.held(&stage.view()).len(),
        3,
        "of those that the channel still has"
    );
    assert_eq!(downloads(&stage.source), 0);
}

#[tokio::test]
async fn a_dry_run_counts_them_too() {
    let stage = three_ways_out().await;
    let finished = stage
        .run()
        .args(["--exclude", "unwanted", "--dry-run"])
        .run()
        .await;
    finished.assert_code(0);
    let line = finished
        .stdout
        .lines()
        .find(|line| line.starts_with("3 files are held outside the index"));
    let line = line.unwrap_or_else(|| panic!("{}", finished.to_text()));
    for why in ["yanked", "removed", "excluded"] {
        assert!(line.contains(why), "no {why}: {line}");
    }
}

#[tokio::test]
async fn what_was_never_held_and_what_the_index_lists_again_are_not_outside() {
    let mut stage = three_ways_out().await;
    stage
        .run()
        .args(["--exclude", "unwanted"])
        .run()
        .await
        .assert_code(0);
    // The channel takes one back and forgets to say so; the user takes the other back.
    stage
        .channel
        .add(PackageSpec::new("gone", "1.0", "0"), Listing::indexed())
        .unwrap();
    let (run, report) = reported(&stage, stage.run());
    let finished = run.run().await;
    finished.assert_code(0);
    assert_counted(&finished, &report.read(), 1);
    assert_eq!(
        outside(&report.read()).into_keys().collect::<Vec<_>>(),
        [file("yanked")]
    );
    assert_eq!(downloads(&stage.source), 0, "all of it was held");
    assert_eq!(indexed(&stage).len(), 3);
}

#[tokio::test]
async fn a_file_that_the_index_lists_is_not_outside_whatever_else_names_it_and_whatever_is_selected()
 {
    let stage = Stage::registry(four_fates).await;
    stage.run().run().await.assert_code(0);
    // `gone` stands in `removed` and is listed all the same.
    let (run, report) = reported(&stage, stage.run().args(["-p", "plain"]));
    run.run().await.assert_code(0);
    assert!(indexed(&stage).contains(&file("gone")));
    assert!(
        !outside(&report.read()).contains_key(&file("gone")),
        "{:#}",
        report.read()
    );
}

#[tokio::test]
async fn an_excluded_file_is_named_once_also_if_the_channel_removed_it() {
    let stage = Stage::registry(four_fates).await;
    stage.run().run().await.assert_code(0);
    let (run, report) = reported(&stage, stage.run().args(["--exclude", "gone"]));
    let finished = run.run().await;
    finished.assert_code(0);
    assert_eq!(report.entry(&file("gone"))["outside_index"], "excluded");
    assert_counted(&finished, &report.read(), 2);
}

#[tokio::test]
async fn a_yanked_file_counts_whatever_the_run_selects_or_excludes() {
    for selection in [["-p", "plain"], ["--exclude", "yanked"]] {
        let stage = Stage::registry(four_fates).await;
        stage.run().run().await.assert_code(0);
        let (run, report) = reported(&stage, stage.run().args(selection));
        run.run().await.assert_code(0);
        let outside = outside(&report.read());
        assert!(
            outside.contains_key(&file("yanked")),
            "{selection:?}: {outside:?}"
        );
    }
}

#[tokio::test]
async fn a_file_in_the_index_is_not_outside_it_because_an_older_record_of_it_is_not_selected() {
    // What a repodata patch does: the listing of archived files keeps the licence that the package was built with.
    let patched = |dir: PathBuf| {
        let channel = ChannelBuilder::new(dir)
            .subdir("noarch")
            .package(PackageSpec::new("plain", "1.0", "0"))
            .with_from_packages()
            .build()?;
        let folder = channel.dir.join("linux-64");
        let path = folder.join("repodata_from_packages.json");
        let text = std::fs::read_to_string(&path)?;
        let older = text.replace("BSD-3-Clause", "BSD 3-Clause");
        anyhow::ensure!(older != text);
        std::fs::write(&path, older)?;
        let _ = std::fs::remove_file(folder.join("repodata_from_packages.json.zst"));
        Ok(channel)
    };
    let stage = Stage::registry(patched).await;
    for pattern in ["*[license=BSD-3-Clause]", "plain[license=BSD-3-Clause]"] {
        let (run, report) = reported(&stage, stage.run().args(["--package", pattern]));
        let finished = run.run().await;
        finished.assert_code(0);
        assert_counted(&finished, &report.read(), 0);
    }
    assert_eq!(indexed(&stage), files(&[&file("plain")]));
}

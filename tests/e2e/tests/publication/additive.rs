//! Selections add up over runs: a later choice takes nothing back. Exclusions do: what they name leaves the index.

use std::collections::BTreeSet;
use std::path::PathBuf;

use mirror_e2e::stage::Stage;
use mirror_kit::channel::{Channel, ChannelBuilder, Listing};
use mirror_kit::package::{Format::TarBz2, PackageSpec};
use mirror_kit::process::Home;

use crate::support::{file, files, indexed, named};

const NAMES: [&str; 3] = ["a", "b", "c"];

#[tokio::test]
async fn what_one_run_mirrored_stays_in_the_index_of_the_next() {
    let stage = Stage::registry(named(&NAMES)).await;
    stage.run().args(["-p", "a"]).run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["a"]));
    stage.run().args(["-p", "b"]).run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["a", "b"]));
    assert_eq!(stage.downloads_of(&file("a")), 1);
    stage.assert_indexes_exact();
    stage.assert_publications_passed();
}

#[tokio::test]
async fn the_same_without_the_first_runs_ledger() {
    let stage = Stage::registry(named(&NAMES)).await;
    stage.run().args(["-p", "a"]).run().await.assert_code(0);
    stage
        .run_in(&Home::new())
        .args(["-p", "b"])
        .run()
        .await
        .assert_code(0);
    assert_eq!(indexed(&stage), files(["a", "b"]));
    assert_eq!(stage.downloads_of(&file("a")), 1);
}

#[tokio::test]
async fn a_new_version_of_what_is_not_selected_any_more_is_not_brought_and_the_old_one_stays() {
    let mut stage = Stage::registry(named(&NAMES)).await;
    stage.run().args(["-p", "a"]).run().await.assert_code(0);
    let newer = PackageSpec::new("a", "2.0", "0");
    stage.channel.add(newer, Listing::indexed()).unwrap();
    stage.run().args(["-p", "b"]).run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["a", "b"]));
}

#[tokio::test]
async fn what_the_channel_takes_away_leaves_the_index_and_stays_in_the_registry() {
    let mut stage = Stage::registry(named(&NAMES)).await;
    stage.run().run().await.assert_code(0);
    let removed = stage.channel.remove(&file("b")).unwrap();
    stage.run().run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["a", "c"]));
    let (repository, tag) = stage.place(&removed);
    assert!(stage.view().manifest(&repository, &tag).is_some());
}

#[tokio::test]
async fn new_content_under_an_old_name_is_mirrored_again_and_never_listed_before_it_is_there() {
    let mut stage = Stage::registry(named(&NAMES)).await;
    stage.run().run().await.assert_code(0);
    stage.channel.replace(&file("b")).unwrap();
    // A run that does not select it must not list the new hash over the old bytes.
    stage.run().args(["-p", "a"]).run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["a", "c"]));
    stage.run().run().await.assert_code(0);
    stage.assert_complete();
}

#[tokio::test]
async fn what_is_excluded_leaves_the_index_stays_in_the_registry_and_comes_back_without_a_download()
{
    let stage = Stage::registry(named(&NAMES)).await;
    stage.run().run().await.assert_code(0);
    let held = stage.held(&stage.view());
    for exclude in ["b", "[b]", "b@1.0", "b >=1", "*[fn='b-1.0-0.conda']"] {
        let finished = stage.run().args(["--exclude", exclude]).run().await;
        finished.assert_code(0);
        assert_eq!(indexed(&stage), files(["a", "c"]), "{exclude}");
        assert_eq!(stage.held(&stage.view()), held, "{exclude}");
        stage.run().run().await.assert_code(0);
        assert_eq!(indexed(&stage), files(NAMES), "after {exclude}");
    }
    assert_eq!(
        stage.downloads().into_values().collect::<Vec<_>>(),
        [1, 1, 1]
    );
    stage.assert_complete();
}

#[tokio::test]
async fn an_exclusion_holds_for_what_other_selections_mirrored_and_whatever_this_one_selects() {
    let stage = Stage::registry(named(&NAMES)).await;
    stage
        .run()
        .args(["-p", "a", "-p", "b"])
        .run()
        .await
        .assert_code(0);
    let run = stage
        .run()
        .args(["-p", "b", "-p", "c", "--exclude", "a", "--exclude", "c"]);
    run.run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["b"]));
    assert_eq!(stage.downloads_of(&file("c")), 0);
    stage.assert_indexes_exact();
}

#[tokio::test]
async fn an_exclusion_holds_without_the_first_runs_ledger() {
    let stage = Stage::registry(named(&NAMES)).await;
    stage.run().run().await.assert_code(0);
    let run = stage
        .run_in(&Home::new())
        .args(["-p", "a", "--exclude", "b"]);
    run.run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["a", "c"]));
    assert_eq!(stage.downloads().into_values().sum::<usize>(), 3);
    stage.assert_indexes_exact();
}

#[tokio::test]
async fn an_exclusion_of_everything_is_published_only_when_that_is_wanted() {
    let stage = Stage::registry(named(&NAMES)).await;
    stage.run().run().await.assert_code(0);
    let run = || stage.run().args(["--exclude", "*"]);
    let refused = run().run().await;
    refused.assert_code(2);
    assert!(
        refused.stderr.contains("--allow-shrink"),
        "{}",
        refused.to_text()
    );
    assert_eq!(indexed(&stage), files(NAMES));
    run().arg("--allow-shrink").run().await.assert_code(0);
    assert_eq!(indexed(&stage), BTreeSet::new());
    assert_eq!(stage.held(&stage.view()), files(NAMES));
}

/// `tool` 1.0 in both formats, and 2.0.
fn versions(dir: PathBuf) -> anyhow::Result<Channel> {
    let tool = |version: &str| PackageSpec::new("tool", version, "0");
    ChannelBuilder::new(dir)
        .subdir("noarch")
        .package(tool("1.0"))
        .package(tool("1.0").format(TarBz2))
        .package(tool("2.0"))
        .build()
}

#[tokio::test]
async fn what_one_filter_let_through_stays_when_the_next_does_not() {
    let mut stage = Stage::registry(versions).await;
    let mut expected = BTreeSet::new();
    let mut runs = 0;
    for (filter, brings) in [
        (["--formats", "tar.bz2"], &["tool-1.0-0.tar.bz2"][..]),
        (["--latest", "1"], &["tool-2.0-0.conda"]),
        (["--max-size", "1"], &[]),
        (["--newer-than", "1h"], &[]),
        (["--package", "tool@1.0"], &["tool-1.0-0.conda"]),
    ] {
        stage.run().args(filter).run().await.assert_code(0);
        expected.extend(brings.iter().map(|file| (*file).to_owned()));
        assert_eq!(indexed(&stage), expected, "{filter:?}");
        runs += brings.len();
        assert_eq!(
            stage.downloads().into_values().sum::<usize>(),
            runs,
            "{filter:?}"
        );
    }
    stage
        .channel
        .add(PackageSpec::new("tool", "10.0", "0"), Listing::indexed())
        .unwrap();
    stage
        .run()
        .args(["--latest", "1"])
        .run()
        .await
        .assert_code(0);
    expected.insert("tool-10.0-0.conda".to_owned());
    assert_eq!(indexed(&stage), expected);
    stage.assert_complete();
}

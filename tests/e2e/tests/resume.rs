//! What a later run makes of what earlier ones left: nothing is transferred twice, whatever was lost is noticed, and the
//! index follows.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use mirror_e2e::mirror::mirror;
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_e2e::stored::manifests_in_registry;
use mirror_kit::channel::{Channel, ChannelBuilder, Listing, bulk, standard};
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::fake_registry::Kind;
use mirror_kit::package::{Fill, Format, PackageSpec};
use mirror_kit::process::Home;

const ZLIB: &str = "zlib-1.3.1-h0_1.conda";

async fn both(make: fn(PathBuf) -> anyhow::Result<Channel>) -> [Stage; 2] {
    [Stage::registry(make).await, Stage::folder(make).await]
}

fn thirty(dir: PathBuf) -> anyhow::Result<Channel> {
    bulk(dir, 30, 4_000)
}

/// A complete mirror.
async fn filled(stage: &Stage) {
    stage.run().run().await.assert_code(0);
    stage.assert_complete();
}

/// Requests that would change the registry since the log was cleared, one a line.
fn writes(stage: &Stage) -> String {
    let writes = stage.fake().log().select(|entry| entry.kind.is_write());
    let lines: Vec<String> = writes.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[tokio::test]
async fn a_second_run_of_an_unchanged_channel_transfers_and_writes_nothing() {
    for stage in both(standard).await {
        filled(&stage).await;
        let downloads = stage.downloads();
        let written = stage.written();
        stage.run().run().await.assert_code(0);
        assert_eq!(stage.downloads(), downloads);
        assert_eq!(stage.written(), written);
        stage.assert_complete();
    }
}

#[tokio::test]
async fn new_content_under_an_old_name_is_mirrored_again_and_listed_with_its_hash() {
    for mut stage in both(standard).await {
        filled(&stage).await;
        let downloads = stage.downloads();
        let old = stage.channel.file(ZLIB).sha256.clone();
        let new = stage.channel.replace(ZLIB).unwrap().sha256.clone();
        assert_ne!(old, new);
        stage.run().run().await.assert_code(0);
        stage.assert_complete();
        assert_eq!(stage.record("linux-64", ZLIB).unwrap()["sha256"], *new);
        let mut expected = downloads;
        *expected.get_mut(ZLIB).unwrap() += 1;
        assert_eq!(stage.downloads(), expected);
    }
}

#[tokio::test]
async fn a_record_that_upstream_removes_leaves_the_index_and_its_file_stays() {
    for mut stage in both(standard).await {
        filled(&stage).await;
        let file = stage.channel.file(ZLIB).clone();
        stage.channel.remove(ZLIB).unwrap();
        stage.run().run().await.assert_code(0);
        stage.assert_complete();
        assert_eq!(stage.record("linux-64", ZLIB), None);
        let (repository, _) = stage.place(&file);
        let blob = stage
            .view()
            .blob(&repository, &format!("sha256:{}", file.sha256));
        assert_eq!(blob.unwrap().len() as u64, file.size);
    }
}

#[tokio::test]
async fn without_its_ledger_a_run_pushes_and_downloads_nothing_again() {
    for stage in both(thirty).await {
        filled(&stage).await;
        let (downloads, written) = (stage.downloads(), stage.written());
        let other = Home::new();
        for _ in 0..2 {
            stage.run_in(&other).run().await.assert_code(0);
            assert_eq!(stage.downloads(), downloads);
            assert_eq!(stage.written(), written);
        }
        stage.assert_complete();
    }
}

#[tokio::test]
async fn without_its_ledger_a_run_looks_for_files_that_no_index_lists_before_it_brings_them() {
    for mut stage in both(standard).await {
        filled(&stage).await;
        let downloads = stage.downloads();
        // One that is archived only, so that it must be looked for, and one that is new.
        assert!(stage.channel.files.iter().any(|file| !file.indexed));
        let spec = PackageSpec::new("fresh", "1.0", "h0_0").payload(5_000, Fill::Random);
        let fresh = stage.channel.add(spec, Listing::indexed()).unwrap();
        let fresh = fresh.file_name.clone();
        let other = Home::new();
        stage.run_in(&other).run().await.assert_code(0);
        stage.assert_complete();
        let mut expected = downloads;
        expected.insert(fresh, 1);
        assert_eq!(stage.downloads(), expected);

        let written = stage.written();
        stage.run_in(&other).run().await.assert_code(0);
        assert_eq!(stage.written(), written, "everything is held");
    }
}

#[tokio::test]
async fn a_ledger_lost_in_the_middle_of_a_first_fill_costs_no_finished_file() {
    for stage in both(thirty).await {
        let killed = stage.run().args(["--workers", "4"]);
        killed
            .kill_at_nth("after-manifest", 13)
            .run()
            .await
            .assert_killed();
        let held = stage.held(&stage.view());
        assert!(held.len() >= 13 && held.len() < 30, "{}", held.len());
        let downloads = stage.downloads();
        stage.run_in(&Home::new()).run().await.assert_code(0);
        stage.assert_complete();
        for file in &held {
            assert_eq!(stage.downloads_of(file), downloads[file], "{file}");
        }
    }
}

#[tokio::test]
async fn a_destination_emptied_under_a_living_ledger_is_noticed_and_filled_again() {
    for stage in both(standard).await {
        filled(&stage).await;
        stage.empty_destination();
        filled(&stage).await;
        assert!(stage.downloads().values().all(|count| *count == 2));

        let written = stage.written();
        stage.run().run().await.assert_code(0);
        assert_eq!(stage.written(), written, "everything is held");
    }
}

#[tokio::test]
async fn an_interrupted_refill_of_an_emptied_registry_goes_on_where_it_stopped() {
    let stage = Stage::registry(thirty).await;
    filled(&stage).await;
    stage.empty_destination();
    let killed = stage.run().args(["--workers", "4"]);
    killed
        .kill_at_nth("before-ack", 13)
        .run()
        .await
        .assert_killed();
    let held = stage.held(&stage.view());
    filled(&stage).await;
    for file in &held {
        assert_eq!(stage.downloads_of(file), 2, "{file}");
    }
}

#[tokio::test]
async fn an_index_without_its_files_is_not_believed_by_a_new_ledger() {
    let stage = Stage::registry(thirty).await;
    filled(&stage).await;
    for repository in stage.fake().repositories() {
        if !repository.contains("/repodata.json") {
            stage.fake().delete_repository(&repository);
        }
    }
    assert_eq!(stage.held(&stage.view()).len(), 0);
    let finished = stage.run_in(&Home::new()).run().await;
    finished.assert_code(0);
    assert!(
        finished.stderr.contains("does not hold"),
        "{}",
        finished.to_text()
    );
    stage.assert_complete();
    assert!(stage.downloads().values().all(|count| *count == 2));
}

#[tokio::test]
async fn two_ledgers_that_take_turns_keep_one_exact_index_and_transfer_nothing_twice() {
    for mut stage in both(thirty).await {
        let homes = [Home::new(), Home::new()];
        for turn in 0..6 {
            stage.run_in(&homes[turn % 2]).run().await.assert_code(0);
            stage.assert_complete();
            let spec = PackageSpec::new("turn", &format!("{turn}.0"), "0");
            stage.channel.add(spec, Listing::indexed()).unwrap();
            let removed = format!("bulk-{turn:05}-1.0-h0_0.conda");
            stage.channel.remove(&removed).unwrap();
        }
        let twice: BTreeMap<_, _> = stage
            .downloads()
            .into_iter()
            .filter(|(_, n)| *n > 1)
            .collect();
        assert_eq!(twice, BTreeMap::new());
    }
}

/// One build in two formats that do not say the same about themselves.
fn two_formats(dir: PathBuf) -> anyhow::Result<Channel> {
    let conda = PackageSpec::new("pair", "1.0", "h0_0").payload(9_000, Fill::Random);
    let older = conda
        .clone()
        .format(Format::TarBz2)
        .summary("the older one");
    ChannelBuilder::new(dir)
        .package(conda)
        .package(older)
        .build()
}

#[tokio::test]
async fn a_format_that_comes_later_joins_the_other_as_if_they_had_come_together() {
    let (conda, older) = ("pair-1.0-h0_0.conda", "pair-1.0-h0_0.tar.bz2");
    for (late, early) in [(conda, older), (older, conda)] {
        let stage = Stage::registry(two_formats).await;
        stage.source.fault(late, Fault::status(404), Times::Always);
        stage.run().run().await.assert_code(1);
        assert_eq!(stage.held(&stage.view()), [early.to_owned()].into());
        assert_eq!(
            stage.view().index_files(&stage.subdir("linux-64")),
            [early.to_owned()].into()
        );

        stage.source.heal();
        stage.run().arg("--retry-failed").run().await.assert_code(0);
        stage.assert_complete();
        assert_eq!(stage.downloads_of(early), 1);

        let together = format!("{}/together", stage.fake().url());
        let fresh = mirror(&Home::new(), stage.source.url(), together);
        fresh
            .args(["--subdir", "linux-64"])
            .run()
            .await
            .assert_code(0);
        let view = stage.view();
        let of = |namespace| manifests_in_registry(&view, namespace);
        let pair = "channel/linux-64/pair:1.0-h0_0";
        assert_eq!(
            of(NAMESPACE)[pair],
            of("together")[pair],
            "{late} came later"
        );
    }
}

#[tokio::test]
async fn a_failed_file_rests_unless_the_user_insists_or_upstream_replaces_it() {
    let mut stage = Stage::registry(thirty).await;
    let bad = "bulk-00007-1.0-h0_0.conda";
    stage.source.fault(bad, Fault::status(404), Times::Always);
    stage.run().run().await.assert_code(1);
    let tried = stage.downloads_of(bad);
    assert_eq!(stage.record("linux-64", bad), None);
    assert_eq!(
        stage.view().index_files(&stage.subdir("linux-64")).len(),
        29
    );

    for run in [stage.run(), stage.run().args(["--package", "bulk-*"])] {
        run.run().await.assert_code(1);
        assert_eq!(
            stage.downloads_of(bad),
            tried,
            "it rests, whatever the selection"
        );
    }

    stage.run().arg("--retry-failed").run().await.assert_code(1);
    let again = stage.downloads_of(bad);
    assert!(again > tried, "tried when the user insists");

    stage.source.heal();
    stage.run().run().await.assert_code(1);
    assert_eq!(stage.downloads_of(bad), again, "it rests anew");

    stage.channel.replace(bad).unwrap();
    stage.run().run().await.assert_code(0);
    assert_eq!(stage.downloads_of(bad), again + 1);
    stage.assert_complete();
    assert!(
        stage
            .downloads()
            .iter()
            .all(|(file, count)| file == bad || *count == 1)
    );
}

#[tokio::test]
async fn a_file_that_failed_by_denial_is_tried_again_by_the_next_run() {
    let stage = Stage::registry(thirty).await;
    let when = mirror_kit::fake_registry::When::kind(Kind::ManifestPut);
    let when = when.repository_ending("/bulk-00007");
    stage
        .fake()
        .fault(when, mirror_kit::fake_registry::Fault::denied());
    stage.run().run().await.assert_code(1);
    stage.fake().clear_faults();
    filled(&stage).await;
}

#[tokio::test]
async fn a_registry_whose_index_was_deleted_gets_it_back_without_a_download() {
    let stage = Stage::registry(thirty).await;
    filled(&stage).await;
    let downloads = stage.downloads();
    let index = format!("{}/repodata.json", stage.subdir("linux-64"));
    assert!(stage.fake().delete_manifest(&index, "latest"));
    stage.fake().log().clear();
    filled(&stage).await;
    assert_eq!(stage.downloads(), downloads);
    assert!(!writes(&stage).contains("/bulk-"), "{}", writes(&stage));
}

#[tokio::test]
async fn a_resting_file_is_tried_along_with_its_build_and_counts_as_what_it_then_is() {
    let two_formats = |dir: PathBuf| {
        let zlib = || PackageSpec::new("zlib", "1.0", "0").payload(3_000, Fill::Random);
        ChannelBuilder::new(dir)
            .subdir("noarch")
            .package(zlib())
            .package(zlib().format(Format::TarBz2))
            .build()
    };
    let stage = Stage::registry(two_formats).await;
    let missing = Fault::status(404);
    stage
        .source
        .fault("zlib-1.0-0.conda", missing, Times::First(2));
    let run = |arguments: &[&str]| stage.run().args(arguments);
    run(&["--formats", "conda"]).run().await.assert_code(1);
    let limited = run(&["--max-files", "1"]).run().await;
    limited.assert_code(2);
    assert!(limited.stderr.contains("2 files"), "{}", limited.to_text());
    run(&["--max-files", "2"]).run().await.assert_code(0);
    stage.assert_complete();
    run(&[]).run().await.assert_code(0);
}

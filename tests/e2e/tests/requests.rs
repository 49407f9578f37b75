//! Requests are what a mirror's speed is made of: how many there are, counted at the registry.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use mirror_e2e::stage::Stage;
use mirror_kit::channel::{Channel, ChannelBuilder, bulk_of, standard};
use mirror_kit::fake_registry::{Anonymous, Auth, Bearer, Entry, Kind, Mount, Options, When};
use mirror_kit::package::{Fill, Format, PackageSpec};
use mirror_kit::process::Run;

fn build(version: &str) -> PackageSpec {
    PackageSpec::new("counted", version, "h0_0").payload(9_000, Fill::Random)
}

/// The requests to one repository, one a line.
fn requests(stage: &Stage, repository: &str) -> Vec<Entry> {
    let log = stage.fake().log();
    log.select(|entry| entry.repository.as_deref() == Some(repository))
}

fn kinds(entries: &[Entry]) -> BTreeMap<Kind, usize> {
    let mut kinds = BTreeMap::new();
    for entry in entries {
        *kinds.entry(entry.kind).or_default() += 1;
    }
    kinds
}

fn text(entries: &[Entry]) -> String {
    entries.iter().map(|entry| format!("{entry}\n")).collect()
}

/// The requests that a first fill makes to the repository of one name.
async fn requests_of(builds: Vec<PackageSpec>) -> Vec<Entry> {
    let make = |dir: PathBuf| {
        let builder = ChannelBuilder::new(dir);
        builds
            .into_iter()
            .fold(builder, ChannelBuilder::package)
            .build()
    };
    let stage = Stage::registry(make).await;
    stage.run().run().await.assert_code(0);
    stage.assert_complete();
    requests(&stage, &format!("{}/counted", stage.subdir("linux-64")))
}

#[tokio::test]
async fn a_warm_and_known_new_build_of_one_file_takes_seven_requests() {
    let one = requests_of(vec![build("1.0")]).await;
    let two = requests_of(vec![build("1.0"), build("2.0")]).await;
    assert_eq!(two.len() - one.len(), 7, "{}", text(&two));
    let expected = [
        (Kind::UploadPost, 6),
        (Kind::UploadPut, 6),
        (Kind::ManifestPut, 2),
    ];
    let rest = [(Kind::Mount, 1), (Kind::TagsList, 1)];
    assert_eq!(
        kinds(&two),
        expected.into_iter().chain(rest).collect(),
        "{}",
        text(&two)
    );
}

#[tokio::test]
async fn a_warm_and_known_new_build_of_two_files_takes_nine_requests() {
    let one = requests_of(vec![build("1.0")]).await;
    let both = [build("2.0"), build("2.0").format(Format::TarBz2)];
    let two = requests_of([build("1.0")].into_iter().chain(both).collect()).await;
    assert_eq!(two.len() - one.len(), 9, "{}", text(&two));
}

fn sixty(dir: PathBuf) -> anyhow::Result<Channel> {
    bulk_of(dir, 20, 60, 3_000)
}

#[tokio::test]
async fn nothing_is_asked_about_a_build_known_new_before_its_first_push() {
    let stage = Stage::registry(sixty).await;
    stage.run().run().await.assert_code(0);
    for number in 0..20 {
        let repository = format!("{}/bulk-{number:05}", stage.subdir("linux-64"));
        let asked = requests(&stage, &repository);
        let reads: Vec<Entry> = asked
            .into_iter()
            .filter(|entry| !entry.kind.is_write())
            .collect();
        assert_eq!(
            kinds(&reads),
            [(Kind::TagsList, 1)].into(),
            "{}",
            text(&reads)
        );
    }
}

#[tokio::test]
async fn a_second_run_of_an_unchanged_channel_makes_three_requests_a_subdir_at_most_and_no_write() {
    let stage = Stage::registry(standard).await;
    stage.run().run().await.assert_code(0);
    for run in [stage.run(), stage.run()] {
        stage.fake().log().clear();
        run.run().await.assert_code(0);
        let log = stage.fake().log();
        assert_eq!(log.writes(), 0, "{}", log.to_text());
        for subdir in ["linux-64", "noarch"] {
            let inside = format!("/{subdir}/");
            let of_subdir = log.select(|entry| entry.path.contains(&inside));
            assert!(!of_subdir.is_empty(), "the registry is looked at");
            // `latest`, and what was added to it.
            assert_eq!(of_subdir.len(), 2, "{}", text(&of_subdir));
        }
        assert!(log.total() <= 6, "{}", log.to_text());
    }
}

#[tokio::test]
async fn an_index_that_differs_in_nothing_published_costs_three_looks_at_the_registry() {
    let mut stage = Stage::registry(standard).await;
    stage.run().run().await.assert_code(0);
    let elsewhere = "https://packages.invalid/linux-64/";
    stage
        .channel
        .set_base_url("linux-64", Some(elsewhere))
        .unwrap();
    stage.fake().log().clear();
    stage.run().run().await.assert_code(0);
    let log = stage.fake().log();
    let looks = log.select(|entry| entry.path.contains("/linux-64/"));
    // `latest`, and what was added to it, before the plan and before the publication.
    assert_eq!(
        kinds(&looks),
        [(Kind::ManifestGet, 3)].into(),
        "{}",
        text(&looks)
    );
}

#[tokio::test]
async fn the_config_is_sent_once_and_mounted_into_further_repositories() {
    let stage = Stage::registry(sixty).await;
    stage.run().run().await.assert_code(0);
    let log = stage.fake().log();
    let configs = log.select(|entry| entry.kind == Kind::UploadPut && entry.received == 2);
    // Two subdirs are at work at once: each may send it before the other has.
    assert!((1..=2).contains(&configs.len()), "{}", text(&configs));
    // Twenty packages, and the shards and the index of two subdirs; noarch has no shards.
    let mounts = log.count(Kind::Mount);
    assert_eq!(mounts + configs.len(), 23, "{}", log.to_text());
    let mounted = log.select(|entry| entry.kind == Kind::Mount);
    assert!(
        mounted.iter().all(|entry| entry.status == Some(201)),
        "{}",
        text(&mounted)
    );
}

#[tokio::test]
async fn a_registry_that_does_not_mount_costs_one_more_request_a_repository() {
    for mount in [Mount::Never, Mount::Refused] {
        let options = Options {
            mount,
            ..Options::default()
        };
        let stage = Stage::registry_with(options, sixty).await;
        stage.run().run().await.assert_code(0);
        stage.assert_complete();
        let repository = format!("{}/bulk-00019", stage.subdir("linux-64"));
        let entries = requests(&stage, &repository);
        // Tags, three builds, and the config.
        assert!(
            entries.len() <= 1 + 3 * 7 + 2,
            "{mount:?}: {}",
            text(&entries)
        );
    }
}

fn with_login(run: Run) -> Run {
    run.env("ORAS_USER", "robot").env("ORAS_PASS", "secret")
}

#[tokio::test]
async fn one_token_is_fetched_for_each_repository() {
    let bearer = |user, anonymous| {
        Auth::Bearer(Bearer {
            user,
            anonymous,
            ..Bearer::default()
        })
    };
    let user = Some(("robot".to_owned(), "secret".to_owned()));
    for (auth, login) in [
        (bearer(user, Anonymous::Nothing), true),
        (bearer(None, Anonymous::PullPush), false),
    ] {
        let options = Options {
            auth,
            ..Options::default()
        };
        let stage = Stage::registry_with(options, sixty).await;
        let run = if login {
            with_login(stage.run())
        } else {
            stage.run()
        };
        run.run().await.assert_code(0);
        stage.assert_complete();

        let log = stage.fake().log();
        let mut tokens: BTreeMap<String, usize> = BTreeMap::new();
        for token in log.select(|entry| entry.kind == Kind::Token) {
            *tokens.entry(scopes(&token)).or_default() += 1;
        }
        for number in 0..20 {
            let repository = format!("{}/bulk-{number:05}", stage.subdir("linux-64"));
            let pushing = format!("repository:{repository}:pull,push");
            let of_it = tokens.iter().filter(|(scope, _)| scope.contains(&pushing));
            let counted: usize = of_it.map(|(_, count)| count).sum();
            assert_eq!(counted, 1, "{repository}, login {login}: {tokens:#?}");
        }
        // The scheme, and what may be mounted from where, is learnt from refusals before the first package.
        let refused =
            log.select(|entry| entry.status == Some(401) && entry.path.contains("/bulk-"));
        assert!(refused.is_empty(), "{}", text(&refused));
    }
}

/// The scopes that a token was asked for, decoded.
fn scopes(token: &Entry) -> String {
    let query = token.query.clone().unwrap_or_default();
    let url = url::Url::parse(&format!("http://localhost/?{query}")).unwrap();
    let scopes = url.query_pairs().filter(|(key, _)| key == "scope");
    let scopes: Vec<String> = scopes.map(|(_, scope)| scope.into_owned()).collect();
    scopes.join(" ")
}

#[tokio::test]
async fn only_the_shards_that_changed_are_pushed() {
    let mut stage = Stage::registry(sixty).await;
    stage.run().run().await.assert_code(0);
    let shards = format!("{}/repodata.json/shards", stage.subdir("linux-64"));
    assert_eq!(stage.fake().log().count_in(&shards, Kind::ManifestPut), 20);

    stage.fake().log().clear();
    stage.channel.replace("bulk-00007-1.1-h0_0.conda").unwrap();
    stage.run().run().await.assert_code(0);
    stage.assert_complete();
    let log = stage.fake().log();
    let pushed = requests(&stage, &shards);
    assert_eq!(
        log.count_in(&shards, Kind::ManifestPut),
        1,
        "{}",
        text(&pushed)
    );
    let blobs = pushed
        .iter()
        .filter(|entry| entry.kind == Kind::UploadPut && entry.received > 2);
    assert_eq!(blobs.count(), 1, "{}", text(&pushed));
}

#[tokio::test]
async fn one_changed_package_is_the_only_one_that_is_touched() {
    let mut stage = Stage::registry(sixty).await;
    stage.run().run().await.assert_code(0);
    stage.fake().log().clear();
    stage.channel.replace("bulk-00007-1.1-h0_0.conda").unwrap();
    stage.run().run().await.assert_code(0);
    let elsewhere = stage.fake().log().select(|entry| {
        let repository = entry.repository.as_deref().unwrap_or_default();
        repository.contains("/bulk-") && !repository.ends_with("/bulk-00007")
    });
    assert!(elsewhere.is_empty(), "{}", text(&elsewhere));
}

#[tokio::test]
async fn repositories_far_away_are_asked_for_their_tags_side_by_side() {
    let names = 20;
    let stage = Stage::registry(|dir| bulk_of(dir, names, names * 11, 3_000)).await;
    let lists = When::kind(Kind::TagsList);
    let asked = stage.fake().hold(lists);
    let run = stage.run().spawn();
    // None of them was answered yet.
    asked.held_count(names).await;
    asked.release();
    run.wait().await.assert_code(0);
    stage.assert_complete();
}

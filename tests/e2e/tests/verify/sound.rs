//! Mirrors in which all is right, and what it costs to find that out.

use std::collections::BTreeMap;

use mirror_e2e::stage::Stage;
use mirror_kit::channel::standard;
use mirror_kit::fake_registry::Kind;
use mirror_kit::package::{Format, PackageSpec};

use crate::support::{found, report, verify};

#[tokio::test]
async fn a_mirror_of_a_channel_with_everything_in_it_is_right_also_to_the_byte() {
    let stage = Stage::registry(standard).await;
    stage.run().run().await.assert_code(0);
    for options in [&[][..], &["--deep"]] {
        let seen = report(&stage, verify(&stage).args(options), 0).await;
        assert_eq!(seen["summary"]["sound"], true, "{seen:#}");
        assert_eq!(seen["findings"].as_array().unwrap().len(), 0, "{seen:#}");
        let linux = &seen["summary"]["subdirs"][0];
        assert_eq!(linux["subdir"], "linux-64");
        let listed = stage.channel.mirrored();
        let listed = listed.filter(|file| file.subdir == "linux-64").count();
        assert_eq!(linux["records"], listed, "{seen:#}");
    }
    let finished = verify(&stage).run().await;
    finished.assert_code(0);
    assert!(
        finished.stdout.ends_with("all is right\n"),
        "{}",
        finished.to_text()
    );
    assert_eq!(finished.stderr, "", "quiet in a pipe");
    let quiet = verify(&stage).arg("--quiet").run().await;
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[tokio::test]
async fn a_repair_of_a_sound_mirror_writes_nothing() {
    let stage = crate::support::mirrored().await;
    let before = stage.written();
    report(&stage, verify(&stage).arg("--repair"), 0).await;
    assert_eq!(stage.written(), before);
    assert_eq!(stage.downloads_of("one-1.0-0.conda"), 1);
}

#[tokio::test]
async fn a_build_costs_a_manifest_and_its_blobs_and_a_repository_its_tags_and_config() {
    let stage = Stage::registry(|dir| {
        let build = |version| PackageSpec::new("counted", version, "0");
        mirror_kit::channel::ChannelBuilder::new(dir)
            .package(build("1.0"))
            .package(build("2.0"))
            .package(build("2.0").format(Format::TarBz2))
            .build()
    })
    .await;
    stage.run().run().await.assert_code(0);
    stage.fake().log().clear();
    report(&stage, verify(&stage), 0).await;
    let log = stage.fake().log();
    let of = |repository: String| {
        let mut kinds = BTreeMap::new();
        for entry in log.select(|entry| entry.repository.as_ref() == Some(&repository)) {
            *kinds.entry(entry.kind).or_default() += 1_usize;
        }
        kinds
    };
    let linux = stage.subdir("linux-64");
    // Two builds; package, info and index.json of each, the other format, and one config for both.
    assert_eq!(
        of(format!("{linux}/counted")),
        BTreeMap::from([
            (Kind::ManifestGet, 2),
            (Kind::BlobHead, 8),
            (Kind::TagsList, 1)
        ]),
        "{}",
        log.to_text()
    );
    // Each of the three blobs is looked at and read, the config looked at.
    assert_eq!(
        of(format!("{linux}/repodata.json")),
        BTreeMap::from([
            (Kind::ManifestGet, 1),
            (Kind::BlobHead, 4),
            (Kind::BlobGet, 3)
        ]),
        "{}",
        log.to_text()
    );
    assert_eq!(
        of(format!("{linux}/repodata.json/shards")),
        BTreeMap::from([(Kind::ManifestGet, 1), (Kind::BlobHead, 2)]),
        "{}",
        log.to_text()
    );
    assert_eq!(log.writes(), 0);
}

#[tokio::test]
async fn files_outside_the_index_are_reported_and_harm_nobody() {
    let stage = Stage::registry(|dir| {
        let build = |version| PackageSpec::new("kept", version, "0");
        mirror_kit::channel::ChannelBuilder::new(dir)
            .package(build("2.0"))
            .package_as(build("1.0"), mirror_kit::channel::Listing::yanked())
            .build()
    })
    .await;
    stage.run().run().await.assert_code(0);
    let repository = format!("{}/kept", stage.subdir("linux-64"));
    let view = stage.view();
    let manifest = view.manifest_json(&repository, "2.0-0").unwrap();
    view.put_manifest(&repository, "0.1-stray", &manifest);
    let outside = [
        format!("outside {repository}:0.1-stray"),
        format!("outside {repository}:1.0-0"),
    ];
    let seen = report(&stage, verify(&stage), 0).await;
    assert_eq!(found(&seen, "note"), outside, "{seen:#}");
    let known = verify(&stage).args(["--against", stage.source.url().as_ref()]);
    let known = report(&stage, known, 0).await;
    assert_eq!(found(&known, "note"), outside, "{known:#}");
    let yanked: Vec<_> = known["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["yanked"].as_bool())
        .collect();
    assert!(
        yanked.contains(&Some(true)) && yanked.contains(&Some(false)),
        "{known:#}"
    );
    assert_eq!(known["summary"]["subdirs"][0]["yanked"], 1);
}

#[tokio::test]
async fn where_nothing_is_published_it_says_so() {
    let stage = Stage::registry(crate::support::few).await;
    let all = stage.command_in("verify", &stage.home);
    let chosen = report(&stage, all, 1).await;
    assert_eq!(found(&chosen, "damage"), ["index-missing repodata.json"]);
    let to = format!("{}/ns", stage.fake().url());
    let any = mirror_e2e::mirror::command("verify", &stage.home, stage.source.url(), to);
    let any = any.run().await;
    any.assert_code(2);
    assert!(
        any.stderr.contains("nothing is published"),
        "{}",
        any.to_text()
    );
}

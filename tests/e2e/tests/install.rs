//! A mirror in a real registry, judged by rattler, the real client: what the channel lists is found, solved and
//! downloaded from the mirror alone, with the channel's bytes.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use bytes::Bytes;
use mirror_e2e::judged::{SUBDIRS, assert_all_is_downloaded};
use mirror_e2e::mirror::{Report, mirror};
use mirror_e2e::stored::{INFO_INDEX, Plain, REPODATA, manifests_in_registry, package_media_type};
use mirror_kit::channel::{Channel, ChannelBuilder, oci_name, standard};
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::fake_registry::FakeRegistry;
use mirror_kit::judge::Judge;
use mirror_kit::package::{Fill, PackageSpec};
use mirror_kit::process::{Home, Run};
use mirror_kit::servers::RealRegistry;
use serde_json::Value;
use tempfile::TempDir;

/// A channel that was mirrored over http into a registry of its own.
struct Mirrored {
    channel: Channel,
    registry: RealRegistry,
    report: Report,
    _upstream: FakeChannel,
    _home: Home,
}

impl Mirrored {
    async fn new(channel: Channel) -> Self {
        let upstream = FakeChannel::start(&channel.dir).await.unwrap();
        let registry = RealRegistry::start().await.unwrap();
        let home = Home::new();
        let report = Report::in_home(&home);
        let run = mirror(&home, upstream.url(), registry.destination());
        let finished = run.arg("--report").arg(report.path()).run().await;
        finished.assert_code(0);
        Self {
            channel,
            registry,
            report,
            _upstream: upstream,
            _home: home,
        }
    }

    async fn judge(&self) -> Judge {
        Judge::new(self.registry.addr()).await.unwrap()
    }

    /// Where clients look for the channel.
    fn path(&self) -> String {
        format!("{}/{}", self.registry.namespace(), self.channel.name)
    }

    fn plain(&self) -> Plain {
        Plain::of(&self.registry)
    }

    fn repository(&self, subdir: &str, name: &str) -> String {
        format!("{}/{subdir}/{name}", self.channel.name)
    }

    async fn index(&self, subdir: &str) -> Value {
        let repository = self.repository(subdir, "repodata.json");
        let bytes = self.plain().layer(&repository, "latest", REPODATA).await;
        serde_json::from_slice(&bytes.unwrap()).unwrap()
    }
}

fn folder(parent: &TempDir, name: &str) -> std::path::PathBuf {
    parent.path().join(name)
}

#[tokio::test]
async fn every_listed_file_is_found_and_downloaded_with_the_channels_bytes() {
    let dir = TempDir::new().unwrap();
    let mirrored = Mirrored::new(standard(folder(&dir, "standard")).unwrap()).await;
    let odd = [
        "_libgcc_mutex-0.1-main.tar.bz2",
        "epoch-1!2.0-h1_0.conda",
        "local-1.0+cu118-h1_0.conda",
        "legacy-2.0-0.tar.bz2",
        "zlib-1.3.1-h0_1.conda",
        "zlib-1.3.1-h0_1.tar.bz2",
        "future-1.0-h0_0.conda",
        "future-1.0-h0_0.tar.bz2",
    ];
    for file in odd {
        assert!(
            mirrored.channel.mirrored().any(|f| f.file_name == file),
            "the channel no longer has {file}"
        );
    }
    let judge = mirrored.judge().await;
    for sharded in [false, true] {
        assert_all_is_downloaded(&judge, &mirrored.path(), &mirrored.channel, sharded).await;
    }
}

#[tokio::test]
async fn an_environment_is_solved_from_the_mirror_with_and_without_shards() {
    let dir = TempDir::new().unwrap();
    let mirrored = Mirrored::new(standard(folder(&dir, "standard")).unwrap()).await;
    let judge = mirrored.judge().await;
    for sharded in [false, true] {
        let path = mirrored.path();
        let solved = judge.solve(&path, "linux-64", &["app", "future"], sharded);
        let solved = solved.await.unwrap();
        let names: BTreeSet<_> = solved
            .iter()
            .map(|record| record.package_record.name.as_normalized())
            .collect();
        let expected = [
            "_libgcc_mutex",
            "app",
            "epoch",
            "future",
            "greeter",
            "greeter-data",
            "legacy",
            "libgcc",
            "local",
            "oldstyle",
            "zlib",
        ];
        assert_eq!(names, BTreeSet::from(expected), "sharded: {sharded}");
        for record in &solved {
            let expected = mirrored.channel.file(&record.identifier.to_file_name());
            let bytes = judge.download_by_digest(record).await.unwrap();
            assert!(bytes == expected.bytes().unwrap(), "{}", record.identifier);
        }
    }
}

#[tokio::test]
async fn a_record_with_only_an_md5_is_listed_with_the_sha256_of_its_file() {
    let dir = TempDir::new().unwrap();
    let mirrored = Mirrored::new(standard(folder(&dir, "standard")).unwrap()).await;
    let legacy = mirrored.channel.file("legacy-2.0-0.tar.bz2");
    let upstream = std::fs::read_to_string(mirrored.channel.dir.join("linux-64/repodata.json"));
    assert!(!upstream.unwrap().contains(&legacy.sha256));
    let judge = mirrored.judge().await;
    for sharded in [false, true] {
        let path = mirrored.path();
        let found = judge.query(&path, &["linux-64"], &["legacy"], sharded);
        let found = found.await.unwrap();
        let sha256 = found[0].package_record.sha256.unwrap();
        assert_eq!(format!("{:x}", Bytes::from(sha256.to_vec())), legacy.sha256);
    }
}

#[tokio::test]
async fn what_oci_cannot_name_is_left_out_and_reported_and_no_failure() {
    let dir = TempDir::new().unwrap();
    let mirrored = Mirrored::new(standard(folder(&dir, "standard")).unwrap()).await;
    let left_out: Vec<_> = { mirrored.channel.files.iter() }
        .filter(|file| !file.representable)
        .collect();
    assert_eq!(left_out.len(), 4, "capital, long tag, tilde, wheel");
    for file in &left_out {
        let entry = mirrored.report.entry(&file.file_name);
        assert_eq!(entry["outcome"], "unrepresentable", "{entry}");
        assert_eq!(entry["subdir"], file.subdir, "{entry}");
        let name = file.record["name"].as_str().unwrap();
        assert!(entry["cause"].as_str().unwrap().len() > 10, "{entry}");
        let index = mirrored.index(&file.subdir).await.to_string();
        assert!(!index.contains(&format!("\"{name}\"")), "{name} is listed");
    }
    for subdir in SUBDIRS {
        let expected = left_out.iter().filter(|file| file.subdir == subdir);
        let report = mirrored.report.read();
        let summary = report["summary"]["subdirs"].as_array().unwrap();
        let summary = summary.iter().find(|one| one["subdir"] == subdir).unwrap();
        assert_eq!(summary["unrepresentable"], expected.count(), "{summary}");
        assert_eq!(summary["failed"], 0, "{summary}");
    }
    let plain = mirrored.plain();
    for name in ["longtag", "tilde", "pleasant"] {
        for subdir in SUBDIRS {
            let tags = plain.tags(&mirrored.repository(subdir, name)).await;
            assert_eq!(tags, Vec::<String>::new(), "{subdir}/{name}");
        }
    }
}

#[tokio::test]
async fn a_yanked_file_is_archived_but_not_listed() {
    let dir = TempDir::new().unwrap();
    let mirrored = Mirrored::new(standard(folder(&dir, "standard")).unwrap()).await;
    let yanked = mirrored.channel.file("yanked-0.9-h0_0.conda");
    let place = oci_name(&yanked.file_name).unwrap();
    let repository = mirrored.repository("linux-64", &place.component);
    let layer = package_media_type(&yanked.file_name);
    let bytes = mirrored.plain().layer(&repository, &place.tag, layer).await;
    assert!(bytes.unwrap() == yanked.bytes().unwrap());
    assert!(
        !mirrored
            .index("linux-64")
            .await
            .to_string()
            .contains("yanked")
    );
    let judge = mirrored.judge().await;
    for sharded in [false, true] {
        let path = mirrored.path();
        let found = judge.query(&path, &["linux-64"], &["yanked"], sharded);
        assert_eq!(found.await.unwrap().len(), 0);
    }
    assert_eq!(mirrored.report.entry(&yanked.file_name)["outcome"], "done");
}

#[tokio::test]
async fn a_missing_subdir_is_filled_into_the_index_json_beside_the_package_only() {
    let dir = TempDir::new().unwrap();
    let mirrored = Mirrored::new(standard(folder(&dir, "standard")).unwrap()).await;
    let file = mirrored.channel.file("oldstyle-1.0-0.tar.bz2");
    let repository = mirrored.repository("linux-64", "oldstyle");
    let plain = mirrored.plain();
    let index = plain.layer(&repository, "1.0-0", INFO_INDEX).await.unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    assert_eq!(index["subdir"], "linux-64");
    assert_eq!(index["name"], "oldstyle");
    let layer = package_media_type(&file.file_name);
    let package = plain.layer(&repository, "1.0-0", layer).await.unwrap();
    assert!(package == file.bytes().unwrap());
}

#[tokio::test]
async fn noarch_has_an_index_even_if_the_channel_has_none_or_an_empty_one() {
    let lonely = || PackageSpec::new("lonely", "1.0", "0").payload(2_000, Fill::Random);
    for empty_noarch in [false, true] {
        let dir = TempDir::new().unwrap();
        let mut builder = ChannelBuilder::new(folder(&dir, "platform")).package(lonely());
        if empty_noarch {
            builder = builder.subdir("noarch");
        }
        let channel = builder.build().unwrap();
        assert_eq!(channel.dir.join("noarch").exists(), empty_noarch);
        let mirrored = Mirrored::new(channel).await;
        let noarch = mirrored.index("noarch").await;
        assert_eq!(noarch["info"]["subdir"], "noarch");
        assert_eq!(noarch["packages"], serde_json::json!({}));
        assert_eq!(noarch["packages.conda"], serde_json::json!({}));
        let judge = mirrored.judge().await;
        for sharded in [false, true] {
            let path = mirrored.path();
            let found = judge.query(&path, &["noarch"], &["lonely"], sharded).await;
            assert_eq!(found.unwrap().len(), 0);
            let solved = judge.solve(&path, "linux-64", &["lonely"], sharded).await;
            assert_eq!(solved.unwrap().len(), 1);
        }
    }
}

#[tokio::test]
async fn a_channel_folder_makes_the_same_mirror_as_the_channel_over_http() {
    let dir = TempDir::new().unwrap();
    let channel = standard(folder(&dir, "standard")).unwrap();
    let upstream = FakeChannel::start(&channel.dir).await.unwrap();
    let path = channel.dir.display().to_string();
    let mut mirrors = Vec::new();
    for channel in [upstream.url(), path.clone(), format!("file://{path}")] {
        let registry = FakeRegistry::start();
        let destination = format!("{}/ns", registry.url());
        let finished = mirror(&Home::new(), channel, destination).run().await;
        finished.assert_code(0);
        mirrors.push(manifests_in_registry(&registry, "ns/standard"));
    }
    let packages = { mirrors[0].keys() }.filter(|key| !key.contains("repodata.json"));
    // All builds but the unrepresentable; three of them have two files.
    assert_eq!(packages.count(), channel.files.len() - 4 - 3);
    assert_eq!(mirrors[0], mirrors[1]);
    assert_eq!(mirrors[0], mirrors[2]);
}

#[tokio::test]
async fn a_channel_folder_is_named_from_where_the_command_runs() {
    let dir = TempDir::new().unwrap();
    let channel = standard(folder(&dir, "standard")).unwrap();
    let registry = RealRegistry::start().await.unwrap();
    let run = mirror(&Home::new(), "./standard", registry.destination());
    run.cwd(dir.path()).run().await.assert_code(0);
    let judge = Judge::new(registry.addr()).await.unwrap();
    let path = format!("{}/standard", registry.namespace());
    assert_all_is_downloaded(&judge, &path, &channel, true).await;
}

#[tokio::test]
async fn files_are_fetched_from_where_base_url_says_and_clients_stay_at_the_mirror() {
    let dir = TempDir::new().unwrap();
    let mut channel = standard(folder(&dir, "standard")).unwrap();
    // linux-64's files are on another host, noarch's elsewhere on the same.
    let elsewhere = folder(&dir, "elsewhere");
    let pool = channel.dir.join("pool");
    for folder in [&elsewhere, &pool] {
        std::fs::create_dir_all(folder).unwrap();
    }
    for file in &mut channel.files {
        let home = if file.subdir == "noarch" {
            &pool
        } else {
            &elsewhere
        };
        let moved = home.join(&file.file_name);
        std::fs::rename(&file.path, &moved).unwrap();
        file.path = moved;
    }
    let host = FakeChannel::start_at(&elsewhere, "files/of/2026")
        .await
        .unwrap();
    channel.set_base_url("linux-64", Some(&host.url())).unwrap();
    channel.set_base_url("noarch", Some("../pool/")).unwrap();

    let mirrored = Mirrored::new(channel).await;
    for subdir in SUBDIRS {
        let info = &mirrored.index(subdir).await["info"];
        assert_eq!(info.get("base_url"), None, "{info}");
        assert_eq!(info["subdir"], subdir);
    }
    // The client could not reach these any more.
    host.stop().await;
    let judge = mirrored.judge().await;
    for sharded in [false, true] {
        assert_all_is_downloaded(&judge, &mirrored.path(), &mirrored.channel, sharded).await;
    }
}

#[tokio::test]
async fn a_label_is_mirrored_under_its_path_or_under_the_name_it_is_given() {
    let dir = TempDir::new().unwrap();
    let labelled = folder(&dir, "conda-forge/label/rc");
    let spec = PackageSpec::new("candidate", "2.0rc1", "0").payload(2_000, Fill::Random);
    let channel = ChannelBuilder::new(&labelled)
        .package(spec)
        .build()
        .unwrap();
    let upstream = FakeChannel::start_at(&labelled, "conda-forge/label/rc");
    let upstream = upstream.await.unwrap();
    let registry = RealRegistry::start().await.unwrap();
    let destination = |place: &str| format!("{}/{place}", registry.destination());
    let run = |channel: &str, place: &str| -> Run {
        mirror(&Home::new(), channel, destination(place)).args(["--undistributable", "none"])
    };
    let by_name = run("conda-forge/label/rc", "by-name").args(["--channel-base", &upstream.base()]);
    by_name.run().await.assert_code(0);
    run(&upstream.url(), "by-url").run().await.assert_code(0);
    let folder = labelled.display().to_string();
    run(&folder, "by-folder").run().await.assert_code(0);
    let renamed = run(&folder, "renamed").args(["--as", "ours/label/dev"]);
    renamed.run().await.assert_code(0);

    let judge = Judge::new(registry.addr()).await.unwrap();
    for path in [
        "by-name/conda-forge/label/rc",
        "by-url/conda-forge/label/rc",
        "by-folder/conda-forge/label/rc",
        "renamed/ours/label/dev",
    ] {
        let path = format!("{}/{path}", registry.namespace());
        for sharded in [false, true] {
            assert_all_is_downloaded(&judge, &path, &channel, sharded).await;
        }
    }
}

//! `pull-cache`: from a mirror into a channel folder, which is then a channel.

use std::collections::BTreeSet;
use std::path::Path;

use mirror_e2e::judged::assert_all_is_downloaded;
use mirror_e2e::mirror::{Report, mirror};
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::channel::{Channel, ChannelBuilder, standard};
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::fake_registry::Kind;
use mirror_kit::judge::Judge;
use mirror_kit::package::PackageSpec;
use mirror_kit::process::{Home, Run};
use mirror_kit::servers::RealRegistry;
use serde_json::Value;

use crate::support::{file, index_repository, named};

fn pull(home: &Home, channel: &str, registry: &str, cache: &Path) -> Run {
    Run::in_home(home)
        .args(["pull-cache", "--channel", channel, "--registry", registry])
        .arg("--cache-dir")
        .arg(cache)
}

/// The same from a stage's registry, of linux-64.
fn pull_from(stage: &Stage, home: &Home, cache: &Path) -> Run {
    let registry = format!("{}/{NAMESPACE}", stage.fake().url());
    pull(home, &stage.channel.name, &registry, cache).args(["-s", "linux-64"])
}

/// The packages of a subdir of the pulled folder.
fn packages(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names
        .filter(|name| name.ends_with(".conda") || name.ends_with(".tar.bz2"))
        .collect()
}

/// The packages that the plain index of the folder lists.
fn indexed(folder: &Path) -> BTreeSet<String> {
    let index = std::fs::read(folder.join("repodata.json")).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    let plain = ["packages", "packages.conda"]
        .into_iter()
        .filter_map(|section| index[section].as_object())
        .flat_map(|section| section.keys().cloned());
    let later = ["conda", "tar.bz2"].into_iter().flat_map(|format| {
        let records = index["v3"][format].as_object().into_iter();
        records.flat_map(move |records| records.keys().map(move |stem| format!("{stem}.{format}")))
    });
    plain.chain(later).collect()
}

/// Whether anything unfinished is left below the folder.
fn has_leftovers(folder: &Path) -> bool {
    let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| {
        entry.file_name().to_string_lossy().starts_with(".tmp-")
            || (entry.path().is_dir() && has_leftovers(&entry.path()))
    })
}

#[tokio::test]
async fn a_channel_comes_back_out_of_a_registry_and_goes_into_another() {
    let dir = tempfile::tempdir().unwrap();
    let channel = standard(dir.path().join("channel")).unwrap();
    let first = RealRegistry::start().await.unwrap();
    let from = channel.dir.to_str().unwrap();
    let run = mirror(&Home::new(), from, first.destination());
    run.run().await.assert_code(0);

    let cache = dir.path().join("cache");
    let run = pull(&Home::new(), &channel.name, &first.destination(), &cache);
    run.arg("--all").run().await.assert_code(0);
    let folder = cache.join(&channel.name);
    for file in channel.mirrored() {
        let pulled = std::fs::read(folder.join(&file.subdir).join(&file.file_name));
        assert!(
            pulled.unwrap() == file.bytes().unwrap(),
            "{}",
            file.file_name
        );
    }
    for subdir in ["linux-64", "noarch"] {
        let of = |file: &&mirror_kit::channel::MadeFile| file.subdir == subdir;
        let listed = channel
            .mirrored()
            .filter(of)
            .map(|file| file.file_name.clone());
        assert_eq!(indexed(&folder.join(subdir)), listed.collect());
        let zst = std::fs::File::open(folder.join(subdir).join("repodata.json.zst")).unwrap();
        let plain = std::fs::read(folder.join(subdir).join("repodata.json")).unwrap();
        assert!(zstd::decode_all(zst).unwrap() == plain);
        assert!(
            folder
                .join(subdir)
                .join("repodata_shards.msgpack.zst")
                .is_file()
        );
    }
    assert!(!has_leftovers(&cache));

    // Served as it is, it is a channel like any other.
    let server = FakeChannel::start(&folder).await.unwrap();
    let second = RealRegistry::start().await.unwrap();
    let run = mirror(&Home::new(), server.url(), second.destination());
    let run = run.args(["--as", &channel.name]);
    run.run().await.assert_code(0);
    let judge = Judge::new(second.addr()).await.unwrap();
    let path = format!("{}/{}", second.namespace(), channel.name);
    for sharded in [false, true] {
        assert_all_is_downloaded(&judge, &path, &channel, sharded).await;
    }
}

/// Several versions and builds in both formats.
fn versions(dir: std::path::PathBuf) -> anyhow::Result<Channel> {
    ChannelBuilder::new(dir)
        .subdir("linux-64")
        .subdir("noarch")
        .package(PackageSpec::new("zlib", "1.9", "0"))
        .package(PackageSpec::new("zlib", "1.10", "0"))
        .package(PackageSpec::new("xz", "5.2", "0"))
        .build()
}

#[tokio::test]
async fn the_newest_of_each_name_is_pulled_and_a_dry_run_says_what_it_would_be() {
    let stage = Stage::registry(versions).await;
    stage.run().run().await.assert_code(0);
    let cache = tempfile::tempdir().unwrap();
    let home = Home::new();
    let dry = pull_from(&stage, &home, cache.path()).arg("--dry-run");
    let dry = dry.run().await;
    dry.assert_code(0);
    for line in [
        "Would be pulling xz:5.2-0, but dry-run is set.\n",
        "Would be pulling zlib:1.10-0, but dry-run is set.\n",
    ] {
        assert!(dry.stdout.contains(line), "{}", dry.to_text());
    }
    assert!(!dry.stdout.contains("zlib:1.9"), "{}", dry.to_text());
    let folder = cache.path().join(&stage.channel.name).join("linux-64");
    assert!(!folder.exists());

    let names = |names: &[&str]| -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    };
    let newest = names(&["xz-5.2-0.conda", "zlib-1.10-0.conda"]);
    pull_from(&stage, &home, cache.path())
        .run()
        .await
        .assert_code(0);
    assert_eq!(packages(&folder), newest);
    assert_eq!(indexed(&folder), newest);

    // What is there is not fetched again; what is damaged is; what another selection brought stays in the index.
    std::fs::write(folder.join("xz-5.2-0.conda"), "damaged").unwrap();
    stage.fake().log().clear();
    let run = pull_from(&stage, &home, cache.path()).args(["--all", "-p", "zlib"]);
    run.run().await.assert_code(0);
    assert_eq!(
        indexed(&folder),
        names(&["zlib-1.10-0.conda", "zlib-1.9-0.conda"])
    );
    let read = stage.fake().log().select(|entry| {
        let repository = entry.repository.as_deref().unwrap_or_default();
        entry.kind == Kind::BlobGet && !repository.ends_with("repodata.json")
    });
    assert_eq!(read.len(), 1, "{read:?}");
    pull_from(&stage, &home, cache.path())
        .run()
        .await
        .assert_code(0);
    let xz = stage.channel.file("xz-5.2-0.conda").bytes().unwrap();
    assert!(std::fs::read(folder.join("xz-5.2-0.conda")).unwrap() == xz);
    assert_eq!(indexed(&folder).len(), 3);
}

#[tokio::test]
async fn what_is_missing_is_named_and_ends_with_1() {
    let stage = Stage::registry(named(&["lost", "whole"])).await;
    stage.run().run().await.assert_code(0);
    let lost = stage.channel.file(&file("lost"));
    let (repository, _) = stage.place(lost);
    assert!(
        stage
            .view()
            .delete_blob(&repository, &format!("sha256:{}", lost.sha256))
    );
    let (cache, home) = (tempfile::tempdir().unwrap(), Home::new());
    let report = Report::in_home(&home);
    let run = || pull_from(&stage, &home, cache.path()).args(["--attempts", "1"]);
    let finished = run().arg("--report").arg(report.path()).run().await;
    finished.assert_code(1);
    assert_eq!(report.entry(&file("lost"))["outcome"], "failed");
    let folder = cache.path().join(&stage.channel.name).join("linux-64");
    assert_eq!(packages(&folder), BTreeSet::from([file("whole")]));
    assert_eq!(indexed(&folder), packages(&folder));
    assert!(!has_leftovers(cache.path()));
    assert!(stage.view().delete_repository(&index_repository(&stage)));
    let finished = run().run().await;
    finished.assert_code(1);
    assert!(
        finished.to_text().contains("linux-64"),
        "{}",
        finished.to_text()
    );
}

#[tokio::test]
async fn a_killed_pull_goes_on_where_it_stopped() {
    let names = &["a", "b", "c", "d"];
    let stage = Stage::registry(named(names)).await;
    stage.run().run().await.assert_code(0);
    let (cache, home) = (tempfile::tempdir().unwrap(), Home::new());
    let run = || pull_from(&stage, &home, cache.path()).args(["--workers", "1"]);
    run()
        .kill_at_nth("before-rename", 3)
        .run()
        .await
        .assert_killed();
    let folder = cache.path().join(&stage.channel.name).join("linux-64");
    let before = packages(&folder);
    assert_eq!(before.len(), 2);
    stage.fake().log().clear();
    run().run().await.assert_code(0);
    assert_eq!(
        packages(&folder),
        names.iter().map(|name| file(name)).collect()
    );
    assert_eq!(indexed(&folder), packages(&folder));
    let read = stage.fake().log().select(|entry| {
        let repository = entry.repository.as_deref().unwrap_or_default();
        entry.kind == Kind::BlobGet && !repository.ends_with("repodata.json")
    });
    assert_eq!(read.len(), 2, "{read:?}");
    assert!(!has_leftovers(cache.path()));
}

#[tokio::test]
async fn no_name_of_an_index_leaves_the_folder() {
    let stage = Stage::registry(named(&["good"])).await;
    stage.run().run().await.assert_code(0);
    // An index of somebody who means harm, with the bytes to every name.
    let good = stage.channel.file(&file("good"));
    let record = &good.record;
    let index = serde_json::json!({
        "info": {"subdir": "linux-64", "base_url": "../../../"},
        "packages": {},
        "packages.conda": {
            file("good"): record,
            "../../evil-1.0-0.conda": record,
            "/tmp/evil-1.0-0.conda": record,
            "..-1.0-0.conda": record,
            "a/../evil-1.0-0.conda": record,
        },
    });
    crate::predecessor::put_index_of(&stage, &serde_json::to_vec(&index).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("deep/cache");
    let run = pull_from(&stage, &Home::new(), &cache);
    run.run().await.assert_code(1);
    let folder = cache.join(&stage.channel.name).join("linux-64");
    assert_eq!(packages(&folder), BTreeSet::from([file("good")]));
    let above: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(above.len(), 1);
    let beside: Vec<_> = std::fs::read_dir(dir.path().join("deep"))
        .unwrap()
        .collect();
    assert_eq!(beside.len(), 1);
    let evil = Path::new("/tmp/evil-1.0-0.conda");
    assert!(!evil.exists());
}

#[tokio::test]
async fn without_the_login_that_is_demanded_nothing_is_pulled() {
    use mirror_kit::fake_registry::{Auth, Options};
    let options = Options {
        auth: Auth::basic("me", "hunter2"),
        ..Options::default()
    };
    let stage = Stage::registry_with(options, named(&["a"])).await;
    let login = |run: Run| run.env("ORAS_USER", "me").env("ORAS_PASS", "hunter2");
    login(stage.run()).run().await.assert_code(0);
    let cache = tempfile::tempdir().unwrap();
    let refused = pull_from(&stage, &Home::new(), cache.path()).run().await;
    refused.assert_code(2);
    assert!(
        refused.stderr.contains("wants a login"),
        "{}",
        refused.to_text()
    );
    let run = login(pull_from(&stage, &Home::new(), cache.path()));
    let pulled = run.run().await;
    pulled.assert_code(0);
    assert!(!pulled.to_text().contains("hunter2"));
}

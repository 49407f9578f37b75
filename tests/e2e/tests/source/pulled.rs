//! `pull-cache`: from a mirror into a channel folder, which is then a channel.

use std::collections::BTreeSet;
use std::path::Path;

use mirror_e2e::judged::assert_all_is_downloaded;
use mirror_e2e::mirror::{Report, mirror};
use mirror_e2e::stage::Stage;
use mirror_kit::channel::{Channel, ChannelBuilder, bulk, standard};
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::fake_registry::Kind;
use mirror_kit::judge::{Form, Judge};
use mirror_kit::package::PackageSpec;
use mirror_kit::process::{Home, Run};
use mirror_kit::servers::RealRegistry;

use crate::support::{
    file, has_leftovers, index_repository, indexed, named, packages, pull, pull_from,
};

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

    // Served as it is, it is a channel like any other: for the real client, and for a mirror.
    let server = FakeChannel::start(&folder).await.unwrap();
    assert_installs(&Judge::over_http(&server.base()).unwrap(), &channel).await;
    let second = RealRegistry::start().await.unwrap();
    let run = mirror(&Home::new(), server.url(), second.destination());
    let run = run.args(["--as", &channel.name]);
    run.run().await.assert_code(0);
    for registry in [&first, &second] {
        let judge = Judge::new(registry.addr()).await.unwrap();
        let path = format!("{}/{}", registry.namespace(), channel.name);
        for sharded in [false, true] {
            assert_all_is_downloaded(&judge, &path, &channel, sharded).await;
        }
    }
}

#[tokio::test]
async fn a_subdir_without_records_gets_an_index_and_nothing_else() {
    let stage = Stage::registry(|dir| bulk(dir, 1, 300)).await;
    stage.run().run().await.assert_code(0);
    let dir = tempfile::tempdir().unwrap();
    let run = pull_from(&stage, &Home::new(), dir.path()).run().await;
    assert!(
        run.assert_code(0).stdout.contains("pulled"),
        "{}",
        run.to_text()
    );
    let noarch = dir.path().join(&stage.channel.name).join("noarch");
    let entries = std::fs::read_dir(noarch).unwrap().map(Result::unwrap);
    let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
    names.sort();
    let expected = [
        "repodata.json",
        "repodata.json.zst",
        "repodata_shards.msgpack.zst",
    ];
    assert_eq!(names, expected);
}

/// What the channel lists, downloaded by way of each form of the index, and an environment solved and downloaded.
async fn assert_installs(judge: &Judge, channel: &Channel) {
    for form in Form::EACH {
        assert_all_is_downloaded(judge, &channel.name, channel, form).await;
        let solved = judge.solve(&channel.name, "linux-64", &["app", "future"], form);
        let solved = solved.await.unwrap();
        assert_eq!(solved.len(), 11, "{form:?}");
        for record in &solved {
            let file = channel.file(&record.identifier.to_file_name());
            let bytes = judge.download(record).await.unwrap();
            assert!(bytes == file.bytes().unwrap(), "{}", file.file_name);
        }
    }
}

/// Two versions of one name, two builds of another of which neither is newer.
fn versions(dir: std::path::PathBuf) -> anyhow::Result<Channel> {
    ChannelBuilder::new(dir)
        .subdir("linux-64")
        .subdir("noarch")
        .package(PackageSpec::new("zlib", "1.9", "0"))
        .package(PackageSpec::new("zlib", "1.10", "0"))
        .package(PackageSpec::new("xz", "5.2", "0"))
        .package(PackageSpec::new("xz", "5.2", "a_0"))
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
    let mut damaged = std::fs::read(folder.join("xz-5.2-0.conda")).unwrap();
    damaged[0] ^= 1;
    std::fs::write(folder.join("xz-5.2-0.conda"), damaged).unwrap();
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

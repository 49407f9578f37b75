//! A broken index of one subdir: the other subdirs are mirrored, and what was published stays.

use mirror_e2e::mirror::mirror;
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::channel::{Channel, ChannelBuilder};
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::package::PackageSpec;
use mirror_kit::process::Finished;

fn two_subdirs(dir: impl AsRef<std::path::Path>) -> anyhow::Result<Channel> {
    ChannelBuilder::new(dir)
        .subdir("noarch")
        .package(PackageSpec::new("linux", "1.0", "0"))
        .package(PackageSpec::new("mac", "1.0", "0").subdir("osx-arm64"))
        .build()
}

async fn run(stage: &Stage) -> Finished {
    let to = format!("{}/{NAMESPACE}", stage.fake().url());
    mirror(&stage.home, stage.source.url(), to).run().await
}

fn latest(stage: &Stage) -> Option<String> {
    let repository = format!("{}/repodata.json", stage.subdir("linux-64"));
    Some(stage.view().manifest(&repository, "latest")?.digest)
}

/// Mirrors, adds a package to each subdir, breaks one index, mirrors again.
async fn assert_others_go_on(breaks: impl FnOnce(&mut Stage), says: &[&str]) {
    let mut stage = Stage::registry(two_subdirs).await;
    run(&stage).await.assert_code(0);
    let before = latest(&stage);
    assert!(before.is_some());
    for spec in [
        PackageSpec::new("linux", "2.0", "0"),
        PackageSpec::new("mac", "2.0", "0").subdir("osx-arm64"),
    ] {
        stage
            .channel
            .add(spec, mirror_kit::channel::Listing::indexed())
            .unwrap();
    }
    breaks(&mut stage);

    let finished = run(&stage).await;
    finished.assert_code(2);
    for part in says {
        assert!(
            finished.stderr.contains(part),
            "no {part:?}: {}",
            finished.to_text()
        );
    }
    assert_eq!(latest(&stage), before, "the living index was touched");
    assert_eq!(
        stage.view().index_files(&stage.subdir("osx-arm64")).len(),
        2
    );
    assert!(
        finished
            .stdout
            .contains("linux-64       could not be mirrored"),
        "{}",
        finished.to_text()
    );

    stage.source.heal();
    stage.channel.set_base_url("linux-64", None).unwrap();
    run(&stage).await.assert_code(0);
    assert_eq!(stage.view().index_files(&stage.subdir("linux-64")).len(), 2);
    stage.assert_publications_passed();
}

/// The fault at the index of linux-64, in both its forms.
fn at_the_index(fault: Fault) -> impl FnOnce(&mut Stage) {
    move |stage: &mut Stage| {
        for form in ["linux-64/repodata.json.zst", "linux-64/repodata.json"] {
            stage.source.fault(form, fault.clone(), Times::Always);
        }
    }
}

#[tokio::test]
async fn a_broken_index_stops_that_subdir_only_and_what_was_published_stays() {
    // At once, because what breaks off is tried again for some time.
    let broken = [
        (Fault::Html, &["no repodata", "login page"][..]),
        (Fault::Cut { after: 100 }, &["broke off"]),
        (Fault::Short { length: 100 }, &["damaged"]),
        (Fault::WrongBytes, &[]),
        (Fault::FalseGzip, &["Content-Encoding", "gzip"]),
        (Fault::RedirectLoop, &["redirects"]),
        (Fault::status(403), &["403"]),
    ];
    let runs = broken.map(|(fault, says)| async move {
        let mut all = vec!["linux-64/repodata.json.zst"];
        all.extend(says);
        assert_others_go_on(at_the_index(fault), &all).await;
    });
    futures::future::join_all(runs).await;
}

/// The plain index says this, and there is no other form of it.
fn plain(text: &'static str) -> impl FnOnce(&mut Stage) {
    move |stage: &mut Stage| {
        let folder = stage.channel.dir.join("linux-64");
        std::fs::remove_file(folder.join("repodata.json.zst")).unwrap();
        std::fs::write(folder.join("repodata.json"), text).unwrap();
    }
}

#[tokio::test]
async fn an_index_that_is_no_json_stops_that_subdir_only() {
    let texts = [
        r#"{"packages": {} "packages.conda": {}}"#,
        r#"{"packages": {}, "packages.conda": {"#,
        r#"["packages"]"#,
        "",
    ];
    let runs = texts.map(|text| assert_others_go_on(plain(text), &["linux-64"]));
    futures::future::join_all(runs).await;
}

#[tokio::test]
async fn an_index_that_is_gone_does_not_empty_the_mirror() {
    let says = ["does not serve subdir `linux-64`"];
    let breaks = at_the_index(Fault::status(404));
    let mut stage = Stage::registry(two_subdirs).await;
    stage.run().run().await.assert_code(0);
    let before = latest(&stage);
    breaks(&mut stage);
    let finished = stage.run().run().await;
    finished.assert_code(2);
    assert!(finished.stderr.contains(says[0]), "{}", finished.to_text());
    assert_eq!(latest(&stage), before);
}

#[tokio::test]
async fn an_index_that_comes_at_the_second_try_is_taken() {
    let stage = Stage::registry(two_subdirs).await;
    stage.source.fault(
        "linux-64/repodata.json.zst",
        Fault::status(502),
        Times::First(1),
    );
    stage.run().run().await.assert_code(0);
    stage.source.fault(
        "linux-64/repodata.json.zst",
        Fault::too_many_requests("1"),
        Times::First(1),
    );
    stage.run().arg("--retry-failed").run().await.assert_code(0);
    assert_eq!(stage.view().index_files(&stage.subdir("linux-64")).len(), 1);
}

#[tokio::test]
async fn one_bad_record_is_left_out_and_named() {
    let mut stage = Stage::registry(two_subdirs).await;
    let spec = PackageSpec::new("wrong", "1.0", "0");
    let listing = mirror_kit::channel::Listing::indexed().field("sha256", r#""not a hash""#);
    stage.channel.add(spec, listing).unwrap();
    let report = mirror_e2e::mirror::Report::in_home(&stage.home);
    let finished = stage.run().arg("--report").arg(report.path()).run().await;
    finished.assert_code(1);
    assert_eq!(report.entry("wrong-1.0-0.conda")["outcome"], "bad-record");
    let listed = stage.view().index_files(&stage.subdir("linux-64"));
    assert_eq!(
        listed.into_iter().collect::<Vec<_>>(),
        ["linux-1.0-0.conda"]
    );
}

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
fn plain(text: impl Into<Vec<u8>>) -> impl FnOnce(&mut Stage) {
    let text = text.into();
    move |stage: &mut Stage| {
        let folder = stage.channel.dir.join("linux-64");
        std::fs::remove_file(folder.join("repodata.json.zst")).unwrap();
        std::fs::write(folder.join("repodata.json"), text).unwrap();
    }
}

#[tokio::test]
async fn an_index_that_cannot_be_read_as_a_whole_stops_that_subdir_only() {
    let mend = "the channel has to mend its index";
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let long = "x".repeat(2 << 20);
    let broken = [
        // Not JSON, or not an object of objects.
        (String::new(), &["no repodata", "is empty"][..]),
        (
            "Service Unavailable".into(),
            &["no repodata", "does not begin as a JSON object"],
        ),
        (
            r#"["packages"]"#.into(),
            &["no repodata", "does not begin as a JSON object"],
        ),
        (
            "\u{1f}\u{8b}\u{8}".into(),
            &["no repodata", "does not begin as a JSON object"],
        ),
        (
            r#"{"packages": {} "packages.conda": {}}"#.into(),
            &["byte 16", "expected ',' or '}'", mend],
        ),
        (
            r#"{"packages": []}"#.into(),
            &["byte 13", "an object of records", mend],
        ),
        (
            r#"{"info": {"a": tru}, "packages": {}}"#.into(),
            &["invalid value for \"info\"", "byte 9", mend],
        ),
        (
            r#"{"packages": {}} {"packages": {}}"#.into(),
            &["byte 17", "nothing after the closing '}'"],
        ),
        // Cut off: at the end of something, and within.
        (
            r#"{"packages": {}, "packages.conda": {"#.into(),
            &["damaged", "has no end"],
        ),
        (
            r#"{"packages": {"a-1-0.conda": {}"#.into(),
            &["cut off at byte 31", "inside an object", "run again later"],
        ),
        // Keys twice.
        (
            r#"{"packages": {}, "packages": {}}"#.into(),
            &["the key \"packages\" twice", "byte 17", mend],
        ),
        (
            r#"{"info": {}, "packages": {}, "info": {}}"#.into(),
            &["the key \"info\" twice", mend],
        ),
        (
            r#"{"v3": {"conda": {}, "c\u006fnda": {}}}"#.into(),
            &["the key \"conda\" twice", mend],
        ),
        // Over a limit, and no record.
        (
            format!("{{\"packages\": {{}}, \"x\": {deep}}}"),
            &["deeper than 64 levels", mend],
        ),
        (
            format!(
                "{{\"packages\": {{\"x-1-0.tar.bz2\": {}",
                "[".repeat(1_100_000)
            ) + "}",
            &["deeper than 1048576 levels", mend],
        ),
        (
            format!("{{\"info\": {{\"x\": \"{long}\"}}}}"),
            &["an `info` of more than 1048576 bytes", mend],
        ),
        (
            format!("{{\"{long}\": 1}}"),
            &["a key of more than 1024 bytes", mend],
        ),
    ];
    let runs = broken.map(|(text, says)| async move {
        let mut all = vec!["linux-64"];
        all.extend(says);
        assert_others_go_on(plain(text), &all).await;
    });
    futures::future::join_all(runs).await;
}

#[tokio::test]
async fn a_base_url_that_leads_to_files_of_this_machine_stops_that_subdir_only() {
    let runs = ["file:///etc/", "ftp://elsewhere/", "http://["].map(|base_url| async move {
        let breaks = |stage: &mut Stage| {
            let set = stage.channel.set_base_url("linux-64", Some(base_url));
            set.unwrap();
        };
        assert_others_go_on(
            breaks,
            &["linux-64", base_url, "nothing is fetched from there"],
        )
        .await;
    });
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

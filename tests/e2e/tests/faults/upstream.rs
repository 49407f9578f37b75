//! A channel that stalls, sends elsewhere, or lists what it does not have: with a message that says what to do.

use std::path::Path;

use futures::future::join_all;
use mirror_e2e::mirror::{Report, mirror};
use mirror_e2e::stage::NAMESPACE;
use mirror_kit::channel::Listing;
use mirror_kit::fake_channel::{FakeChannel, Fault, Times};
use mirror_kit::package::PackageSpec;

use crate::support::{BAD, GOOD, assert_cause, run, stage, with_source_fault};

const INDEX: &str = "linux-64/repodata.json.zst";

#[tokio::test]
async fn server_errors_that_outlast_one_download_pass_with_the_next_try() {
    let stage = with_source_fault(Fault::status(500), Times::First(3)).await;
    run(&stage, 2).await.0.assert_code(0);
    assert_eq!(stage.downloads_of(BAD), 4);
    stage.assert_complete();
}

#[tokio::test]
async fn a_record_with_a_wrong_size_or_hash_fails_its_file_and_both_are_told() {
    let mut stage = stage().await;
    let zeros = format!("\"{}\"", "0".repeat(64));
    let wrong = [
        ("small", "size", "17", &["longer", "17 bytes"][..]),
        ("large", "size", "1000000", &["its record says 1000000"]),
        (
            "other",
            "sha256",
            &zeros,
            &["sha256", "its record says 0000"],
        ),
    ];
    for (name, field, value, _) in &wrong {
        let spec = PackageSpec::new(name, "1.0", "0");
        let listing = Listing::indexed().field(field, value);
        stage.channel.add(spec, listing).unwrap();
    }
    let (finished, report) = run(&stage, 1).await;
    finished.assert_code(1);
    for (name, _, _, says) in wrong {
        let file = format!("{name}-1.0-0.conda");
        let entry = report.entry(&file);
        assert_eq!(entry["outcome"], "failed");
        assert_cause(&entry, &[&stage.source.url_of(&format!("linux-64/{file}"))]);
        assert_cause(&entry, says);
        assert!(!stage.held(&stage.view()).contains(&file));
    }
    let listed = stage.view().index_files(&stage.subdir("linux-64"));
    assert_eq!(listed.len(), 1 + GOOD.len(), "{listed:?}");
    stage.assert_publications_passed();
}

#[tokio::test]
async fn a_download_that_stalls_is_given_up_after_the_read_timeout_and_the_option_named() {
    let runs = [0, 1_000].map(|after| async move {
        let stage = with_source_fault(Fault::Stall { after }, Times::Always).await;
        let report = Report::in_home(&stage.home);
        let run = stage
            .run()
            .args(["--read-timeout", "1s", "--attempts", "1"]);
        let finished = run.arg("--report").arg(report.path()).run().await;
        finished.assert_code(1);
        let entry = report.entry(BAD);
        assert_cause(&entry, &[BAD, "no byte for 1 s", "--read-timeout"]);
        assert!(
            finished.stderr.contains("--read-timeout"),
            "{}",
            finished.to_text()
        );
        for file in GOOD {
            assert_eq!(report.entry(file)["outcome"], "done");
        }
        assert!(!stage.held(&stage.view()).contains(BAD));
        stage.assert_publications_passed();
    });
    join_all(runs).await;
}

#[tokio::test]
async fn a_download_or_an_index_that_stalls_once_is_fetched_again() {
    let runs = [BAD, INDEX].map(|path| async move {
        let stage = stage().await;
        let fault = Fault::Stall { after: 100 };
        stage.source.fault(path, fault, Times::First(1));
        let run = stage
            .run()
            .args(["--read-timeout", "1s", "--attempts", "1"]);
        run.run().await.assert_code(0);
        stage.assert_complete();
        assert_eq!(
            stage.source.count(|request| request.path.ends_with(path)),
            2
        );
    });
    join_all(runs).await;
}

#[tokio::test]
async fn an_index_that_always_stalls_is_exit_2_and_the_option_named() {
    let stage = stage().await;
    let fault = Fault::Stall { after: 100 };
    stage.source.fault(INDEX, fault, Times::Always);
    let finished = stage.run().args(["--read-timeout", "1s"]).run().await;
    finished.assert_code(2);
    for part in [INDEX, "no byte for 1 s", "--read-timeout"] {
        assert!(
            finished.stderr.contains(part),
            "no {part:?}: {}",
            finished.to_text()
        );
    }
    assert_eq!(stage.downloads().len(), 0);
    assert_eq!(stage.view().index(&stage.subdir("linux-64")), None);
}

#[tokio::test]
async fn credentials_of_the_channel_do_not_follow_a_redirect_to_another_host() {
    let stage = stage().await;
    let (token, password) = ("tk-hidden-token", "hidden-password");
    let mount = format!("t/{token}/{}", stage.channel.name);
    let source = FakeChannel::start_at(&stage.channel.dir, &mount)
        .await
        .unwrap();
    let elsewhere = FakeChannel::start(&stage.channel.dir).await.unwrap();
    for path in [INDEX, &format!("linux-64/{BAD}")] {
        let to = elsewhere.url_of(path);
        source.fault(path, Fault::Redirect { to }, Times::Always);
    }
    let channel = source.url().replace("://", &format!("://me:{password}@"));
    let to = format!("{}/{NAMESPACE}", stage.fake().url());
    let run = mirror(&stage.home, channel, to).args(["-s", "linux-64", "--debug"]);
    let finished = run.run().await;
    finished.assert_code(0);
    stage.assert_complete();

    let asked = source.requests();
    assert!(!asked.is_empty());
    for request in &asked {
        let basic = request.header("authorization").unwrap_or_default();
        assert!(basic.starts_with("Basic "), "{request:?}");
    }
    let foreign = elsewhere.requests();
    assert_eq!(foreign.len(), 2, "{foreign:?}");
    for request in &foreign {
        assert_eq!(request.header("authorization"), None, "{request:?}");
        assert!(!format!("{request:?}").contains(token), "{request:?}");
    }
    assert_tells_nothing(&finished.stdout, &[token, password]);
    assert_tells_nothing(&finished.stderr, &[token, password]);
    assert_tells_nothing(&files_in(stage.home.path()), &[token, password]);
}

fn assert_tells_nothing(text: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// Everything in the small files of a folder, as text.
fn files_in(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => text += &files_in(&path),
            false => text += &String::from_utf8_lossy(&std::fs::read(&path).unwrap()),
        }
    }
    text
}

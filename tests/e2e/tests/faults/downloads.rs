//! What a channel's server can do to one file.

use mirror_e2e::stage::Stage;
use mirror_kit::channel::ChannelBuilder;
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::package::PackageSpec;

use crate::support::{
    BAD, assert_cause, assert_fails_alone, assert_overcome, run, with_source_fault,
};

#[tokio::test]
async fn wrong_bytes_once_are_fetched_again() {
    let stage = with_source_fault(Fault::WrongBytes, Times::First(1)).await;
    assert_overcome(&stage).await;
    assert_eq!(stage.downloads_of(BAD), 2);
}

#[tokio::test]
async fn one_wrong_bit_is_never_mirrored() {
    let stage = with_source_fault(Fault::Flipped { at: 4_000 }, Times::Always).await;
    let entry = assert_fails_alone(&stage, 2).await;
    let sha256 = &stage.channel.file(BAD).sha256;
    assert_cause(&entry, &["sha256", sha256, BAD, &stage.source.url()]);
    assert_eq!(entry["attempts"], 2);
    assert_eq!(entry["bytes"], stage.channel.file(BAD).size);
    let stored: Vec<_> = stage.view().repositories();
    assert!(!stored.iter().any(|r| r.ends_with("/bad")), "{stored:?}");
}

#[tokio::test]
async fn a_transfer_that_breaks_off_goes_on_from_anew() {
    let stage = with_source_fault(Fault::Cut { after: 1_000 }, Times::First(2)).await;
    assert_overcome(&stage).await;
    assert_eq!(stage.downloads_of(BAD), 3);
}

#[tokio::test]
async fn a_transfer_that_always_breaks_off_fails_with_its_tries_counted() {
    let stage = with_source_fault(Fault::Cut { after: 1_000 }, Times::Always).await;
    let entry = assert_fails_alone(&stage, 2).await;
    assert_cause(&entry, &[BAD, "broke off"]);
    assert_eq!(entry["attempts"], 2);
}

#[tokio::test]
async fn a_file_that_is_too_short_fails_by_its_size() {
    let stage = with_source_fault(Fault::Short { length: 4_000 }, Times::Always).await;
    let entry = assert_fails_alone(&stage, 1).await;
    let size = stage.channel.file(BAD).size.to_string();
    assert_cause(&entry, &["4000 bytes", &size]);
    assert_eq!(entry["attempts"], 1);
}

#[tokio::test]
async fn a_file_that_does_not_end_is_cut_at_its_size() {
    let endless = 1 << 30;
    let stage = with_source_fault(Fault::TooLong { extra: endless }, Times::Always).await;
    let entry = assert_fails_alone(&stage, 1).await;
    let size = stage.channel.file(BAD).size.to_string();
    assert_cause(&entry, &["longer", &size]);
    let sent: u64 = stage
        .source
        .requests()
        .iter()
        .map(|request| request.bytes)
        .sum();
    assert!(sent < endless, "{sent} bytes were taken");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_asked_for_twice_and_fails_for_this_run() {
    let stage = with_source_fault(Fault::status(404), Times::Always).await;
    let entry = assert_fails_alone(&stage, 2).await;
    assert_cause(&entry, &[BAD, "404"]);
    assert_eq!(entry["attempts"], 1);
    assert_eq!(stage.downloads_of(BAD), 2);
}

#[tokio::test]
async fn a_file_that_is_there_at_the_second_try_is_mirrored() {
    assert_overcome(&with_source_fault(Fault::status(404), Times::First(1)).await).await;
}

#[tokio::test]
async fn server_errors_pass() {
    let stage = with_source_fault(Fault::status(500), Times::First(2)).await;
    assert_overcome(&stage).await;
    assert_eq!(stage.downloads_of(BAD), 3);
}

#[tokio::test]
async fn server_errors_that_stay_fail_after_their_tries() {
    let stage = with_source_fault(Fault::status(503), Times::Always).await;
    let entry = assert_fails_alone(&stage, 2).await;
    assert_cause(&entry, &["503", BAD]);
    assert_eq!(entry["attempts"], 2);
}

#[tokio::test]
async fn a_channel_that_asks_for_patience_gets_it_and_no_try_is_counted() {
    for patience in [
        Fault::too_many_requests("1"),
        Fault::Status {
            status: 503,
            retry_after: Some("1".to_owned()),
        },
    ] {
        // More often than a download is tried again by itself.
        let stage = with_source_fault(patience, Times::First(4)).await;
        assert_overcome(&stage).await;
        assert_eq!(stage.downloads_of(BAD), 5);
    }
}

#[tokio::test]
async fn a_content_encoding_is_refused_because_the_bytes_are_not_the_files() {
    let stage = with_source_fault(Fault::FalseGzip, Times::Always).await;
    let entry = assert_fails_alone(&stage, 2).await;
    assert_cause(&entry, &["Content-Encoding", "gzip"]);
    assert_eq!(
        (stage.downloads_of(BAD), &entry["attempts"]),
        (1, &1.into())
    );
}

#[tokio::test]
async fn a_login_page_is_no_package() {
    let stage = with_source_fault(Fault::Html, Times::Always).await;
    let entry = assert_fails_alone(&stage, 1).await;
    assert_cause(&entry, &[BAD, "its record says"]);
}

#[tokio::test]
async fn redirects_in_a_circle_are_left_at_once() {
    let stage = with_source_fault(Fault::RedirectLoop, Times::Always).await;
    let entry = assert_fails_alone(&stage, 2).await;
    assert_cause(&entry, &["redirects", BAD]);
    assert!(stage.downloads_of(BAD) <= 2, "{}", stage.downloads_of(BAD));
}

#[tokio::test]
async fn a_redirect_to_the_file_is_followed() {
    let stage = crate::support::stage().await;
    let elsewhere = mirror_kit::fake_channel::FakeChannel::start(&stage.channel.dir)
        .await
        .unwrap();
    let to = elsewhere.url_of(&format!("linux-64/{BAD}"));
    stage
        .source
        .fault(BAD, Fault::Redirect { to }, Times::Always);
    assert_overcome(&stage).await;
}

#[tokio::test]
async fn files_that_the_channel_denies_fail_and_the_login_at_the_registry_is_not_blamed() {
    let make = |dir: std::path::PathBuf| {
        let packages = (0..6).map(|n| PackageSpec::new(&format!("p{n}"), "1.0", "0"));
        packages
            .fold(
                ChannelBuilder::new(dir).subdir("noarch"),
                ChannelBuilder::package,
            )
            .build()
    };
    let stage = Stage::registry(make).await;
    for denied in 0..5 {
        stage.source.fault(
            &format!("/p{denied}-1.0-0.conda"),
            Fault::status(403),
            Times::Always,
        );
    }
    let (finished, report) = run(&stage, 2).await;
    finished.assert_code(1);
    assert_cause(&report.entry("p0-1.0-0.conda"), &["403", "p0-1.0-0.conda"]);
    assert_eq!(report.entry("p5-1.0-0.conda")["outcome"], "done");
    assert_eq!(stage.view().index_files(&stage.subdir("linux-64")).len(), 1);
    assert!(!finished.stderr.contains("ORAS_"), "{}", finished.to_text());
}

#[tokio::test]
async fn one_format_that_fails_does_not_keep_the_other_from_being_mirrored() {
    let both = |dir: std::path::PathBuf| {
        let package = PackageSpec::new("both", "1.0", "0");
        let tar = package.clone().format(mirror_kit::package::Format::TarBz2);
        ChannelBuilder::new(dir)
            .subdir("noarch")
            .package(package)
            .package(tar)
            .build()
    };
    for (fails, fine) in [
        ("both-1.0-0.conda", "both-1.0-0.tar.bz2"),
        ("both-1.0-0.tar.bz2", "both-1.0-0.conda"),
    ] {
        let stage = Stage::registry(both).await;
        stage.source.fault(fails, Fault::WrongBytes, Times::Always);
        let (finished, report) = run(&stage, 2).await;
        finished.assert_code(1);
        assert_eq!(report.entry(fine)["outcome"], "done");
        assert_eq!(report.entry(fails)["outcome"], "failed");
        assert_eq!(
            stage.downloads_of(fine),
            1,
            "only what failed is fetched again"
        );
        let listed = stage.view().index_files(&stage.subdir("linux-64"));
        assert_eq!(listed.into_iter().collect::<Vec<_>>(), [fine]);
        stage.assert_indexes_exact();

        stage.source.heal();
        stage.run().arg("--retry-failed").run().await.assert_code(0);
        assert_eq!(stage.downloads_of(fine), 1);
        stage.assert_complete();
    }
}

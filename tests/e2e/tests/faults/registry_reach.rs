//! A registry that cannot be connected to: from the start, for a while, or any more.

use std::net::SocketAddr;

use mirror_e2e::mirror::mirror;
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::channel::ChannelBuilder;
use mirror_kit::fake_registry::{Hold, Kind, Location, Options, When};
use mirror_kit::package::PackageSpec;
use mirror_kit::process::{Finished, Run, Running};
use mirror_kit::servers::Door;
use mirror_kit::tls::{TestCa, TlsProxy};

use crate::support::{BAD, channel, stage};

/// A run of the stage's channel into the registry at `address`.
fn run_to(stage: &Stage, address: &str) -> Run {
    let to = format!("{address}/{NAMESPACE}");
    mirror(&stage.home, stage.source.url(), to).args(["-s", "linux-64"])
}

/// Nothing was downloaded, exit 2, and one line with all of `parts`.
fn assert_unreached(stage: &Stage, finished: &Finished, parts: &[&str]) {
    finished.assert_code(2);
    let mut lines = finished.stderr.lines();
    let said = lines.any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(said, "no line with {parts:?}: {}", finished.to_text());
    assert_eq!(stage.downloads().len(), 0);
}

#[tokio::test]
async fn a_host_name_that_leads_nowhere_is_named() {
    let stage = stage().await;
    let run = run_to(&stage, "https://registry.invalid");
    let parts = ["registry.invalid", "no such host", "spelling"];
    assert_unreached(&stage, &run.run().await, &parts);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_with_what_to_trust() {
    let stage = stage().await;
    let tls = TlsProxy::start(&TestCa::new(), stage.fake().addr()).await;
    let tls = tls.unwrap();
    let address = tls.addr().to_string();
    let run = run_to(&stage, &format!("https://{address}"));
    let parts = [address.as_str(), "certificate", "SSL_CERT_FILE"];
    assert_unreached(&stage, &run.run().await, &parts);
    assert_eq!(stage.fake().log().total(), 0);
}

#[tokio::test]
async fn a_plain_registry_is_not_spoken_to_in_plain_http_unless_written_so() {
    let stage = stage().await;
    let address = stage.fake().addr().to_string();
    let run = run_to(&stage, &address);
    let parts = [address.as_str(), "write http:// before its address"];
    assert_unreached(&stage, &run.run().await, &parts);
    assert_eq!(stage.fake().log().total(), 0);
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_asked_for_one_subdir_only() {
    let make = |dir: std::path::PathBuf| {
        let package = |name: &str, subdir: &str| PackageSpec::new(name, "1.0", "0").subdir(subdir);
        ChannelBuilder::new(dir)
            .package(package("a", "linux-64"))
            .package(package("b", "osx-arm64"))
            .package(package("c", "win-64"))
            .package(package("d", "noarch"))
            .build()
    };
    let options = Options {
        location: Location::Relative,
        ..Options::default()
    };
    let stage = Stage::registry_with(options, make).await;
    let mut door = Door::open_before(stage.fake().addr()).unwrap();
    door.shut().await.unwrap();
    let to = format!("http://{}/{NAMESPACE}", door.addr());
    let run = mirror(&stage.home, stage.source.url(), to);
    let finished = run.run().await;
    assert_unreached(
        &stage,
        &finished,
        &["Connection refused", "check the address"],
    );
    let lines = finished.stderr.lines();
    let told = lines.filter(|line| line.contains("Connection refused"));
    // Two subdirs are under way at once, and the wall is the same.
    assert_eq!(told.count(), 1, "{}", finished.to_text());
    assert!(
        !finished.stdout.contains("noarch"),
        "{}",
        finished.to_text()
    );

    door.open().unwrap();
    let to = format!("http://{}/{NAMESPACE}", door.addr());
    let run = mirror(&stage.home, stage.source.url(), to);
    run.run().await.assert_code(0);
}

/// The three builds, and a registry behind an open door.
async fn behind_a_door() -> (Stage, Door) {
    // Addresses in its answers would lead past the door.
    let options = Options {
        location: Location::Relative,
        ..Options::default()
    };
    let stage = Stage::registry_with(options, channel).await;
    let door = Door::open_before(stage.fake().addr()).unwrap();
    (stage, door)
}

/// A run through a door, held in the upload of [`BAD`].
async fn under_way(stage: &Stage, door: SocketAddr, arguments: &[&str]) -> (Running, Hold) {
    let upload = When::kind(Kind::UploadPut).repository_ending("/bad").nth(1);
    let hold = stage.fake().hold(upload);
    let run = run_to(stage, &format!("http://{door}")).arg("--debug");
    let running = run.args(arguments).spawn();
    hold.held().await;
    (running, hold)
}

#[tokio::test]
async fn a_registry_that_goes_away_and_comes_back_is_waited_for() {
    let (stage, mut door) = behind_a_door().await;
    let (mut running, hold) = under_way(&stage, door.addr(), &[]).await;
    door.shut().await.unwrap();
    hold.release();
    running
        .until("to be refused", |_, stderr| {
            stderr.contains("Connection refused")
        })
        .await;
    door.open().unwrap();
    running.wait().await.assert_code(0);
    stage.assert_complete();
    assert_eq!(stage.spooled().len(), 0);
}

#[tokio::test]
async fn a_registry_that_goes_away_for_good_is_exit_2_and_nothing_wrong_is_published() {
    let (stage, mut door) = behind_a_door().await;
    let (running, hold) = under_way(&stage, door.addr(), &["--attempts", "1"]).await;
    door.shut().await.unwrap();
    hold.release();
    let finished = running.wait().await;
    finished.assert_code(2);
    let mut lines = finished.stderr.lines();
    let address = door.addr().to_string();
    let parts = [
        "subdir linux-64",
        &address,
        "Connection refused",
        "check the address",
    ];
    let said = lines.any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(said, "no line with {parts:?}: {}", finished.to_text());
    stage.assert_indexes_exact();
    stage.assert_publications_passed();

    door.open().unwrap();
    // Nobody has to ask for it: that nobody answered says nothing of the files.
    let run = run_to(&stage, &format!("http://{address}"));
    run.run().await.assert_code(0);
    stage.assert_complete();
    assert!(stage.downloads_of(BAD) >= 1);
}

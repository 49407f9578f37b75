//! Own builds in a channel that mirrors another: every later mirror keeps them.

use mirror_e2e::mirror::Report;
use mirror_e2e::stage::Stage;
use mirror_kit::channel::Listing;
use mirror_kit::fake_registry::{Kind, When};
use mirror_kit::process::Home;

use crate::support::{Cache, assert_exact, file, files, indexed, named, own, sha256};

#[tokio::test]
async fn later_mirrors_keep_what_was_pushed_with_and_without_their_ledger() {
    let mut stage = Stage::registry(named(&["theirs"])).await;
    stage.run().run().await.assert_code(0);
    let cache = Cache::of([own("ours")]);
    // From another machine, then from the mirror's own.
    cache
        .push_to(&stage, &Home::new())
        .run()
        .await
        .assert_code(0);
    assert_eq!(indexed(&stage), files(["theirs", "ours"]));
    cache.add(own("more"));
    cache
        .push_to(&stage, &stage.home)
        .run()
        .await
        .assert_code(0);
    assert_eq!(indexed(&stage), files(["theirs", "ours", "more"]));

    // Nothing changed: neither are they lost nor is anything written.
    let written = stage.written();
    stage.run().run().await.assert_code(0);
    assert_eq!(stage.written(), written);
    stage.channel.add(own("new"), Listing::indexed()).unwrap();
    stage.run().run().await.assert_code(0);
    let all = files(["theirs", "ours", "more", "new"]);
    assert_eq!(indexed(&stage), all);
    stage.channel.add(own("newer"), Listing::indexed()).unwrap();
    stage.run_in(&Home::new()).run().await.assert_code(0);
    let mut all = all;
    all.insert(file("newer"));
    assert_eq!(indexed(&stage), all);
    assert_exact(&stage);
    for ours in ["ours", "more"] {
        assert_eq!(stage.downloads_of(&file(ours)), 0);
    }
}

#[tokio::test]
async fn pushed_before_the_first_mirror_they_are_kept_by_it() {
    let stage = Stage::registry(named(&["theirs"])).await;
    let cache = Cache::of([own("ours")]);
    cache
        .push_to(&stage, &stage.home)
        .run()
        .await
        .assert_code(0);
    stage.run().run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["theirs", "ours"]));
    assert_exact(&stage);
}

#[tokio::test]
async fn a_namesake_that_the_channel_lists_later_does_not_replace_them_and_is_reported() {
    let mut stage = Stage::registry(named(&["theirs"])).await;
    stage.run().run().await.assert_code(0);
    let cache = Cache(tempfile::tempdir().unwrap());
    let ours = cache.add(own("ours").edition(2));
    cache
        .push_to(&stage, &stage.home)
        .run()
        .await
        .assert_code(0);
    stage.channel.add(own("ours"), Listing::indexed()).unwrap();
    let report = Report::in_home(&stage.home);
    for home in [&stage.home, &Home::new()] {
        let run = stage.run_in(home).arg("--report").arg(report.path());
        let finished = run.run().await;
        finished.assert_code(0);
        assert!(
            finished.stderr.contains("push-cache added") && finished.stderr.contains(&file("ours")),
            "{}",
            finished.to_text()
        );
        let entry = report.entry(&file("ours"));
        assert_eq!(entry["outcome"], "held", "{entry}");
        assert!(
            entry["cause"].as_str().unwrap().contains("push-cache"),
            "{entry}"
        );
        assert_eq!(sha256(&stage, &file("ours")), Some(ours.sha256.clone()));
    }
    assert_eq!(stage.downloads_of(&file("ours")), 0);
    assert_exact(&stage);
}

#[tokio::test]
async fn while_a_mirror_is_at_work_the_index_is_left_to_it() {
    let stage = Stage::registry(named(&["slow"])).await;
    let upload = When::kind(Kind::UploadPut)
        .repository_ending("/slow")
        .nth(1);
    let hold = stage.fake().hold(upload);
    let mirror = stage.run().spawn();
    hold.held().await;
    let cache = Cache::of([own("ours")]);
    let finished = cache.push_to(&stage, &stage.home).run().await;
    finished.assert_code(0);
    assert!(
        finished.stderr.contains("a mirror is at work"),
        "{}",
        finished.to_text()
    );
    assert_eq!(stage.view().index(&stage.subdir("linux-64")), None);
    hold.release();
    mirror.wait().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["slow", "ours"]));
    assert_exact(&stage);
}

#[tokio::test]
async fn what_is_added_right_before_a_mirror_publishes_is_in_that_index() {
    let stage = Stage::registry(named(&["slow"])).await;
    // The mirror's last look before `latest` moves.
    let look = When::kind(Kind::ManifestGet).reference("latest");
    let look = look.repository_ending("linux-64/repodata.json").nth(2);
    let hold = stage.fake().hold(look);
    let mirror = stage.run().spawn();
    hold.held().await;
    let cache = Cache::of([own("ours")]);
    cache
        .push_to(&stage, &stage.home)
        .run()
        .await
        .assert_code(0);
    assert_eq!(stage.view().index(&stage.subdir("linux-64")), None);
    hold.release();
    mirror.wait().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["slow", "ours"]));
    assert_exact(&stage);
}

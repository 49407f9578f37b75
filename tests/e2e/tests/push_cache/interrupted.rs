//! Killed anywhere, or two at once: run again it completes, and nothing is lost.

use futures::future::join_all;
use mirror_e2e::stage::Stage;
use mirror_kit::process::Home;

use crate::support::{Cache, assert_exact, files, indexed, named, own};

#[tokio::test]
async fn killed_anywhere_the_same_command_completes() {
    for point in [
        "before-manifest",
        "after-manifest",
        "before-local",
        "after-local",
        "between-shards",
        "before-latest",
        "after-latest",
    ] {
        let stage = Stage::registry(named(&["theirs"])).await;
        stage.run().run().await.assert_code(0);
        let cache = Cache::of([own("one"), own("two")]);
        let killed = cache
            .push_to(&stage, &stage.home)
            .kill_at(point)
            .run()
            .await;
        killed.assert_killed();
        let breaches = stage.view().index_breaches(&stage.subdir("linux-64"));
        assert!(breaches.is_empty(), "{point}: {breaches:#?}");
        cache
            .push_to(&stage, &stage.home)
            .run()
            .await
            .assert_code(0);
        assert_eq!(indexed(&stage), files(["theirs", "one", "two"]), "{point}");
        stage.run().run().await.assert_code(0);
        assert_eq!(indexed(&stage), files(["theirs", "one", "two"]), "{point}");
        assert_exact(&stage);
    }
}

#[tokio::test]
async fn killed_after_its_records_were_added_a_mirror_publishes_them() {
    let stage = Stage::registry(named(&["theirs"])).await;
    stage.run().run().await.assert_code(0);
    let cache = Cache::of([own("ours")]);
    let run = cache.push_to(&stage, &stage.home).kill_at("after-local");
    run.run().await.assert_killed();
    assert_eq!(indexed(&stage), files(["theirs"]));
    stage.run().run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["theirs", "ours"]));
    assert_exact(&stage);
}

#[tokio::test]
async fn of_two_at_once_no_record_is_lost() {
    let stage = Stage::registry(named(&[])).await;
    let caches = ["one", "two", "three"].map(|name| Cache::of([own(name)]));
    let runs = caches
        .iter()
        .map(|cache| cache.push_to(&stage, &stage.home).run());
    for finished in join_all(runs).await {
        finished.assert_code(0);
    }
    assert_eq!(indexed(&stage), files(["one", "two", "three"]));
    // One after the other from elsewhere: each adds to what is there.
    let cache = Cache::of([own("four")]);
    cache
        .push_to(&stage, &Home::new())
        .run()
        .await
        .assert_code(0);
    assert_eq!(indexed(&stage), files(["one", "two", "three", "four"]));
    // A mirror publishes what was added, and nothing that was only published.
    stage.run().run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["one", "two", "three", "four"]));
    assert_exact(&stage);
}

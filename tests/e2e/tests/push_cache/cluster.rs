//! By way of workers elsewhere.

use std::time::Duration;

use mirror_e2e::cluster::{Cluster, Servers};
use mirror_e2e::stage::Stage;
use mirror_kit::fake_registry::{Kind, When};

use crate::support::{Cache, assert_exact, files, indexed, named, own};

#[tokio::test]
async fn workers_that_see_the_folder_push_it() {
    let stage = Stage::registry(named(&["theirs"])).await;
    let cluster = Cluster::around(stage, Servers::shared().await);
    let stage = &cluster.stage;
    let cache = Cache::of([own("one"), own("two")]);
    let push = || {
        cache
            .push_to(stage, &stage.home)
            .args(cluster.servers.options())
    };
    let refused = push().run().await;
    refused.assert_code(2);
    assert!(
        refused.stderr.contains("--shared-path"),
        "{}",
        refused.to_text()
    );
    let worker = cluster.worker().arg("--shared-path").spawn();
    push().arg("--shared-path").run().await.assert_code(0);
    assert_eq!(indexed(stage), files(["one", "two"]));
    cluster.mirror().run().await.assert_code(0);
    assert_eq!(indexed(stage), files(["theirs", "one", "two"]));
    worker.term();
    worker.wait().await.assert_code(0);
    assert_exact(stage);
}

#[tokio::test]
async fn while_a_mirror_has_the_lease_the_index_is_left_to_it() {
    let stage = Stage::registry(named(&["slow"])).await;
    let servers = Servers::shared().await;
    let state = ["--state", &servers.state];
    let upload = When::kind(Kind::UploadPut)
        .repository_ending("/slow")
        .nth(1);
    let hold = stage.fake().hold(upload);
    let mirror = stage.run().args(state).spawn();
    hold.held().await;
    let cache = Cache::of([own("ours")]);
    let finished = cache.push_to(&stage, &stage.home).args(state).run().await;
    finished.assert_code(0);
    assert!(
        finished.stderr.contains("a mirror is at work"),
        "{}",
        finished.to_text()
    );
    hold.release();
    mirror.wait().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["slow", "ours"]));
    assert_exact(&stage);
}

#[tokio::test]
async fn a_build_that_a_push_took_and_died_with_is_brought_by_the_mirror_that_runs() {
    let stage = Stage::registry(named(&["first", "second"])).await;
    let servers = Servers::shared().await;
    let state = ["--state", &servers.state];
    let upload = When::kind(Kind::UploadPut).repository_ending("/first");
    let busy = stage.fake().hold(upload.nth(1));
    let mirror = stage.run().args(state).args(["--workers", "1"]);
    let mirror = mirror.deadline(Duration::from_secs(300)).spawn();
    busy.held().await;
    // The push has the later plan, and so the build.
    let manifest = When::kind(Kind::ManifestPut).repository_ending("/second");
    let last = stage.fake().hold(manifest.nth(1));
    let cache = Cache::of([own("second")]);
    let push = cache.push_to(&stage, &stage.home).args(state).spawn();
    last.held().await;
    push.kill9();
    push.wait().await.assert_killed();
    busy.release();
    mirror.wait().await.assert_code(0);
    drop(last);
    assert_eq!(indexed(&stage), files(["first", "second"]));
    assert_exact(&stage);
}

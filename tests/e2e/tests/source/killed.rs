//! `pull-cache` that is killed: the next one goes on, and sweeps.

use mirror_e2e::stage::Stage;
use mirror_kit::fake_registry::Kind;
use mirror_kit::process::Home;

use crate::support::{file, has_leftovers, indexed, named, packages, pull_from};

/// Kills it at the third time at `point`: two packages are in their place then.
async fn killed_at(point: &str) {
    let names = &["a", "b", "c", "d"];
    let stage = Stage::registry(named(names)).await;
    stage.run().run().await.assert_code(0);
    let (cache, home) = (tempfile::tempdir().unwrap(), Home::new());
    let run = || pull_from(&stage, &home, cache.path()).args(["--workers", "1"]);
    run().kill_at_nth(point, 3).run().await.assert_killed();
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
    assert!(!has_leftovers(cache.path()), "{point}");
}

#[tokio::test]
async fn a_killed_pull_goes_on_where_it_stopped() {
    killed_at("before-rename").await;
}

#[tokio::test]
async fn what_a_pull_killed_while_it_wrote_a_file_left_is_swept() {
    killed_at("folder-file-before-rename").await;
}

//! `--remove`.

use std::collections::BTreeSet;

use mirror_e2e::stage::Stage;
use mirror_kit::process::Home;

use crate::support::{Cache, assert_exact, file, files, indexed, named, own};

#[tokio::test]
async fn what_is_taken_out_leaves_the_index_for_good_and_stays_in_the_registry() {
    let stage = Stage::registry(named(&["theirs"])).await;
    stage.run().run().await.assert_code(0);
    let cache = Cache::of([own("ours"), own("more")]);
    cache
        .push_to(&stage, &stage.home)
        .run()
        .await
        .assert_code(0);
    let remove = |name: &str| {
        cache
            .push_to(&stage, &stage.home)
            .args(["--remove", &file(name)])
    };
    remove("ours").run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["theirs", "more"]));
    let repository = format!("{}/ours", stage.subdir("linux-64"));
    assert!(stage.view().manifest(&repository, "1.0-0").is_some());
    for home in [&stage.home, &Home::new()] {
        stage.run_in(home).run().await.assert_code(0);
        assert_eq!(indexed(&stage), files(["theirs", "more"]));
    }
    // Taken out already: done. Never added: said.
    remove("ours").run().await.assert_code(0);
    let finished = remove("theirs").run().await;
    finished.assert_code(2);
    assert!(
        finished.stderr.contains(&file("theirs")),
        "{}",
        finished.to_text()
    );
    assert_eq!(indexed(&stage), files(["theirs", "more"]));
    // Pushed again it is back.
    cache
        .push_to(&stage, &stage.home)
        .run()
        .await
        .assert_code(0);
    assert_eq!(indexed(&stage), files(["theirs", "ours", "more"]));
    assert_exact(&stage);
}

#[tokio::test]
async fn the_last_one_may_go_and_a_kill_in_between_loses_nothing_of_it() {
    let stage = Stage::registry(named(&[])).await;
    let cache = Cache::of([own("ours")]);
    cache
        .push_to(&stage, &stage.home)
        .run()
        .await
        .assert_code(0);
    let ours = file("ours");
    let remove = || cache.push_to(&stage, &stage.home).args(["--remove", &ours]);
    remove().kill_at("after-local").run().await.assert_killed();
    assert_eq!(indexed(&stage), files(["ours"]));
    remove().run().await.assert_code(0);
    assert_eq!(indexed(&stage), BTreeSet::new());
    assert_exact(&stage);
}

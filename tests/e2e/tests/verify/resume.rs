//! An interrupted look goes on where it stopped.

use mirror_e2e::stage::Stage;
use mirror_e2e::stored::PACKAGE_CONDA;
use mirror_kit::channel::bulk;
use mirror_kit::fake_registry::{Kind, When};

use crate::support::{found, report, verify};

const BUILDS: usize = 400;

fn manifests(stage: &Stage) -> usize {
    stage.fake().log().count(Kind::ManifestGet)
}

/// Kills a look at the first builds, of which one is damaged.
async fn interrupted() -> (Stage, String) {
    let stage = Stage::registry(|dir| bulk(dir, BUILDS, 300)).await;
    stage.run().run().await.assert_code(0);
    let mut files: Vec<_> = stage.channel.mirrored().collect();
    files.sort_by(|a, b| a.file_name.cmp(&b.file_name));
    let (repository, tag) = stage.place(files[0]);
    let damaged = files[0].file_name.clone();
    let view = stage.view();
    let (layer, _) = view.layer(&repository, &tag, PACKAGE_CONDA).unwrap();
    assert!(view.delete_blob(&repository, layer["digest"].as_str().unwrap()));
    stage.fake().log().clear();
    let names = view
        .tags(&format!(
            "{}/repodata.json/shards",
            stage.subdir("linux-64")
        ))
        .len();
    let nth = u32::try_from(names + 300).unwrap();
    let killed = verify(&stage)
        .kill_at_nth("while-verifying", nth)
        .run()
        .await;
    killed.assert_killed();
    (stage, damaged)
}

#[tokio::test]
async fn what_was_looked_at_is_not_asked_for_again_and_what_was_wrong_is() {
    let (stage, damaged) = interrupted().await;
    stage.fake().log().clear();
    let seen = report(&stage, verify(&stage), 1).await;
    assert_eq!(
        found(&seen, "damage"),
        [format!("blob-missing {damaged}")],
        "{seen:#}"
    );
    assert_eq!(seen["summary"]["subdirs"][0]["resumed"], true, "{seen:#}");
    let resumed = manifests(&stage);
    stage.fake().log().clear();
    let whole = report(&stage, verify(&stage), 1).await;
    assert_eq!(found(&whole, "damage"), [format!("blob-missing {damaged}")]);
    assert_eq!(whole["summary"]["subdirs"][0]["resumed"], false);
    let all = manifests(&stage);
    assert!(resumed + 256 <= all, "{resumed} of {all}");
}

#[tokio::test]
async fn whoever_wants_to_begins_anew() {
    let (stage, _) = interrupted().await;
    let seen = report(&stage, verify(&stage).arg("--fresh"), 1).await;
    assert_eq!(seen["summary"]["subdirs"][0]["resumed"], false, "{seen:#}");
}

/// Its place is noted at the end as well, not only now and then.
#[tokio::test]
async fn an_interrupted_look_ends_in_order_and_goes_on() {
    let stage = Stage::registry(|dir| bulk(dir, 20, 300)).await;
    stage.run().run().await.assert_code(0);
    stage.fake().log().clear();
    // One build after the other, so that what was asked for before is done; the index's own manifests are among these.
    let later = When::kind(Kind::ManifestGet).from_nth(12);
    let later = stage.fake().hold(later);
    let running = verify(&stage).args(["--workers", "1"]).spawn();
    later.held().await;
    running.term();
    let ended = running.wait().await;
    ended.assert_code(143);
    later.release();
    stage.fake().clear_faults();

    stage.fake().log().clear();
    let seen = report(&stage, verify(&stage), 0).await;
    assert_eq!(seen["summary"]["subdirs"][0]["resumed"], true, "{seen:#}");
    let resumed = manifests(&stage);
    stage.fake().log().clear();
    report(&stage, verify(&stage), 0).await;
    let all = manifests(&stage);
    assert!(resumed + 7 <= all, "{resumed} of {all}");
}

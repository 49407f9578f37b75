//! An index that another program wrote is a hint: what it lists is looked for before it is replaced.

use mirror_e2e::mirror::Report;
use mirror_e2e::stage::Stage;
use mirror_kit::fake_registry::{Kind, When};
use mirror_kit::process::Home;

use crate::predecessor::{put, put_bytes, put_index};
use crate::support::{file, files, index_repository, indexed, latest, named};

const NAMES: [&str; 5] = ["asked", "both", "kept", "other", "stale"];

/// The predecessor listed everything, holds `both` and `kept`, and of `stale` other bytes.
async fn stage() -> Stage {
    let stage = Stage::registry(named(&NAMES)).await;
    put(&stage, &file("both"));
    put(&stage, &file("kept"));
    put_bytes(
        &stage,
        stage.channel.file(&file("stale")),
        b"of an earlier day",
    );
    put_index(&stage);
    stage
}

#[tokio::test]
async fn what_it_holds_is_kept_without_a_download_and_what_it_lacks_is_left_out() {
    let stage = stage().await;
    let report = Report::in_home(&stage.home);
    let run = stage.run().args(["-p", "asked", "-p", "both"]);
    let finished = run.arg("--report").arg(report.path()).run().await;
    finished.assert_code(0);
    assert!(
        finished.stderr.contains("written by another program"),
        "{}",
        finished.to_text()
    );
    assert_eq!(indexed(&stage), files(["asked", "both", "kept"]));
    stage.assert_indexes_exact();
    stage.assert_publications_passed();
    assert_eq!(
        stage.downloads().into_keys().collect::<Vec<_>>(),
        [file("asked")]
    );
    for name in ["asked", "both", "kept"] {
        assert_eq!(report.entry(&file(name))["outcome"], "done", "{name}");
    }
    for name in ["other", "stale"] {
        assert_eq!(report.entry(&file(name))["outcome"], "not-held", "{name}");
    }
    assert_eq!(report.read()["summary"]["subdirs"][0]["not_held"], 2);
}

#[tokio::test]
async fn nothing_is_published_before_all_it_lists_was_looked_for() {
    let stage = stage().await;
    // Other runs publish as soon as there is something.
    let run = stage.run().args(["-p", "asked", "--publish-every", "0s"]);
    run.run().await.assert_code(0);
    let log = stage.fake().log().entries();
    let publication = |entry: &&mirror_kit::fake_registry::Entry| {
        entry.kind == Kind::ManifestPut && entry.repository == Some(index_repository(&stage))
    };
    let first = log.iter().find(publication).unwrap().arrived;
    for name in NAMES.into_iter().filter(|name| *name != "asked") {
        let (repository, _) = stage.place(stage.channel.file(&file(name)));
        let looked = log.iter().find(|entry| {
            entry.kind == Kind::ManifestGet && entry.repository.as_ref() == Some(&repository)
        });
        let looked = looked.unwrap_or_else(|| panic!("{name} was not looked for"));
        assert!(
            looked.answered.unwrap() < first,
            "{name} was looked for after the publication"
        );
    }
}

#[tokio::test]
async fn a_run_stopped_while_it_looks_leaves_the_other_programs_index() {
    let stage = stage().await;
    let foreign = latest(&stage);
    let hold = stage
        .fake()
        .hold(When::kind(Kind::ManifestGet).repository_ending("/kept"));
    let running = stage
        .run()
        .args(["-p", "asked", "--publish-every", "0s"])
        .spawn();
    hold.held().await;
    running.kill9();
    running.wait().await.assert_killed();
    hold.release();
    assert_eq!(latest(&stage), foreign);

    stage.run().args(["-p", "asked"]).run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["asked", "both", "kept"]));
}

#[tokio::test]
async fn a_mirror_of_everything_takes_over_what_is_there_and_brings_the_rest() {
    let stage = stage().await;
    stage.run().run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(NAMES));
    let downloaded: Vec<String> = stage.downloads().into_keys().collect();
    assert_eq!(downloaded, [file("asked"), file("other"), file("stale")]);
    stage.assert_complete();
}

#[tokio::test]
async fn once_it_is_replaced_ours_is_believed() {
    let stage = stage().await;
    stage.run().args(["-p", "asked"]).run().await.assert_code(0);
    let ours = latest(&stage);
    stage.fake().log().clear();
    stage.run().args(["-p", "asked"]).run().await.assert_code(0);
    assert_eq!(latest(&stage), ours);
    let (kept, _) = stage.place(stage.channel.file(&file("kept")));
    assert_eq!(stage.fake().log().total_in(&kept), 0, "{}", stage.log());

    // Another machine believes it too, after a sample.
    stage
        .run_in(&Home::new())
        .args(["-p", "other"])
        .run()
        .await
        .assert_code(0);
    assert_eq!(indexed(&stage), files(["asked", "both", "kept", "other"]));
    stage.assert_indexes_exact();
}

#[tokio::test]
async fn a_manifest_at_latest_that_is_no_index_is_replaced() {
    let stage = Stage::registry(named(&NAMES)).await;
    let repository = index_repository(&stage);
    let view = stage.view();
    let digest = view.put_blob(&repository, b"{}".to_vec());
    let config = serde_json::json!({"mediaType": "application/x", "digest": digest, "size": 2});
    let nothing = serde_json::json!({
        "schemaVersion": 2, "mediaType": mirror_e2e::stored::MANIFEST, "config": config, "layers": [],
    });
    view.put_manifest(&repository, "latest", &nothing);
    stage.run().args(["-p", "asked"]).run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["asked"]));
}

#[tokio::test]
async fn what_may_not_be_passed_on_leaves_the_index_even_if_it_is_held() {
    let stage = stage().await;
    let list = stage.home.path().join("list.json");
    std::fs::write(&list, r#"{"undistributable": ["kept"]}"#).unwrap();
    let run = stage
        .run()
        .args(["-p", "asked", "--undistributable"])
        .arg(&list);
    run.run().await.assert_code(0);
    assert_eq!(indexed(&stage), files(["asked", "both"]));
}

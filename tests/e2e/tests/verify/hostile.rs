//! Registries that do not answer, or answer without end.

use mirror_e2e::stage::Stage;
use mirror_e2e::stored::PACKAGE_CONDA;
use mirror_kit::fake_registry::{Auth, Fault, Kind, Options, When};
use mirror_kit::process::Run;
use serde_json::json;

use crate::support::{few, found, mirrored, report, verify};

#[tokio::test]
async fn a_blob_that_nobody_can_be_asked_about_is_wrong_and_not_waited_for() {
    let stage = mirrored().await;
    let one = format!("{}/one", stage.subdir("linux-64"));
    let heads = When::kind(Kind::BlobHead).repository(&one);
    stage.fake().fault(heads, Fault::status(500));
    let seen = report(&stage, verify(&stage), 1).await;
    let damages = found(&seen, "damage");
    assert!(
        damages
            .iter()
            .all(|damage| damage == "unanswered one-1.0-0.conda"),
        "{seen:#}"
    );
    assert!(!damages.is_empty());
}

#[tokio::test]
async fn a_registry_that_asks_for_patience_gets_it() {
    let stage = mirrored().await;
    let plea = Fault::too_many_requests(1);
    stage.fake().fault(When::kind(Kind::BlobHead).nth(3), plea);
    report(&stage, verify(&stage), 0).await;
}

#[tokio::test]
async fn a_descriptor_of_more_bytes_than_there_are_is_not_read_to_its_end() {
    let stage = mirrored().await;
    let one = format!("{}/one", stage.subdir("linux-64"));
    let view = stage.view();
    let mut manifest = view.manifest_json(&one, "1.0-0").unwrap();
    manifest["layers"][1]["size"] = json!(1_u64 << 62);
    view.put_manifest(&one, "1.0-0", &manifest);
    let (layer, _) = view.layer(&one, "1.0-0", PACKAGE_CONDA).unwrap();
    stage.fake().log().clear();
    let seen = report(&stage, verify(&stage).arg("--deep"), 1).await;
    assert_eq!(
        found(&seen, "damage"),
        ["blob-size one-1.0-0.conda"],
        "{seen:#}"
    );
    let read = stage.fake().log().count_in(&one, Kind::BlobGet);
    // The package, index.json twice (its bytes, and whether it is JSON), the config.
    assert_eq!(read, 4, "{layer} {}", stage.log());
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_said_to_be_unreachable() {
    let stage = mirrored().await;
    let nobody = mirror_e2e::mirror::command(
        "verify",
        &stage.home,
        stage.source.url(),
        "http://127.0.0.1:1/ns",
    );
    nobody.run().await.assert_code(2);
}

#[tokio::test]
async fn who_may_only_read_verifies_and_is_told_that_a_repair_wants_a_login() {
    let options = Options {
        auth: Auth::bearer("me", "hunter2"),
        ..Options::default()
    };
    let stage = Stage::registry_with(options, few).await;
    let login = |run: Run| run.env("ORAS_USER", "me").env("ORAS_PASS", "hunter2");
    login(stage.run()).run().await.assert_code(0);
    report(&stage, verify(&stage), 0).await;
    let one = format!("{}/one", stage.subdir("linux-64"));
    let view = stage.view();
    let (layer, _) = view.layer(&one, "1.0-0", PACKAGE_CONDA).unwrap();
    assert!(view.delete_blob(&one, layer["digest"].as_str().unwrap()));
    let refused = verify(&stage).arg("--repair").run().await;
    refused.assert_code(2);
    assert!(
        refused.stderr.contains("ORAS_USER"),
        "{}",
        refused.to_text()
    );
    report(&stage, login(verify(&stage).arg("--repair")), 0).await;
}

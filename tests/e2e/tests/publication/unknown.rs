//! What the mirror does not know passes through as it was written.

use mirror_e2e::stage::Stage;
use mirror_e2e::stored::REPODATA;
use mirror_kit::channel::standard;
use serde_json::Value;

use crate::support::index_repository;

async fn mirrored() -> Stage {
    let stage = Stage::registry(standard).await;
    stage.run().run().await.assert_code(0);
    stage
}

fn published(stage: &Stage) -> String {
    let (_, bytes) = stage
        .view()
        .layer(&index_repository(stage), "latest", REPODATA)
        .unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn upstream(stage: &Stage, subdir: &str) -> Value {
    let path = stage.channel.dir.join(subdir).join("repodata.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn top_level_keys_survive() {
    let stage = mirrored().await;
    for subdir in ["linux-64", "noarch"] {
        let (theirs, ours) = (
            upstream(&stage, subdir),
            stage.view().index(&stage.subdir(subdir)).unwrap(),
        );
        let keys =
            |index: &Value| -> Vec<String> { index.as_object().unwrap().keys().cloned().collect() };
        assert_eq!(keys(&ours), keys(&theirs), "{subdir}");
        for key in keys(&theirs) {
            if !["info", "packages", "packages.conda", "v3"].contains(&&*key) {
                assert_eq!(ours[&key], theirs[&key], "{subdir} {key}");
            }
        }
    }
}

#[tokio::test]
async fn every_record_is_upstreams_but_for_a_hash_that_was_missing() {
    let stage = mirrored().await;
    let (theirs, ours) = (
        upstream(&stage, "linux-64"),
        stage.view().index(&stage.subdir("linux-64")).unwrap(),
    );
    let mut compared = 0;
    for section in ["packages", "packages.conda"] {
        for (file, record) in ours[section].as_object().unwrap() {
            let mut expected = theirs[section][file].clone();
            if expected.get("sha256").is_none() {
                expected["sha256"] = stage.channel.file(file).sha256.clone().into();
            }
            assert_eq!(*record, expected, "{file}");
            compared += 1;
        }
    }
    assert!(compared >= 10, "{compared}");
    assert_eq!(ours["v3"], theirs["v3"]);
}

#[tokio::test]
async fn unusual_spellings_are_copied_byte_for_byte() {
    let stage = mirrored().await;
    let text = published(&stage);
    for spelling in [
        r#""x-number":1.50e+2"#,
        r#""x-nested":{ "z": [ 1.0 , {"a":-0.0} ], "big": 123456789012345678901234567890 }"#,
        r#""x-text":"caf\u00e9 \/ \ud83c\udf75""#,
        r#"{ "made": "for tests",  "packages": {"not": "a package"} }"#,
    ] {
        assert!(text.contains(spelling), "no {spelling} in {text}");
    }
}

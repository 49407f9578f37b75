//! Manifests of packages that are gone, of another package, or say something else.

use serde_json::json;

use super::Scene;
use crate::support::{found, report, verify};

#[tokio::test]
async fn the_manifest_of_another_package_at_the_tag() {
    let scene = Scene::new().await;
    let view = scene.stage.view();
    let many = scene.repository("many");
    let other = view.manifest_json(&many, "2.0-0").unwrap();
    view.put_manifest(&many, "1.0-0", &other);
    scene
        .is_found_and_mended(&[], &["layer-differs many-1.0-0.conda"])
        .await;
}

#[tokio::test]
async fn a_tag_that_was_deleted() {
    let scene = Scene::new().await;
    let two = scene.repository("two");
    assert!(scene.stage.view().delete_manifest(&two, "1.0-0"));
    scene
        .is_found_and_mended(
            &[],
            &[
                "manifest-missing two-1.0-0.conda",
                "manifest-missing two-1.0-0.tar.bz2",
            ],
        )
        .await;
}

#[tokio::test]
async fn a_tag_that_holds_no_manifest_of_a_package() {
    let scene = Scene::new().await;
    let one = scene.repository("one");
    let strange = json!({"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []});
    scene.stage.view().put_manifest(&one, "1.0-0", &strange);
    let seen = report(&scene.stage, verify(&scene.stage), 1).await;
    let damages = found(&seen, "damage");
    assert!(
        [
            "manifest-unreadable one-1.0-0.conda",
            "manifest-missing one-1.0-0.conda"
        ]
        .contains(&damages[0].as_str()),
        "{seen:#}"
    );
    let damage = damages[0].clone();
    scene.is_found_and_mended(&[], &[&damage]).await;
}

#[tokio::test]
async fn a_format_that_the_manifest_does_not_name() {
    let scene = Scene::new().await;
    scene.edit(&scene.repository("two"), "1.0-0", |manifest| {
        let layers = manifest["layers"].as_array_mut().unwrap();
        layers.retain(|layer| layer["mediaType"] != "application/vnd.conda.package.v1");
    });
    scene
        .is_found_and_mended(&[], &["layer-missing two-1.0-0.tar.bz2"])
        .await;
}

#[tokio::test]
async fn a_descriptor_with_a_wrong_size() {
    let scene = Scene::new().await;
    scene.edit(&scene.repository("one"), "1.0-0", |manifest| {
        manifest["layers"][0]["size"] = json!(7);
    });
    scene
        .is_found_and_mended(
            &[],
            &["blob-size one-1.0-0.conda", "size-differs one-1.0-0.conda"],
        )
        .await;
}

//! Damages in a folder of image layouts.

use std::path::PathBuf;

use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_e2e::stored::{PACKAGE_CONDA, SHARD_INDEX};

use crate::support::{few, found, repaired, report, verify};

async fn mirrored() -> Stage {
    let stage = Stage::folder(few).await;
    stage.run().run().await.assert_code(0);
    report(&stage, verify(&stage), 0).await;
    stage
}

/// The file of a layer's blob. `repository` is below the subdir.
fn blob(stage: &Stage, repository: &str, tag: &str, media_type: &str) -> PathBuf {
    let repository = format!("{}/{repository}", stage.subdir("linux-64"));
    let (layer, _) = stage.view().layer(&repository, tag, media_type).unwrap();
    let digest = layer["digest"].as_str().unwrap().replace(':', "/");
    let inside = repository.strip_prefix(&format!("{NAMESPACE}/")).unwrap();
    stage
        .mirror_folder()
        .join(inside)
        .join("blobs")
        .join(digest)
}

async fn is_found_and_mended(stage: &Stage, options: &[&str], damages: &[&str]) {
    let seen = report(stage, verify(stage).args(options), 1).await;
    assert_eq!(found(&seen, "damage"), damages, "{seen:#}");
    let mended = verify(stage).args(options).arg("--repair");
    let mended = report(stage, mended, 0).await;
    assert_eq!(repaired(&mended), damages.len(), "{mended:#}");
    report(stage, verify(stage).arg("--deep"), 0).await;
    stage.assert_complete();
}

#[tokio::test]
async fn blobs_and_repositories_that_are_gone() {
    let stage = mirrored().await;
    std::fs::remove_file(blob(&stage, "one", "1.0-0", PACKAGE_CONDA)).unwrap();
    std::fs::remove_file(blob(&stage, "repodata.json", "latest", SHARD_INDEX)).unwrap();
    let many = blob(&stage, "many", "1.0-0", PACKAGE_CONDA);
    std::fs::remove_dir_all(many.ancestors().nth(3).unwrap()).unwrap();
    is_found_and_mended(
        &stage,
        &[],
        &[
            "blob-missing one-1.0-0.conda",
            "blob-missing repodata_shards.msgpack.zst",
            "manifest-missing many-1.0-0.conda",
            "manifest-missing many-2.0-0.conda",
        ],
    )
    .await;
}

#[tokio::test]
async fn bytes_that_were_changed() {
    let stage = mirrored().await;
    let path = blob(&stage, "one", "1.0-0", PACKAGE_CONDA);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    report(&stage, verify(&stage), 0).await;
    is_found_and_mended(&stage, &["--deep"], &["blob-bytes one-1.0-0.conda"]).await;
}

#[tokio::test]
async fn a_folder_that_may_only_be_read_is_verified_and_one_that_is_not_there_is_not_made() {
    let stage = Stage::folder(few).await;
    let missing = verify(&stage).run().await;
    missing.assert_code(2);
    assert!(
        missing.stderr.contains("there is no mirror"),
        "{}",
        missing.to_text()
    );
    assert!(!stage.mirror_folder().exists());
    stage.run().run().await.assert_code(0);
    let before = stage.written();
    report(&stage, verify(&stage).arg("--deep"), 0).await;
    assert_eq!(stage.written(), before);
}

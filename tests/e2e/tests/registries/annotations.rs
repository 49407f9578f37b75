//! `--annotation`: on every manifest, the same whoever writes it, and nothing without it.

use mirror_e2e::mirror::command;
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::fake_registry::RegistryView;
use mirror_kit::package::PackageSpec;
use mirror_kit::process::Run;

use crate::support::some_packages;

const SOURCE: &str = "org.opencontainers.image.source";
const URL: &str = "https://github.com/me/mirror";

#[tokio::test]
async fn every_manifest_of_packages_and_index_carries_them() {
    let stage = Stage::registry(some_packages).await;
    let annotated = || {
        let run = stage.run().args(["--annotation", "b=x=y"]);
        run.args(["--annotation", &format!("{SOURCE}={URL}")])
    };
    annotated().run().await.assert_code(0);
    stage.assert_complete();
    let view = stage.view();
    let seen = assert_annotated(&view);
    assert!(seen >= 5, "{seen} manifests");
    // The same again is nothing to do; others are a new index, and no package is pushed again.
    let written = stage.written();
    annotated().run().await.assert_code(0);
    assert_eq!(stage.written(), written);
    let downloads = stage.downloads();
    stage
        .run()
        .args(["--annotation", "b=z"])
        .run()
        .await
        .assert_code(0);
    assert_eq!(stage.downloads(), downloads);
    let index = format!("{}/repodata.json", stage.subdir("linux-64"));
    let latest = view.manifest_json(&index, "latest").unwrap();
    assert_eq!(latest["annotations"]["b"], "z");
    assert_eq!(latest["annotations"].get(SOURCE), None);
}

/// How many manifests there are, all of them with the annotations.
fn assert_annotated(view: &RegistryView) -> usize {
    let mut seen = 0;
    for repository in view.repositories() {
        for tag in view.tags(&repository) {
            let manifest = view.manifest_json(&repository, &tag).unwrap();
            assert_eq!(manifest["annotations"][SOURCE], URL, "{repository}:{tag}");
            assert_eq!(manifest["annotations"]["b"], "x=y", "{repository}:{tag}");
            seen += 1;
        }
    }
    seen
}

#[tokio::test]
async fn own_builds_get_them_too_and_the_mirror_finds_nothing_to_do_after_them() {
    let stage = Stage::registry(some_packages).await;
    let source = format!("{SOURCE}={URL}");
    let annotated = |run: Run| run.args(["--annotation", "b=x=y", "--annotation", &source]);
    annotated(stage.run()).run().await.assert_code(0);
    let before = assert_annotated(&stage.view());
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("linux-64");
    std::fs::create_dir_all(&folder).unwrap();
    PackageSpec::new("own", "1.0", "0").write(&folder).unwrap();
    let to = format!("{}/{NAMESPACE}", stage.fake().url());
    let push = command("push-cache", &stage.home, &stage.channel.name, to);
    let push = push.arg("--cache-dir").arg(cache.path());
    annotated(push).run().await.assert_code(0);
    // The build's, its shard, and what was added to the index.
    assert_eq!(assert_annotated(&stage.view()), before + 3);
    let index = stage.view().index_files(&stage.subdir("linux-64"));
    assert!(index.contains("own-1.0-0.conda"), "{index:?}");
    let written = stage.written();
    annotated(stage.run()).run().await.assert_code(0);
    assert_eq!(stage.written(), written);
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_before_anything_is_asked() {
    let stage = Stage::registry(some_packages).await;
    for (text, says) in [
        ("key", "key=value"),
        ("org.conda.md5=x", "by the mirror itself"),
    ] {
        let finished = stage.run().args(["--annotation", text]).run().await;
        finished.assert_code(2);
        assert!(finished.stderr.contains(says), "{}", finished.to_text());
    }
    assert_eq!(stage.source.requests().len(), 0);
}

//! A repair that workers elsewhere carry out.

use mirror_e2e::cluster::Cluster;
use mirror_e2e::stored::PACKAGE_CONDA;

use crate::support::{few, found, repaired, report, verify};

#[tokio::test]
async fn workers_elsewhere_bring_what_is_damaged() {
    let cluster = Cluster::new(few).await;
    let worker = cluster.worker().spawn();
    cluster.mirror().run().await.assert_code(0);
    let stage = &cluster.stage;
    let one = format!("{}/one", stage.subdir("linux-64"));
    let view = stage.view();
    let (layer, _) = view.layer(&one, "1.0-0", PACKAGE_CONDA).unwrap();
    assert!(view.delete_blob(&one, layer["digest"].as_str().unwrap()));
    let run = || verify(stage).args(cluster.servers.options());
    let seen = report(stage, run(), 1).await;
    assert_eq!(
        found(&seen, "damage"),
        ["blob-missing one-1.0-0.conda"],
        "{seen:#}"
    );
    let mended = report(stage, run().arg("--repair"), 0).await;
    assert_eq!(repaired(&mended), 1, "{mended:#}");
    report(stage, run(), 0).await;
    worker.term();
    worker.wait().await.assert_code(0);
    cluster.assert_complete().await;
}

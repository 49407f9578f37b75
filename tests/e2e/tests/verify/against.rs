//! A mirror beside its channel.

use std::path::PathBuf;

use mirror_e2e::stage::Stage;
use mirror_kit::channel::{Channel, ChannelBuilder};
use mirror_kit::fake_channel::FakeChannel;
use mirror_kit::package::{Fill, PackageSpec};

use crate::support::{few, found, report, verify};

/// [`few`] after a while: `one` is gone, `many` 2.0 is another file, `new` has come.
fn later(dir: PathBuf) -> anyhow::Result<Channel> {
    let package = |name: &str, version: &str, size| {
        PackageSpec::new(name, version, "0").payload(size, Fill::Random)
    };
    ChannelBuilder::new(dir)
        .package(package("two", "1.0", 3_000))
        .package(package("many", "1.0", 3_000))
        .package(package("many", "2.0", 5_000))
        .package(package("new", "1.0", 3_000))
        .package(package("data", "1.0", 3_000).noarch())
        .build()
}

#[tokio::test]
async fn what_is_missing_what_differs_and_what_is_gone_is_named() {
    let stage = Stage::registry(few).await;
    stage.run().run().await.assert_code(0);
    let same = verify(&stage).args(["--against", stage.source.url().as_ref()]);
    report(&stage, same, 0).await;

    let dir = tempfile::tempdir().unwrap();
    let channel = later(dir.path().join("later")).unwrap();
    let source = FakeChannel::start(&channel.dir).await.unwrap();
    let beside = || verify(&stage).args(["--against", source.url().as_ref()]);
    let seen = report(&stage, beside(), 1).await;
    assert_eq!(
        found(&seen, "difference"),
        [
            "differs many-2.0-0.conda",
            "gone one-1.0-0.conda",
            "gone two-1.0-0.tar.bz2",
            "missing new-1.0-0.conda",
        ],
        "{seen:#}"
    );
    assert_eq!(found(&seen, "damage"), Vec::<String>::new(), "{seen:#}");
    let selected = report(&stage, beside().args(["-p", "two"]), 1).await;
    assert!(!found(&selected, "difference").contains(&"missing new-1.0-0.conda".to_owned()));

    // What is wrong is mended from there; what nobody mirrored yet is not.
    let mended = report(&stage, beside().args(["-p", "two"]).arg("--repair"), 0).await;
    assert_eq!(mended["summary"]["sound"], true, "{mended:#}");
    let listed = stage.view().index_files(&stage.subdir("linux-64"));
    let expected = ["many-1.0-0.conda", "many-2.0-0.conda", "two-1.0-0.conda"];
    assert_eq!(listed, expected.map(str::to_owned).into());
    let rest = report(&stage, beside(), 1).await;
    assert_eq!(
        found(&rest, "difference"),
        ["missing new-1.0-0.conda"],
        "{rest:#}"
    );
}

//! What the predecessor left in a registry is read as it is.

use std::collections::BTreeSet;

use mirror_e2e::mirror::{Report, mirror};
use mirror_e2e::stage::Stage;
use mirror_kit::fake_registry::{FakeRegistry, Options};
use mirror_kit::process::Home;

use crate::predecessor::{put, put_index};
use crate::support::{file, mirrored, named};

#[tokio::test]
async fn a_mirror_of_the_predecessor_is_copied_but_for_what_it_only_lists() {
    let options = Options {
        refuse_empty_config: false,
        ..Options::default()
    };
    let stage = Stage::registry_with(options, named(&["held", "listed"])).await;
    put(&stage, &file("held"));
    put_index(&stage);
    // Elsewhere, and within that registry, where the info that stands for an archive is taken over.
    let elsewhere = FakeRegistry::start();
    for (to, here) in [(&elsewhere, false), (stage.fake(), true)] {
        let home = Home::new();
        let report = Report::in_home(&home);
        let run = mirror(&home, mirrored(&stage), format!("{}/copy", to.url()));
        let run = run.args(["-s", "linux-64", "--attempts", "1"]);
        run.arg("--report")
            .arg(report.path())
            .run()
            .await
            .assert_code(1);
        assert_eq!(report.entry(&file("held"))["outcome"], "done");
        let missing = report.entry(&file("listed"));
        assert!(
            missing["cause"].as_str().unwrap().contains("404"),
            "{missing}"
        );
        let (view, subdir) = (to.view(), format!("copy/{}/linux-64", stage.channel.name));
        assert_eq!(view.index_files(&subdir), BTreeSet::from([file("held")]));
        let manifest = view
            .manifest_json(&format!("{subdir}/held"), "1.0-0")
            .unwrap();
        assert_eq!(manifest["config"]["size"], 2, "{manifest}");
        let info = manifest["layers"][1]["size"] == b"stands for an archive".len();
        assert_eq!(info, here, "{manifest}");
    }
}

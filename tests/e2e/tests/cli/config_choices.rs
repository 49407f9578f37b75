//! Which mirrors of a file run, with which options, and where its paths lead.

mod paths;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mirror_e2e::folder_view::view_of_folder;
use mirror_e2e::stage::NAMESPACE;
use mirror_kit::channel::{Channel, ChannelBuilder};
use mirror_kit::package::PackageSpec;
use mirror_kit::process::Home;

use crate::config_file::{Two, ZLIBS, run_of};
use crate::plan_table::row;
use crate::support::files;

#[tokio::test]
async fn a_mirror_can_be_picked_by_its_name_or_its_channel() {
    let two = Two::new().await;
    let finished = two.run("").args(["--only", "one"]).run().await;
    finished.assert_code(0);
    assert_eq!(two.indexed("first"), files(&ZLIBS));
    assert_eq!(two.second.count(|_| true), 0);
    assert!(
        !finished.stdout.contains("first to"),
        "one needs no heading"
    );
    two.run("")
        .args(["--only", &two.second.url()])
        .run()
        .await
        .assert_code(0);
    two.assert_both_mirrored();

    for mirrored in ["first", "second"] {
        let again = two.run("").args(["--only", mirrored, "--dry-run"]);
        let again = again.run().await;
        again.assert_code(0);
        let plans = again.stdout.matches("linux-64").count();
        assert_eq!(plans, 1, "{}", again.to_text());
    }

    let unknown = two.run("").args(["--only", "three"]).run().await;
    unknown.assert_code(2);
    for part in ["three", "one", "second"] {
        assert!(
            unknown.stderr.contains(part),
            "no {part}: {}",
            unknown.to_text()
        );
    }
}

#[tokio::test]
async fn options_beside_the_file_go_before_it_and_exclusions_add_up() {
    let two = Two::new().await;
    let finished = two
        .run("exclude = 'zstd'")
        .args(["-p", "all", "--exclude", "mkl"])
        .run()
        .await;
    finished.assert_code(0);
    assert_eq!(
        two.indexed("first"),
        files(&ZLIBS),
        "zstd by the file, mkl by the option"
    );
    assert_eq!(two.indexed("second"), files(&[]), "and zlib by the mirror");

    let elsewhere = format!("oci:{}/elsewhere", two.stage.home.path().display());
    two.run("")
        .args(["--registry", &elsewhere, "--only", "one"])
        .run()
        .await
        .assert_code(0);
    let view = view_of_folder(&two.stage.home.path().join("elsewhere"), NAMESPACE);
    assert_eq!(
        view.index_files(&format!("{NAMESPACE}/first/linux-64")),
        files(&ZLIBS)
    );
}

pub(crate) fn own(dir: PathBuf) -> anyhow::Result<Channel> {
    let package = |name: &str| PackageSpec::new(name, "1.0", "0");
    let builder = ChannelBuilder::new(dir).subdir("noarch");
    builder
        .package(package("open"))
        .package(package("secret"))
        .build()
}

#[tokio::test]
async fn paths_in_the_file_are_relative_to_it() {
    let home = Home::new();
    let etc = home.path().join("etc");
    own(etc.join("own")).unwrap();
    std::fs::write(etc.join("list.json"), r#"{"undistributable": ["secret"]}"#).unwrap();
    let text = "[[mirror]]\nchannel = './own'\nregistry = 'oci:out'\nsubdir = ['linux-64']\n\
                state = 'state'\nspool = 'spool'\nreport = 'report.json'\nundistributable = 'list.json'\n";
    run_of(&home, text).run().await.assert_code(0);
    let names = |folder: &Path| -> BTreeSet<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let expected = [
        "list.json",
        "mirrors.toml",
        "out",
        "own",
        "report.json",
        "spool",
        "state",
    ];
    assert_eq!(names(&etc), files(&expected));
    assert_eq!(names(home.path()), files(&["etc"]), "nothing beside it");
    let view = view_of_folder(&etc.join("out"), NAMESPACE);
    assert_eq!(
        view.index_files(&format!("{NAMESPACE}/own/linux-64")),
        files(&["open-1.0-0.conda"])
    );
}

#[tokio::test]
async fn a_date_needs_no_quotes() {
    let two = Two::new().await;
    // The packages were built on 2023-11-14.
    for (date, rows) in [("2023-11-01", 2), ("'2023-11-01'", 2), ("2023-12-01", 0)] {
        let run = two.run(&format!("newer-than = {date}"));
        let finished = run.args(["--only", "one", "--dry-run"]).run().await;
        finished.assert_code(0);
        assert_eq!(row(&finished, "linux-64").files, rows, "{date}");
    }
}

#[tokio::test]
async fn a_mirror_can_switch_off_what_the_defaults_switch_on() {
    let home = Home::new();
    let etc = home.path().join("etc");
    own(etc.join("own")).unwrap();
    let index = etc.join("own/linux-64/repodata.json");
    let with_hashes = std::fs::read_to_string(&index).unwrap();
    let without = with_hashes
        .replace("\"sha256\"", "\"x\"")
        .replace("\"md5\"", "\"y\"");
    assert_ne!(with_hashes, without);
    for entry in std::fs::read_dir(etc.join("own/linux-64")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("repodata") {
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::write(&index, without).unwrap();
    for (own_choice, code) in [("", 0), ("allow-unverified = false", 1)] {
        let text = format!(
            "[defaults]\nallow-unverified = true\nattempts = 1\n[[mirror]]\nchannel = './own'\n\
             registry = 'oci:out{code}'\nsubdir = ['linux-64']\n{own_choice}\n"
        );
        run_of(&home, &text).run().await.assert_code(code);
    }
    // Beside the file the option goes before it.
    let text = "[[mirror]]\nchannel = './own'\nregistry = 'oci:out'\nsubdir = ['linux-64']\nallow-unverified = false\n";
    let run = run_of(&home, text).arg("--allow-unverified");
    run.run().await.assert_code(0);
}

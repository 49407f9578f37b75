//! Where the paths of a file lead, wherever the file is.

use mirror_e2e::folder_view::view_of_folder;
use mirror_e2e::stage::NAMESPACE;
use mirror_kit::process::{Home, Run};

use super::own;
use crate::support::{files, mirror_offline};

/// A run of a file `m.toml` with this text in this folder.
fn run_in(home: &Home, folder: &str, text: &str) -> Run {
    let path = home.path().join(folder);
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join("m.toml"), text).unwrap();
    mirror_offline(home).args(["--config", &format!("{folder}/m.toml")])
}

#[tokio::test]
async fn a_channel_folder_is_found_beside_a_file_in_a_hidden_folder() {
    let home = Home::new();
    own(home.path().join(".dot/own")).unwrap();
    let text = "[[mirror]]\nchannel = './own'\nregistry = 'oci:out'\n";
    run_in(&home, ".dot", text).run().await.assert_code(0);
    let view = view_of_folder(&home.path().join(".dot/out"), NAMESPACE);
    let indexed = view.index_files(&format!("{NAMESPACE}/own/linux-64"));
    assert_eq!(indexed, files(&["open-1.0-0.conda", "secret-1.0-0.conda"]));
}

#[tokio::test]
async fn the_folder_of_the_file_and_the_one_above_can_be_channels() {
    for (written, folder) in [
        (".", "own"),
        ("..", "own/etc"),
        ("../own", "etc"),
        ("./", "own"),
    ] {
        let home = Home::new();
        own(home.path().join("own")).unwrap();
        let out = home.path().join("out");
        let text = format!(
            "[[mirror]]\nchannel = '{written}'\nregistry = 'oci://{}'\nsubdir = 'linux-64'\n",
            out.display()
        );
        let finished = run_in(&home, folder, &text).run().await;
        finished.assert_code(0);
        let view = view_of_folder(&out, NAMESPACE);
        let indexed = view.index_files(&format!("{NAMESPACE}/own/linux-64"));
        assert_eq!(indexed.len(), 2, "{written}: {}", finished.to_text());
    }
}

#[tokio::test]
async fn paths_are_said_without_needless_dots() {
    let home = Home::new();
    let text = "[[mirror]]\nchannel = './gone'\nregistry = 'oci:./out'\n";
    let finished = run_in(&home, "cfg", text).args(["--json"]).run().await;
    finished.assert_code(2);
    for part in ["\"oci:cfg/out\"", "cfg/gone is no folder"] {
        let said = finished.stdout.contains(part);
        assert!(said, "no {part}: {}", finished.to_text());
    }
}

#[tokio::test]
async fn a_name_that_is_also_a_folder_beside_the_file_is_pointed_out() {
    let home = Home::new();
    own(home.path().join("etc/own")).unwrap();
    let text = "[[mirror]]\nchannel = 'own'\nregistry = 'oci:out'\nsubdir = 'linux-64'\n";
    let finished = run_in(&home, "etc", text).run().await;
    finished.assert_code(2);
    let hint = "`own` is taken for a channel's name; for the folder write ./own";
    assert!(finished.stderr.contains(hint), "{}", finished.to_text());
}

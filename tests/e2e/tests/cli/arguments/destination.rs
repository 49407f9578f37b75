//! Destinations that were meant otherwise.

use mirror_e2e::folder_view::view_of_folder;
use mirror_e2e::mirror::mirror;
use mirror_e2e::stage::NAMESPACE;
use mirror_kit::process::Home;

use super::{assert_refused, refused_run};
use crate::support::four_packages;

#[tokio::test]
async fn a_path_is_told_from_a_registry_and_the_way_to_write_it_shown() {
    for (registry, says) in [
        ("./x", "--registry oci:./x"),
        ("/tmp/x", "--registry oci:/tmp/x"),
        ("oci:~/x", "begins with ~"),
        ("oci://ghcr.io/x", "ghcr.io/x for that registry"),
    ] {
        assert_refused(&["-c", "x", "--registry", registry], &[says]).await;
    }
}

#[tokio::test]
async fn a_folder_may_be_written_with_three_slashes() {
    let home = Home::new();
    four_packages(home.path().join("own")).unwrap();
    let out = home.path().join("out");
    let finished = mirror(&home, "./own", format!("oci://{}", out.display()))
        .run()
        .await;
    finished.assert_code(0);
    let view = view_of_folder(&out, NAMESPACE);
    let indexed = view.index_files(&format!("{NAMESPACE}/own/linux-64"));
    assert_eq!(indexed.len(), 4, "{}", finished.to_text());
}

#[tokio::test]
async fn a_login_given_for_a_user_is_not_repeated() {
    for user in ["me:hunter2@x", "me:hunter2"] {
        let finished = refused_run(|run| run.args(["-c", "x", "--user", user])).await;
        assert!(finished.stderr.contains("--user"), "{}", finished.to_text());
        assert!(
            !finished.stderr.contains("hunter2"),
            "{}",
            finished.to_text()
        );
    }
}

#[tokio::test]
async fn a_folder_whose_name_registries_cannot_hold_is_one_error_before_anything_begins() {
    let home = Home::new();
    four_packages(home.path().join("Chan")).unwrap();
    let finished = mirror(&home, "./Chan", "oci:./out").run().await;
    finished.assert_code(2);
    let errors = finished.stderr.lines().filter(|line| line.contains("Chan"));
    assert_eq!(errors.count(), 1, "{}", finished.to_text());
    assert!(
        finished.stderr.contains("--as NAME"),
        "{}",
        finished.to_text()
    );
    assert!(!home.path().join("out").exists());
}

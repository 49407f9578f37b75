//! What is one mirror's own trouble, and what is said once for all of them.

use mirror_e2e::stage::{NAMESPACE, Stage};
use serde_json::Value;

use crate::config_file::{Two, run_of};
use crate::support::four_packages;

#[tokio::test]
async fn a_folder_that_cannot_even_be_resolved_fails_at_its_turn_and_the_others_run() {
    let stage = Stage::registry(four_packages).await;
    let registry = format!("{}/{NAMESPACE}", stage.fake().url());
    let text = format!(
        "[defaults]\nregistry = '{registry}'\nsubdir = 'linux-64'\n[[mirror]]\nname = 'disk'\n\
         channel = '../not-mounted/x'\n[[mirror]]\nchannel = '{}'\n",
        stage.source.url()
    );
    let finished = run_of(&stage.home, &text).run().await;
    finished.assert_code(2);
    let said = finished
        .stderr
        .lines()
        .find(|line| line.starts_with("error: disk: ") && line.contains("not-mounted"));
    assert!(said.is_some(), "{}", finished.to_text());
    stage.assert_complete();

    let json = run_of(&stage.home, &text).arg("--json").run().await;
    json.assert_code(2);
    let first: Value = serde_json::from_str(json.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(first["name"], "disk");
    assert!(first["error"].is_string(), "{first:#}");
    assert_eq!(json.stdout.lines().count(), 2, "{}", json.to_text());
}

#[tokio::test]
async fn a_blank_line_stands_between_what_is_printed_of_two_mirrors() {
    let two = Two::new().await;
    for arguments in [&["--dry-run"][..], &[]] {
        let finished = two.run("").args(arguments).run().await;
        finished.assert_code(0);
        let blank = format!("\n\nsecond to {}", two.stage.fake().url());
        assert!(finished.stdout.contains(&blank), "{}", finished.to_text());
        assert!(!finished.stdout.starts_with('\n'), "{}", finished.to_text());
    }
}

#[tokio::test]
async fn too_few_descriptors_are_said_once_for_all_mirrors() {
    let two = Two::new().await;
    let run = two.run("workers = 40").arg("--dry-run").open_files(110);
    let finished = run.run().await;
    finished.assert_code(0);
    let said = finished.stderr.matches("of 40 workers").count();
    assert_eq!(said, 1, "{}", finished.to_text());
}

#[tokio::test]
async fn mirrors_that_fill_one_channel_and_exclude_different_packages_are_said() {
    let stage = Stage::registry(four_packages).await;
    let (from, to) = (stage.source.url(), stage.fake().url());
    let mirror = |exclude: &str| {
        format!("[[mirror]]\nchannel = '{from}'\nregistry = '{to}/x'\nexclude = '{exclude}'\n")
    };
    for (exclude, warns) in [("mkl", false), ("zlib", true)] {
        let text = format!("{}{}", mirror("mkl"), mirror(exclude));
        let finished = run_of(&stage.home, &text).arg("--dry-run").run().await;
        finished.assert_code(0);
        let warned = finished.stderr.contains("exclude different packages");
        assert_eq!(warned, warns, "{}", finished.to_text());
    }
}

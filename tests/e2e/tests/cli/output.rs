//! What is said where: standard output, standard error, exit codes.

use mirror_e2e::mirror::mirror;
use mirror_e2e::stage::Stage;
use mirror_kit::channel::standard;
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::fake_registry::{Fault as Answer, Kind, When};
use mirror_kit::process::{Finished, Home};

use crate::support::{four_packages, nobody_listens};

fn assert_plain(finished: &Finished) {
    for text in [&finished.stdout, &finished.stderr] {
        let control = text.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(control, None, "{}", finished.to_text());
    }
}

#[tokio::test]
async fn a_run_that_went_well_says_so_and_ends_with_0() {
    let stage = Stage::registry(standard).await;
    let finished = stage.run().run().await;
    finished.assert_code(0);
    let files = stage.channel.files.iter().filter(|f| f.representable);
    let says = format!("{} files", files.count());
    assert!(finished.stdout.contains(&says), "{}", finished.to_text());
    assert!(finished.stdout.contains("finished in"));
    assert_plain(&finished);

    let again = stage.run().run().await;
    again.assert_code(0);
    assert!(again.stdout.contains("unchanged"), "{}", again.to_text());
}

#[tokio::test]
async fn quiet_says_nothing_when_all_is_well() {
    let stage = Stage::registry(standard).await;
    let finished = stage.run().arg("--quiet").run().await;
    finished.assert_code(0);
    assert_eq!((&*finished.stdout, &*finished.stderr), ("", ""));
    stage.assert_complete();
}

#[tokio::test]
async fn quiet_still_says_why_a_run_could_not_be_done() {
    let home = Home::new();
    let run = mirror(&home, "./no-such-channel", "oci:./mirror");
    let finished = run.args(["--quiet", "-s", "linux-64"]).run().await;
    finished.assert_code(2);
    let said = "no-such-channel is no folder";
    assert!(finished.stderr.contains(said), "{}", finished.to_text());
}

#[tokio::test]
async fn a_failed_file_is_exit_1_and_named_with_its_cause() {
    let stage = Stage::registry(four_packages).await;
    stage
        .source
        .fault("mkl-2025.0-h0_0.conda", Fault::Html, Times::Always);
    let finished = stage.run().args(["--attempts", "1"]).run().await;
    finished.assert_code(1);
    assert!(
        finished.stdout.contains("1 failed"),
        "{}",
        finished.to_text()
    );
    let line = finished
        .stderr
        .lines()
        .find(|line| line.contains("mkl-2025.0-h0_0.conda"));
    assert!(
        line.is_some_and(|line| line.contains("bytes")),
        "{}",
        finished.to_text()
    );
    assert_plain(&finished);
}

#[tokio::test]
async fn debug_says_more_and_still_no_control_characters() {
    let stage = Stage::registry(four_packages).await;
    let finished = stage.run().arg("--debug").run().await;
    finished.assert_code(0);
    assert!(finished.stderr.contains("DEBUG"), "{}", finished.to_text());
    assert!(
        finished.stderr.contains("put a manifest"),
        "{}",
        finished.to_text()
    );
    assert_plain(&finished);
}

#[tokio::test]
async fn a_channel_that_cannot_be_reached_is_exit_2_and_named() {
    let home = Home::new();
    let nobody = nobody_listens();
    let run = mirror(&home, format!("{nobody}/channel"), "oci:./mirror");
    let finished = run.args(["-s", "linux-64"]).run().await;
    finished.assert_code(2);
    let url = format!("{nobody}/channel/linux-64");
    assert!(finished.stderr.contains(&url), "{}", finished.to_text());
    assert!(
        finished.stderr.contains("cannot connect"),
        "{}",
        finished.to_text()
    );
    assert_plain(&finished);
}

#[tokio::test]
async fn the_closing_line_of_a_subdir_that_could_not_be_mirrored_says_why() {
    let home = Home::new();
    let run = mirror(&home, format!("{}/channel", nobody_listens()), "oci:./m");
    let run = run.args(["-s", "linux-64", "-s", "emscripten-wasm32"]);
    let finished = run.run().await;
    finished.assert_code(2);
    let lines: Vec<_> = finished
        .stdout
        .lines()
        .filter_map(|line| line.split_once(" could not be mirrored: "))
        .collect();
    assert!(!lines.is_empty(), "{}", finished.to_text());
    for (subdir, cause) in lines {
        let its_own = cause.contains("cannot connect") && cause.contains(subdir.trim());
        let told = cause == "for the same reason";
        assert!(its_own || told, "{subdir}: {cause}");
    }
    assert!(!finished.stdout.contains("above"), "{}", finished.to_text());
}

#[tokio::test]
async fn an_unchanged_subdir_says_what_failed_in_it() {
    let stage = Stage::registry(four_packages).await;
    stage
        .source
        .fault("mkl-2025.0-h0_0.conda", Fault::Html, Times::Always);
    let run = || stage.run().args(["--attempts", "1"]);
    run().run().await.assert_code(1);
    let finished = run().run().await;
    finished.assert_code(1);
    let says = "linux-64       unchanged since the last run; 1 failure rests\n";
    assert!(finished.stdout.contains(says), "{}", finished.to_text());
    let clean = "noarch         unchanged since the last run\n";
    assert!(finished.stdout.contains(clean), "{}", finished.to_text());
    let planned = run().arg("--dry-run").run().await;
    assert!(planned.stdout.contains(says), "{}", planned.to_text());
}

#[tokio::test]
async fn control_characters_in_a_registrys_answer_are_not_passed_on() {
    let stage = Stage::registry(four_packages).await;
    let answer = Answer::error(400, "BAD\u{1b}[31m", "no\u{1b}]0;x\u{7}");
    let at = When::kind(Kind::ManifestPut);
    stage.fake().fault(at.repository_ending("/mkl"), answer);
    let finished = stage.run().args(["--attempts", "1"]).run().await;
    finished.assert_code(1);
    assert!(finished.stderr.contains("BAD"), "{}", finished.to_text());
    assert_plain(&finished);
}

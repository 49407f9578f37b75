//! Where `--report` may go, and what it leaves of what was there: a link, a pipe, an open descriptor, a mode.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use mirror_e2e::stage::Stage;
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::process::{Run, binary};
use serde_json::Value;

use super::outcomes;
use crate::support::four_packages;

/// An empty folder in the stage's home.
fn folder(stage: &Stage) -> PathBuf {
    let folder = stage.home.path().join("reports");
    fs::create_dir(&folder).unwrap();
    folder
}

fn run(stage: &Stage, report: &Path) -> Run {
    stage.run().arg("--report").arg(report)
}

/// The mirror's command below a shell that does `before` first; `$0` is the program.
fn below_shell(stage: &Stage, script: &str, report: &Path) -> Run {
    let to = format!("{}/ns", stage.fake().url());
    let from = stage.source.url();
    let arguments = ["mirror", "-c", &from, "-s", "linux-64", "--registry", &to];
    Run::in_home(&stage.home)
        .program("sh")
        .args(["-c", script])
        .arg(binary())
        .args(arguments)
        .arg("--report")
        .arg(report)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[track_caller]
fn assert_report(text: &str) {
    let report: Value = serde_json::from_str(text).expect("a report is JSON");
    assert_eq!(outcomes(&report).len(), 4, "{report:#}");
}

#[tokio::test]
async fn a_link_stays_and_the_file_it_names_is_replaced() {
    let stage = Stage::registry(four_packages).await;
    let folder = folder(&stage);
    fs::create_dir(folder.join("old")).unwrap();
    let (link, file) = (folder.join("latest.json"), folder.join("old/report.json"));
    symlink("old/report.json", &link).unwrap();
    // The first time the file is not there yet.
    for more in ["*", "?*"] {
        let finished = run(&stage, &link).args(["-p", more]).run().await;
        finished.assert_code(0);
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("old/report.json"));
        assert_report(&fs::read_to_string(&file).unwrap());
        fs::write(&file, "an earlier report").unwrap();
    }
    assert_eq!(names(&folder.join("old")).len(), 1);
}

#[tokio::test]
async fn a_named_pipe_is_written_to_and_stays_a_pipe() {
    let stage = Stage::registry(four_packages).await;
    let pipe = folder(&stage).join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let source = pipe.clone();
    let (reader, read) = tokio::sync::oneshot::channel();
    // Of a pipe that nobody wrote to it would read for ever, and no runtime waits for it.
    std::thread::spawn(move || reader.send(fs::read_to_string(source).unwrap()));
    run(&stage, &pipe).run().await.assert_code(0);
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    assert_report(&read.await.unwrap());
}

#[tokio::test]
async fn the_pipe_of_a_process_substitution_is_written_to() {
    let stage = Stage::registry(four_packages).await;
    let read = stage.home.path().join("read.json");
    let script = format!(
        r#"{{ "$0" "$@" 3>&1 >closing.txt; }} | cat > {}"#,
        read.display()
    );
    let finished = below_shell(&stage, &script, Path::new("/proc/self/fd/3"));
    finished.run().await.assert_code(0);
    assert_report(&fs::read_to_string(&read).unwrap());
    let closing = fs::read_to_string(stage.home.path().join("closing.txt")).unwrap();
    assert!(closing.contains("finished in"), "{closing}");
}

#[tokio::test]
async fn on_standard_output_the_report_stands_before_the_closing_words() {
    let stage = Stage::registry(four_packages).await;
    // Of the form of /dev/stdout, which a wrong program run by root would replace.
    let stdout = folder(&stage).join("stdout");
    symlink("/proc/self/fd/1", &stdout).unwrap();
    let finished = run(&stage, &stdout).run().await;
    finished.assert_code(0);
    let (report, closing) = finished
        .stdout
        .split_once("}\nlinux-64 ")
        .unwrap_or_else(|| panic!("{}", finished.to_text()));
    assert_report(&format!("{report}}}"));
    assert!(closing.contains("finished in"), "{}", finished.to_text());
    assert!(stdout.is_symlink());
}

#[tokio::test]
async fn a_folder_is_refused_before_anything_is_asked() {
    let stage = Stage::registry(four_packages).await;
    let folder = folder(&stage);
    for (report, says) in [
        (folder.clone(), "this is a folder"),
        (folder.join("none/"), "this is a folder"),
        (PathBuf::from("-"), "--report /dev/stdout"),
    ] {
        let finished = run(&stage, &report).run().await;
        finished.assert_code(2);
        let shown = report.display().to_string();
        let line = finished
            .stderr
            .lines()
            .find(|line| line.contains(says) && line.contains(&shown));
        assert!(line.is_some(), "{}", finished.to_text());
    }
    assert_eq!(stage.source.requests().len(), 0);
    assert_eq!(stage.fake().log().total(), 0, "{}", stage.log());
    assert_eq!(names(&folder), BTreeSet::new());
}

#[tokio::test]
async fn a_new_report_has_the_mode_that_the_umask_leaves_and_a_replaced_one_keeps_its_own() {
    let stage = Stage::registry(four_packages).await;
    let report = folder(&stage).join("report.json");
    let run = |umask: &str| {
        let script = format!(r#"umask {umask}; exec "$0" "$@""#);
        below_shell(&stage, &script, &report)
    };
    run("027").run().await.assert_code(0);
    assert_eq!(mode(&report), 0o640);
    for kept in [0o604, 0o666, 0o600] {
        fs::set_permissions(&report, fs::Permissions::from_mode(kept)).unwrap();
        run("027").run().await.assert_code(0);
        assert_eq!(mode(&report), kept, "{kept:o}");
    }
}

#[tokio::test]
async fn a_run_that_is_ended_at_once_leaves_nothing_beside_the_report() {
    let stage = Stage::registry(four_packages).await;
    let folder = folder(&stage);
    let report = folder.join("report.json");
    fs::write(&report, "the earlier report").unwrap();
    let stall = Fault::Stall { after: 100 };
    stage
        .source
        .fault("zstd-1.5.6-h0_0.conda", stall, Times::First(1));
    let mut running = run(&stage, &report).spawn();
    stage.source.held().await;
    running.interrupt();
    running
        .until("to have heard the signal", |_, stderr| {
            stderr.contains("stopping")
        })
        .await;
    running.interrupt();
    running.wait().await.assert_code(130);
    assert_eq!(names(&folder), BTreeSet::from(["report.json".to_owned()]));
    assert_eq!(fs::read_to_string(&report).unwrap(), "the earlier report");
}

//! The runner with a shell in the product's place.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::{Disks, Home, Run};

fn shell(script: &str) -> Run {
    Run::new().program("/bin/sh").args(["-c", script])
}

#[tokio::test]
async fn exit_code_and_output_are_kept() {
    let finished = shell("echo out; echo err >&2; exit 3").run().await;
    finished.assert_code(3);
    assert_eq!(
        (finished.stdout.as_str(), finished.stderr.as_str()),
        ("out\n", "err\n")
    );
    assert_eq!(finished.signal, None);
}

#[tokio::test]
async fn the_environment_is_scrubbed() {
    let home = Home::new();
    let run = Run::in_home(&home)
        .program("/usr/bin/env")
        .env("GIVEN", "1");
    let run = run
        .kill_at("a")
        .kill_at_nth("b", 3)
        .fail_point("c", "kill@2");
    let finished = run.run().await;
    let mut names: Vec<_> = finished
        .stdout
        .lines()
        .map(|l| l.split('=').next().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "CONDA_OCI_FAIL_POINTS",
            "GIVEN",
            "HOME",
            "LC_ALL",
            "NO_COLOR",
            "PATH",
            "RUST_BACKTRACE",
            "XDG_CACHE_HOME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_STATE_HOME",
        ]
    );
    assert!(
        finished
            .stdout
            .contains(&format!("\nHOME={}\n", home.path().display()))
    );
    assert!(
        finished
            .stdout
            .contains("CONDA_OCI_FAIL_POINTS=a=kill;b=kill@3;c=kill@2\n")
    );
}

#[tokio::test]
async fn runs_in_one_home_see_what_the_other_left() {
    let home = Home::new();
    let run = |script: &str| Run::in_home(&home).program("/bin/sh").args(["-c", script]);
    run("echo kept > $HOME/file").run().await.assert_code(0);
    assert_eq!(run("cat file").run().await.stdout, "kept\n");
}

#[tokio::test]
async fn signals_reach_the_process() {
    let script =
        "trap 'exit 130' INT; trap 'exit 143' TERM; echo ready; while :; do sleep 0.01; done";
    for (signal, code) in [("INT", Some(130)), ("TERM", Some(143)), ("KILL", None)] {
        let mut running = shell(script).spawn();
        running
            .until("to be ready", |stdout, _| stdout.contains("ready"))
            .await;
        match signal {
            "INT" => running.interrupt(),
            "TERM" => running.term(),
            _ => running.kill9(),
        }
        let finished = running.wait().await;
        assert_eq!(finished.code, code, "{signal}");
        if code.is_none() {
            finished.assert_killed();
        }
    }
}

#[tokio::test]
async fn a_pause_is_seen_by_its_marker() {
    let script = r#"marker=${CONDA_OCI_FAIL_POINTS#here=pause:}; : > "$marker"; exec sleep 100"#;
    let mut running = shell(script).pause_at("here").spawn();
    running.paused("here").await;
    running.kill9();
    running.wait().await.assert_killed();
}

#[tokio::test]
#[should_panic(expected = "it ended")]
async fn waiting_for_a_pause_that_never_comes_fails_with_the_output() {
    shell("exit 1")
        .pause_at("here")
        .spawn()
        .paused("here")
        .await;
}

#[tokio::test]
#[should_panic(expected = "some words")]
async fn the_deadline_kills_and_shows_the_output() {
    let run = shell("echo some words; exec sleep 100").deadline(Duration::from_millis(300));
    run.run().await;
}

#[tokio::test]
async fn a_small_disk_gets_full_and_free_again_and_only_runs_on_it_see_it() {
    let (home, disks) = (Home::new(), Disks::new());
    let folder = home.path().join("disk");
    std::fs::create_dir(&folder).unwrap();
    disks.small(&folder, 64 << 10);
    let run = |script: &str| Run::in_home(&home).program("/bin/sh").args(["-c", script]);
    let write = || run("head -c 12000 /dev/zero > disk/kept").on(&disks).run();

    disks.fill(&folder, 4096);
    let finished = write().await;
    assert!(finished.code != Some(0), "{}", finished.to_text());
    let said = finished.stderr.contains("No space left on device");
    assert!(said, "{}", finished.to_text());
    disks.free(&folder);
    write().await.assert_code(0);
    let kept = std::fs::metadata(disks.seen(&folder).join("kept")).unwrap();
    assert_eq!(kept.len(), 12_000);
    assert_eq!(run("ls disk").run().await.stdout, "");
}

#[tokio::test]
async fn a_read_only_folder_is_so_for_root_as_well() {
    let (home, disks) = (Home::new(), Disks::new());
    let folder = home.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("file"), "content").unwrap();
    disks.read_only(&folder);
    let run = |script: &str| Run::in_home(&home).program("/bin/sh").args(["-c", script]);
    let finished = run("cat folder/file; touch folder/new")
        .on(&disks)
        .run()
        .await;
    assert_eq!(
        (finished.code, finished.stdout.as_str()),
        (Some(1), "content")
    );
    let said = finished.stderr.contains("Read-only file system");
    assert!(said, "{}", finished.to_text());
    run("touch folder/new").run().await.assert_code(0);
}

#[tokio::test]
async fn open_files_are_limited_for_good() {
    let script = "ulimit -n; ulimit -n 100; ulimit -n";
    let finished = shell(script).open_files(23).run().await;
    assert_eq!(finished.stdout.lines().next(), Some("23"));
    assert!(!finished.stdout.contains("100"), "{}", finished.to_text());
}

#[tokio::test]
async fn a_run_on_disks_is_the_process_itself() {
    let disks = Disks::new();
    let script = "echo $$; exec sleep 100";
    let mut running = shell(script).on(&disks).open_files(50).spawn();
    running
        .until("to tell its id", |stdout, _| stdout.ends_with('\n'))
        .await;
    assert_eq!(running.stdout().trim(), running.id().unwrap().to_string());
    running.kill9();
    running.wait().await.assert_killed();
}

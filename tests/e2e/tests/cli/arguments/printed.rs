//! Standard output that cannot be written to, or that nobody reads.

use mirror_kit::process::{Finished, Home, Run, binary};

use crate::support::four_packages;

/// A mirror of a folder, started by a shell that does `script` with it.
async fn through(home: &Home, script: &str) -> Finished {
    four_packages(home.path().join("own")).unwrap();
    let arguments = ["mirror", "-c", "./own", "--registry", "oci:./out"];
    let run = Run::in_home(home).program("/bin/sh").args(["-c", script]);
    run.arg(binary()).args(arguments).run().await
}

#[tokio::test]
async fn what_cannot_be_printed_is_an_error() {
    let home = Home::new();
    let finished = through(&home, r#"exec "$0" "$@" > /dev/full"#).await;
    finished.assert_code(2);
    let said = "cannot write to standard output";
    assert!(finished.stderr.contains(said), "{}", finished.to_text());
    assert!(home.path().join("out").exists(), "it was mirrored");
}

#[tokio::test]
async fn a_reader_that_went_away_changes_nothing() {
    let home = Home::new();
    // Opening the pipe waits for the reader, and after `wait` there is none any more.
    let script = r#"mkfifo pipe; : < pipe & exec 4> pipe; wait; exec "$0" "$@" >&4"#;
    let finished = through(&home, script).await;
    finished.assert_code(0);
    assert_eq!(finished.stdout, "", "{}", finished.to_text());
}

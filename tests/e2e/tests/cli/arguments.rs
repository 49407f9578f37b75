//! What cannot be done as written is refused before anything is touched, in words that say what to write.

mod destination;
mod printed;

use mirror_kit::process::{Finished, Home, Run};

use crate::support::mirror_offline;

const DESTINATION: [&str; 2] = ["--registry", "oci:./mirror"];

async fn refused_run(run: impl FnOnce(Run) -> Run) -> Finished {
    let home = Home::new();
    let finished = run(mirror_offline(&home)).run().await;
    finished.assert_code(2);
    assert_eq!(finished.stdout, "", "{}", finished.to_text());
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().collect();
    assert!(left.is_empty(), "something was left behind: {left:?}");
    finished
}

/// Every one of `says` stands in the message.
async fn assert_refused(arguments: &[&str], says: &[&str]) {
    let finished = refused_run(|run| run.args(arguments)).await;
    for part in says {
        let said = finished.stderr.contains(part);
        assert!(said, "no {part:?} in\n{}", finished.to_text());
    }
}

/// The commands of the examples in a help text, continued lines joined.
fn examples(help: &str) -> Vec<Vec<String>> {
    let (_, examples) = help.split_once("Examples:").expect("the help has examples");
    let joined = examples.replace("\\\n", " ");
    let commands = joined
        .lines()
        .filter_map(|line| line.trim().strip_prefix("conda-oci "));
    commands.map(words).collect()
}

/// The words of a command, as a shell reads single quotes.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in command.split('\'').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

#[tokio::test]
async fn help_shows_examples_and_each_of_them_is_understood() {
    for help in [&["--help"][..], &["mirror", "--help"]] {
        let help = Run::new().args(help).run().await;
        help.assert_code(0);
        let examples = examples(&help.stdout);
        assert!(examples.len() >= 2, "{}", help.to_text());
        for example in examples {
            assert_eq!(example[0], "mirror");
            if example.iter().any(|word| word == "--config") {
                let arguments: Vec<&str> = example[1..].iter().map(String::as_str).collect();
                assert_refused(&arguments, &["mirrors.toml", "No such file"]).await;
                continue;
            }
            // A pattern that is refused only after all else was understood.
            let last = ["--undistributable", "none", "--package", "[unclosed"];
            let arguments: Vec<&str> = example[1..]
                .iter()
                .map(String::as_str)
                .chain(last)
                .collect();
            assert_refused(&arguments, &["[unclosed"]).await;
        }
    }
}

#[tokio::test]
async fn the_configuration_file_that_help_shows_is_understood() {
    let help = Run::new().args(["mirror", "--help"]).run().await;
    let (_, text) = help
        .stdout
        .split_once("[defaults]")
        .expect("help shows a file");
    let (text, _) = text.split_once("\n\n").expect("something follows it");
    let home = Home::new();
    std::fs::write(
        home.path().join("mirrors.toml"),
        format!("[defaults]{text}\n"),
    )
    .unwrap();
    let run = mirror_offline(&home).args(["--config", "mirrors.toml", "--exclude", "[unclosed"]);
    let finished = run.run().await;
    finished.assert_code(2);
    let understood = finished.stderr.contains("[unclosed");
    assert!(understood, "{}", finished.to_text());
}

#[tokio::test]
async fn help_names_the_exit_codes_and_the_variables_of_the_login() {
    let help = Run::new().args(["mirror", "--help"]).run().await;
    for part in [
        "Exit codes",
        "Environment",
        "ORAS_USER",
        "ORAS_PASS",
        "HTTPS_PROXY",
        "NO_PROXY",
        "NO_COLOR",
        "RUST_LOG",
        "oci:FOLDER",
    ] {
        assert!(help.stdout.contains(part), "no {part}\n{}", help.to_text());
    }
}

#[tokio::test]
async fn the_version_is_printed() {
    let finished = Run::new().arg("--version").run().await;
    finished.assert_code(0);
    let version = finished.stdout.trim().strip_prefix("conda-oci ").unwrap();
    assert_eq!(version.split('.').count(), 3, "{version}");
}

#[tokio::test]
async fn without_a_destination_the_ways_to_give_one_are_named() {
    let ways = ["--registry", "--user", "--dry-run", "oci:"];
    assert_refused(&["--channel", "x"], &ways).await;
}

#[tokio::test]
async fn without_a_channel_the_flag_is_named() {
    assert_refused(&DESTINATION, &["--channel", "--config"]).await;
    assert_refused(&[], &["--channel", "--config"]).await;
}

#[tokio::test]
async fn two_destinations_are_refused() {
    let both = ["-c", "x", "--registry", "ghcr.io/a", "--user", "b"];
    assert_refused(&both, &["--registry", "--user"]).await;
}

#[tokio::test]
async fn a_malformed_registry_is_refused_with_the_forms_that_are_read() {
    for registry in ["ftp://x/y", "https://", "ghcr.io:port/x"] {
        let arguments = ["-c", "x", "--registry", registry];
        assert_refused(&arguments, &["host[:port]/namespace", "oci:FOLDER"]).await;
    }
    let capitals = ["-c", "x", "--registry", "ghcr.io/MyOrg"];
    assert_refused(&capitals, &["MyOrg", "lower-case"]).await;
    let capitals = ["-c", "x", "--user", "MyOrg"];
    assert_refused(&capitals, &["--user", "MyOrg", "lower-case"]).await;
    assert_refused(&["-c", "x", "--registry", "oci:"], &["oci:./"]).await;
}

#[tokio::test]
async fn credentials_in_an_address_are_refused_and_not_repeated() {
    for registry in [
        "https://me:hunter2@ghcr.io/x",
        "https://me:hunter2@[ghcr.io/x",
        "me:hunter2@ghcr.io/x",
        "https://ghcr.io/x?token=hunter2",
        "https://ghcr.io/x?token=hunter2&",
        "ftp://me:hunter2@ghcr.io/x",
    ] {
        let arguments = ["-c", "x", "--registry", registry];
        let finished = refused_run(|run| run.args(arguments)).await;
        let repeated = finished.stderr.contains("hunter2");
        assert!(!repeated, "{registry}: {}", finished.to_text());
    }
    let inside = ["-c", "x", "--registry", "https://me:hunter2@ghcr.io/x"];
    assert_refused(&inside, &["ORAS_USER", "ORAS_PASS"]).await;
    for (flag, address) in [
        ("--channel", "https://me:hunter2@host/x?more"),
        ("--channel", "ftp://me:hunter2@host/x"),
        ("--channel", "https://host/t/hunter2/x/linux-64"),
        ("--channel-base", "https://me:hunter2@[host"),
        ("--channel-base", "ftp://me:hunter2@host"),
    ] {
        let channel = if flag == "--channel" {
            "--as"
        } else {
            "--channel"
        };
        let arguments = [flag, address, channel, "x"];
        let finished = refused_run(|run| run.args(arguments).args(DESTINATION)).await;
        let repeated = finished.stderr.contains("hunter2");
        assert!(!repeated, "{flag} {address}: {}", finished.to_text());
    }
}

#[tokio::test]
async fn an_unknown_subdir_is_refused_with_those_that_are_known() {
    let arguments = ["-c", "x", "-s", "linux-46", "--registry", "oci:m"];
    assert_refused(&arguments, &["linux-46", "linux-64", "osx-arm64", "noarch"]).await;
}

#[tokio::test]
async fn bad_patterns_sizes_spans_and_numbers_are_refused_by_name() {
    for (flag, value, says) in [
        ("--package", "py[ab", &["py[ab", "glob"][..]),
        ("--package", "", &["empty", "py*"]),
        ("--spool-size", "5 parsecs", &["--spool-size", "GB"]),
        ("--spool-size", "much", &["--spool-size", "1.5GiB"]),
        ("--publish-every", "6", &["--publish-every", "s, m, h or d"]),
        ("--publish-every", "often", &["--publish-every", "6h"]),
        ("--workers", "0", &["--workers", "a whole number above 0"]),
        ("--latest", "0", &["--latest", "a whole number above 0"]),
        ("--max-files", "few", &["--max-files", "a whole number"]),
        ("--max-size", "1.5", &["--max-size", "bytes are whole"]),
        ("--state", "~/x", &["--state", "~", "whole path"]),
        ("--as", "Foo", &["`Foo`", "--as NAME"]),
        ("--attempts", "-1", &["-1"]),
        (
            "--max-writes-per-minute",
            "lots",
            &["--max-writes-per-minute"],
        ),
        (
            "--channel-base",
            "conda.example",
            &["--channel-base", "https://"],
        ),
        ("--channel", "", &["conda-forge", "./my-channel"]),
        ("--channel", "~/x", &["~", "whole path"]),
        ("--channel", "s3://bucket/x", &["s3", "https://", "file://"]),
        ("--as", "a//b", &["a//b"]),
        ("--no-such-flag", "x", &["--no-such-flag", "--help"]),
    ] {
        let channel = if flag == "--channel" {
            "--as"
        } else {
            "--channel"
        };
        let mut arguments = vec![channel, "x", flag, value];
        arguments.extend(DESTINATION);
        assert_refused(&arguments, says).await;
    }
}

#[tokio::test]
async fn half_a_login_is_refused_and_the_other_half_named() {
    for (set, missing) in [("ORAS_USER", "ORAS_PASS"), ("ORAS_PASS", "ORAS_USER")] {
        let run = |run: Run| run.args(["-c", "x"]).args(DESTINATION);
        let finished = refused_run(|offline| run(offline).env(set, "hunter2")).await;
        let says = format!("{set} is set and {missing} is not");
        assert!(finished.stderr.contains(&says), "{}", finished.to_text());
        assert!(!finished.stderr.contains("hunter2"));
    }
}

#[tokio::test]
async fn a_report_that_cannot_be_written_is_said_before_the_run() {
    let arguments = [
        "-c",
        "./x",
        "--report",
        "no-such-folder/report.json",
        "--registry",
        "oci:m",
    ];
    assert_refused(&arguments, &["--report", "no-such-folder"]).await;
}

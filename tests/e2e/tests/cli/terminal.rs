//! On a terminal: bars while work goes on, gone when it ends, the summary left once. The program runs below
//! `script` (util-linux), which gives it a terminal; a terminal emulator says what a person then sees.

use std::num::NonZeroU16;

use mirror_e2e::stage::Stage;
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::process::{Finished, Home, Run, Running, binary};

use crate::support::four_packages;

const ROWS: NonZeroU16 = NonZeroU16::new(30).unwrap();
const COLUMNS: NonZeroU16 = NonZeroU16::new(110).unwrap();
const HELD: &str = "zstd-1.5.6-h0_0.conda";

/// `conda-oci mirror` of the stage with these arguments more, on a terminal of its own.
fn on_a_terminal(stage: &Stage, arguments: &str) -> Run {
    let to = format!("{}/ns", stage.fake().url());
    let from = stage.source.url();
    let arguments = format!("mirror -c {from} -s linux-64 --registry {to} {arguments}");
    below_script(&stage.home, &arguments)
}

/// `conda-oci` with these arguments, on a terminal of its own.
fn below_script(home: &Home, arguments: &str) -> Run {
    let program = binary().display();
    let command = format!("stty rows {ROWS} cols {COLUMNS}; exec {program} {arguments}");
    Run::in_home(home)
        .program("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh")
}

/// Whether something sets colours or weights: an escape sequence that ends in `m`.
fn is_styled(output: &str) -> bool {
    let sequences = output.split("\u{1b}[").skip(1);
    let mut ends = sequences.filter_map(|rest| {
        rest.find(|c: char| c.is_ascii_alphabetic())
            .map(|at| rest.as_bytes()[at])
    });
    ends.any(|end| end == b'm')
}

/// The lines that stand on the screen after `output`, without the empty ones.
fn screen(output: &str) -> Vec<String> {
    let mut terminal = vt100::Parser::new(ROWS, COLUMNS, 0);
    terminal.process(output.as_bytes());
    let contents = terminal.screen().contents();
    let lines = contents.lines().map(str::trim_end);
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

fn is_bar(line: &str) -> bool {
    line.starts_with('[') && (line.contains(" files, ") || line.contains(" file, "))
}

/// Started, with one download held in its middle and the others done.
async fn held(stage: &Stage, run: Run) -> Running {
    stage
        .source
        .fault(HELD, Fault::Stall { after: 1000 }, Times::First(1));
    let mut running = run.spawn();
    stage.source.held().await;
    let drawn = |output: &str| {
        screen(output)
            .iter()
            .any(|line| is_bar(line) && line.contains("3/4 files"))
    };
    running
        .until("to draw a bar", |output, _| drawn(output))
        .await;
    running
}

fn assert_only_the_summary(finished: &Finished) {
    let screen = screen(&finished.stdout);
    let summaries = screen
        .iter()
        .filter(|line| line.contains("finished in"))
        .count();
    assert_eq!(summaries, 1, "{screen:#?}");
    let left: Vec<_> = screen
        .iter()
        .filter(|line| is_bar(line) || line.contains(HELD))
        .collect();
    assert!(left.is_empty(), "left on the screen: {left:#?}");
    assert_eq!(screen.len(), 3, "two subdirs and a last line: {screen:#?}");
}

#[tokio::test]
async fn bars_show_what_is_in_flight_and_are_gone_at_the_end() {
    let stage = Stage::registry(four_packages).await;
    let mut running = held(&stage, on_a_terminal(&stage, "")).await;
    let in_flight = |output: &str| screen(output).iter().any(|line| line.contains(HELD));
    running
        .until("to name the file in flight", |output, _| in_flight(output))
        .await;
    stage.source.release();
    let finished = running.wait().await;
    finished.assert_code(0);
    assert_only_the_summary(&finished);
    stage.assert_complete();
}

#[tokio::test]
async fn a_first_file_that_takes_long_is_seen_to_move() {
    let stage = Stage::registry(four_packages).await;
    let stall = Fault::Stall { after: 1000 };
    stage.source.fault(HELD, stall, Times::First(1));
    let mut running = on_a_terminal(&stage, "-p zstd").spawn();
    let moves =
        |line: &String| is_bar(line) && line.contains(" 0/1 file, ") && line.contains("B/s");
    running
        .until("to show how fast it goes", |output, _| {
            screen(output).iter().any(moves)
        })
        .await;
    stage.source.release();
    let finished = running.wait().await;
    finished.assert_code(0);
    let last = screen(&finished.stdout).pop().unwrap();
    assert!(last.contains(": 1 file, "), "{last}");
}

#[tokio::test]
async fn warnings_stand_above_the_bars_and_stay() {
    let stage = Stage::registry(four_packages).await;
    stage
        .source
        .fault("mkl-2025.0-h0_0.conda", Fault::Html, Times::Always);
    stage
        .source
        .fault(HELD, Fault::Stall { after: 1000 }, Times::First(1));
    let mut running = on_a_terminal(&stage, "--attempts 1").spawn();
    stage.source.held().await;
    let warned = |output: &str| {
        screen(output)
            .iter()
            .any(|line| line.contains("mkl-2025.0"))
    };
    let drawn = |output: &str| screen(output).iter().any(|line| is_bar(line));
    running
        .until("to warn and draw", |output, _| {
            warned(output) && drawn(output)
        })
        .await;
    stage.source.release();
    let finished = running.wait().await;
    finished.assert_code(1);
    let screen = screen(&finished.stdout);
    assert!(
        screen.iter().any(|line| line.contains("mkl-2025.0")),
        "{screen:#?}"
    );
    assert!(!screen.iter().any(|line| is_bar(line)), "{screen:#?}");
    let summaries = screen
        .iter()
        .filter(|line| line.contains("finished in"))
        .count();
    assert_eq!(summaries, 1, "{screen:#?}");
}

#[tokio::test]
async fn quiet_leaves_the_terminal_alone() {
    let stage = Stage::registry(four_packages).await;
    let finished = on_a_terminal(&stage, "--quiet").run().await;
    finished.assert_code(0);
    assert_eq!(finished.stdout, "");
}

#[tokio::test]
async fn what_failed_has_colours_unless_nobody_wants_them() {
    for (no_color, styled) in [("", true), ("1", false), ("false", false)] {
        let stage = Stage::registry(four_packages).await;
        stage
            .source
            .fault("mkl-2025.0-h0_0.conda", Fault::Html, Times::Always);
        let run = on_a_terminal(&stage, "--attempts 1").env("NO_COLOR", no_color);
        let finished = run.run().await;
        finished.assert_code(1);
        assert!(finished.stdout.contains("ERROR"), "{}", finished.to_text());
        assert_eq!(is_styled(&finished.stdout), styled, "NO_COLOR={no_color}");
    }
}

#[tokio::test]
async fn a_log_of_objects_has_no_colours_and_no_bars_even_here() {
    let stage = Stage::registry(four_packages).await;
    stage
        .source
        .fault("mkl-2025.0-h0_0.conda", Fault::Html, Times::Always);
    let run = on_a_terminal(&stage, "--attempts 1 --log-format json").env("NO_COLOR", "");
    let finished = run.run().await;
    finished.assert_code(1);
    assert!(
        !finished.stdout.contains('\u{1b}'),
        "{}",
        finished.to_text()
    );
    assert!(finished.stdout.contains("\"level\":\"ERROR\""));
}

#[tokio::test]
async fn help_and_refusals_have_colours_unless_nobody_wants_them_and_none_in_a_pipe() {
    let home = Home::new();
    for arguments in ["mirror --help", "--help", "mirror --workers 0"] {
        for (no_color, styled) in [("", true), ("1", false)] {
            let run = below_script(&home, arguments).env("NO_COLOR", no_color);
            let finished = run.run().await;
            assert!(finished.stdout.contains("--help"), "{}", finished.to_text());
            assert_eq!(
                is_styled(&finished.stdout),
                styled,
                "{arguments}, NO_COLOR={no_color}"
            );
        }
    }
    let piped = Run::in_home(&home)
        .args(["mirror", "--help"])
        .env("NO_COLOR", "")
        .run()
        .await;
    assert!(!piped.stdout.contains('\u{1b}'), "{}", piped.to_text());
}

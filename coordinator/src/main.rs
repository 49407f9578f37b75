//! `conda-oci`: mirrors conda channels into OCI registries.

mod cli;
mod engine;
mod error;
mod options;
mod patience;
mod places;
mod plan;
mod progress;
mod publish;
mod report;
mod run;
mod subdirs;
mod summary;
mod sync;
mod undistributable;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use mirror_runtime::Shutdown;
use mirror_runtime::telemetry::{self, Verbosity};

use cli::{Cli, Command, MirrorArgs};
use progress::Screen;
use summary::Summary;

/// Some files failed.
const SOME_FAILED: u8 = 1;
/// The run could not be done.
const COULD_NOT_RUN: u8 = 2;

fn main() -> ExitCode {
    let Command::Mirror(args) = Cli::parse().command;
    let screen = Screen::default();
    let verbosity = match (args.quiet, args.debug) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Debug,
        _ => Verbosity::Normal,
    };
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    telemetry::init(verbosity, colours, screen.writer());
    let quiet = args.quiet;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(mirror(*args, &screen));
            // A decoder on a blocking thread may be at work on what nobody waits for any more.
            runtime.shutdown_timeout(Duration::from_secs(1));
            ended
        }
        Err(error) => Err(anyhow::Error::new(error).context("start the runtime")),
    };
    let (code, text) = match ended {
        Ok((summary, code)) => {
            if let Some(error) = &summary.error {
                let _ = writeln!(std::io::stderr(), "error: {error}");
            }
            if quiet && code == SOME_FAILED {
                // What cron mails: quiet is about success.
                let _ = write!(std::io::stderr(), "{}", summary.text());
            }
            (code, said(&summary, quiet))
        }
        Err(error) => {
            // One line, the causes behind it; errors of the libraries name their remedy themselves.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            (COULD_NOT_RUN, String::new())
        }
    };
    // A reader that went away does not change what was done.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::from(code)
}

async fn mirror(args: MirrorArgs, screen: &Screen) -> anyhow::Result<(Summary, u8)> {
    let request = args.request()?;
    let shutdown = Shutdown::on_signals()?;
    let summary = engine::run(request, screen, shutdown.clone()).await?;
    let code = match shutdown.exit_code() {
        Some(code) if summary.interrupted => code,
        _ if summary.is_broken() => COULD_NOT_RUN,
        _ if summary.has_failures() && !summary.dry_run => SOME_FAILED,
        _ => 0,
    };
    Ok((summary, code))
}

/// The closing words of a run.
fn said(summary: &Summary, quiet: bool) -> String {
    let mut text = String::new();
    if let Some(registry) = &summary.login_needed {
        text.push_str(&format!(
            "{registry} wants a login for pushing and none was given: nothing was downloaded or pushed.\n\
             Set ORAS_USER and ORAS_PASS and run again. It would do this:\n\n"
        ));
    }
    if summary.dry_run {
        text.push_str(&summary.plan_text());
    } else if !quiet {
        text.push_str(&summary.text());
    }
    text
}

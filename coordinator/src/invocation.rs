//! One invocation of `conda-oci mirror`: its runs one after another, what they print, the exit code.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use mirror_runtime::Shutdown;
use mirror_runtime::telemetry::{self, Format, Verbosity};
use tracing::Instrument as _;

use crate::cli::MirrorCommand;
use crate::engine::{self, Request};
use crate::progress::{Screen, Style};
use crate::summary::Summary;

/// Some files failed.
const SOME_FAILED: u8 = 1;
/// The run could not be done.
pub(crate) const COULD_NOT_RUN: u8 = 2;

/// What an invocation says, and how.
#[derive(Debug, Clone, Copy)]
struct Voice {
    quiet: bool,
    /// Closing words as JSON.
    json: bool,
    log: Format,
    /// More than one mirror: each is named.
    several: bool,
}

/// Runs it to its end.
pub(crate) fn mirror(command: MirrorCommand) -> ExitCode {
    let screen = Screen::default();
    let (verbosity, log) = (command.run.verbosity(), command.run.format());
    let colours = std::io::stderr().is_terminal() && !is_colourless();
    telemetry::init(verbosity, log, colours, screen.writer());
    let mut voice = Voice {
        quiet: verbosity == Verbosity::Quiet,
        json: command.run.json,
        log,
        several: false,
    };
    let requests = match command.requests() {
        Ok(requests) => requests,
        Err(error) => {
            voice.error(&format!("{error:#}"));
            return ExitCode::from(COULD_NOT_RUN);
        }
    };
    voice.several = requests.len() > 1;
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            voice.error(&format!("start the runtime: {error}"));
            return ExitCode::from(COULD_NOT_RUN);
        }
    };
    let code = runtime.block_on(all(requests, &screen, voice));
    // A decoder on a blocking thread may be at work on what nobody waits for any more.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ExitCode::from(code)
}

/// `NO_COLOR`, present and not empty (no-color.org).
fn is_colourless() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Runs every mirror; one that cannot be done does not keep the others from being done.
async fn all(requests: Vec<Request>, screen: &Screen, voice: Voice) -> u8 {
    let shutdown = match Shutdown::on_signals() {
        Ok(shutdown) => shutdown,
        Err(error) => {
            voice.error(&format!("listen for signals: {error}"));
            return COULD_NOT_RUN;
        }
    };
    let mut worst = 0;
    for request in requests {
        let name = request.to_string();
        let style = Style::pick(voice.quiet, voice.log);
        let running = engine::run(request, style, screen, &shutdown);
        let summary = match voice.several {
            true => {
                running
                    .instrument(tracing::error_span!("mirror", of = name))
                    .await
            }
            false => running.await,
        };
        let code = code(&summary, &shutdown);
        voice.close(&name, &summary, code);
        if let Some(code) = shutdown.exit_code() {
            return worst.max(code);
        }
        worst = worst.max(code);
    }
    worst
}

fn code(summary: &Summary, shutdown: &Shutdown) -> u8 {
    match shutdown.exit_code() {
        Some(code) if summary.interrupted => code,
        _ if summary.is_broken() => COULD_NOT_RUN,
        _ if summary.has_failures() && !summary.dry_run => SOME_FAILED,
        _ => 0,
    }
}

impl Voice {
    fn error(self, text: &str) {
        match self.log {
            Format::Text => {
                let _ = writeln!(std::io::stderr(), "error: {text}");
            }
            Format::Json => tracing::error!(target: telemetry::ENDING, "{text}"),
        }
    }

    fn error_of(self, name: &str, text: &str) {
        match self.several {
            true => self.error(&format!("{name}: {text}")),
            false => self.error(text),
        }
    }

    /// The closing words of a run.
    fn close(self, name: &str, summary: &Summary, code: u8) {
        if let Some(error) = &summary.error {
            self.error_of(name, error);
        }
        let text = match self.json {
            true => summary.json(),
            false => self.text(name, summary, code),
        };
        // A reader that went away does not change what was done.
        let _ = std::io::stdout().write_all(text.as_bytes());
    }

    /// Closing words on standard error.
    fn mail(self, name: &str, text: &str) {
        if self.log == Format::Json {
            for line in text.lines() {
                self.error_of(name, line);
            }
            return;
        }
        let head = if self.several {
            format!("{name}:\n")
        } else {
            String::new()
        };
        let _ = write!(std::io::stderr(), "{head}{text}");
    }

    fn text(self, name: &str, summary: &Summary, code: u8) -> String {
        if summary.is_unbegun() {
            return String::new();
        }
        if self.quiet && !summary.dry_run {
            if code == SOME_FAILED {
                // What cron mails: quiet is about success.
                self.mail(name, &summary.text());
            }
            return String::new();
        }
        let mut text = String::new();
        if self.several {
            text.push_str(&format!("{name}:\n"));
        }
        if let Some(registry) = &summary.login_needed {
            text.push_str(&format!(
                "{registry} wants a login for pushing and none was given: nothing was downloaded or pushed.\n\
                 Set ORAS_USER and ORAS_PASS and run again. It would do this:\n\n"
            ));
        }
        match summary.dry_run {
            true => text.push_str(&summary.plan_text()),
            false => text.push_str(&summary.text()),
        }
        text
    }
}

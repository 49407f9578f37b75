//! `conda-oci verify`: looks whether a mirror holds what its index lists, and mends it.
//!
//! What it promises: it asks for everything that a client could ask for, writes nothing unless it is to repair, keeps a few
//! bytes a build in memory whatever the index or the registry says, goes on where it was interrupted, and says that all is
//! right only after it has looked. A repair is a run of the mirror that plans the damaged builds alone
//! ([`crate::repair`]); what it mended is looked at again.

mod against;
mod blob;
mod build;
mod builds;
mod channel;
mod finding;
mod findings;
mod index;
mod journal;
mod mirror;
mod progress;
mod shards;
mod subdir;
mod summary;
mod tags;
mod walk;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use mirror_runtime::telemetry::{self, Export, Format, Verbosity};
use mirror_runtime::{Shutdown, descriptors};

use crate::cli::{Depth, VerifyCommand};
use crate::invocation::{COULD_NOT_RUN, SOME_FAILED, Turn};
use crate::progress::{Screen, Style};
use summary::Verdict;

/// How it speaks.
#[derive(Debug, Clone, Copy)]
struct Voice {
    quiet: bool,
    json: bool,
    log: Format,
    /// More than one mirror: each is named.
    several: bool,
}

/// Runs it to its end.
pub(crate) fn verify(command: VerifyCommand) -> ExitCode {
    let screen = Screen::default();
    let output = &command.output.log;
    let (verbosity, log) = (output.verbosity(), output.format());
    let colourless = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colours = io::stderr().is_terminal() && !colourless;
    telemetry::init(verbosity, log, colours, screen.writer(), &Export::nothing());
    let mut voice = Voice {
        quiet: verbosity == Verbosity::Quiet,
        json: command.output.json,
        log,
        several: false,
    };
    let depth = command.depth;
    let ended = command.turns().and_then(|(mut turns, compares)| {
        voice.several = turns.len() > 1;
        // First of all: the runtime and its signals want descriptors too.
        let requests = turns
            .iter_mut()
            .filter_map(|turn| turn.request.as_mut().ok());
        for request in requests {
            let workers = descriptors::workers(request.options.workers)?;
            request.options.workers = workers;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let code = runtime.block_on(all(turns, compares, depth, &screen, voice));
        runtime.shutdown_timeout(Duration::from_secs(1));
        code
    });
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            voice.error(&format!("{error:#}"));
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// Verifies one mirror after another; one that cannot be verified does not keep the others from it.
async fn all(
    turns: Vec<Turn>,
    compares: bool,
    depth: Depth,
    screen: &Screen,
    voice: Voice,
) -> anyhow::Result<u8> {
    let shutdown = Shutdown::on_signals()?;
    let mut worst = 0;
    for turn in turns {
        let title = turn.title;
        let verdict = match turn.request {
            Ok(request) => {
                let style = Style::pick(voice.quiet, voice.log);
                mirror::verify(request, compares, depth, style, screen, &shutdown).await
            }
            Err(error) => Verdict {
                name: turn.name,
                channel: turn.channel,
                error: Some(format!("{error:#}")),
                ..Verdict::default()
            },
        };
        let code = match shutdown.exit_code() {
            Some(code) if verdict.interrupted => code,
            _ if verdict.is_broken() => COULD_NOT_RUN,
            _ if !verdict.sound => SOME_FAILED,
            _ => 0,
        };
        voice.close(&title, &verdict, code)?;
        worst = worst.max(code);
        if shutdown.exit_code().is_some() {
            break;
        }
    }
    Ok(worst)
}

impl Voice {
    fn error(self, text: &str) {
        match self.log {
            Format::Text => {
                let _ = writeln!(io::stderr(), "error: {text}");
            }
            Format::Json => tracing::error!(target: telemetry::ENDING, "{text}"),
        }
    }

    /// The closing words. That nobody reads any more changes nothing.
    fn close(self, title: &str, verdict: &Verdict, code: u8) -> io::Result<()> {
        if let Some(error) = &verdict.error {
            match self.several {
                true => self.error(&format!("{title}: {error}")),
                false => self.error(error),
            }
        }
        let head = if self.several {
            format!("{title}:\n")
        } else {
            String::new()
        };
        let written = match (self.json, self.quiet) {
            (true, _) => {
                let mut line = serde_json::to_string(verdict)?;
                line.push('\n');
                io::stdout().lock().write_all(line.as_bytes())
            }
            (false, true) if code == 0 => return Ok(()),
            // What cron mails: quiet is about success.
            (false, true) => write!(io::stderr(), "{head}{}", verdict.text()),
            (false, false) => write!(io::stdout().lock(), "{head}{}", verdict.text()),
        };
        match written.and_then(|()| io::stdout().flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }
}

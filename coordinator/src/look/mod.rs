//! The commands that look at mirrors and steer them: one file each, and what they share here. None of them transfers or
//! publishes anything.

mod failures;
mod memory;
mod near;
mod retry;
mod status;
mod steer;
mod terminal;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use mirror_runtime::telemetry::{self, Export, Format, Verbosity};

use crate::cli::{PlainCommand, RetryCommand, StatusCommand, Which, WhichArgs};
use crate::invocation::COULD_NOT_RUN;
use memory::Remembered;

pub(crate) use steer::Steer;

/// `conda-oci status`.
pub(crate) fn status(command: StatusCommand) -> ExitCode {
    let output = Output { json: command.json };
    on_runtime(async || {
        let found = command.which.find()?;
        match command.watch {
            true => status::watch(&found, output).await,
            false => status::once(&found, output).await,
        }
    })
}

/// `conda-oci failures`.
pub(crate) fn failures(command: PlainCommand) -> ExitCode {
    each(&command.which, command.json, async |mirror, output| {
        failures::run(mirror, output).await
    })
}

/// `conda-oci retry`.
pub(crate) fn retry(command: RetryCommand) -> ExitCode {
    let next = command.which.command("mirror");
    each(&command.which, command.json, async |mirror, output| {
        retry::run(mirror, &command.files, &next, output).await
    })
}

/// `conda-oci pause`, `resume` and `cancel`.
pub(crate) fn steer(command: PlainCommand, what: Steer) -> ExitCode {
    each(&command.which, command.json, async |mirror, output| {
        steer::run(mirror, what, output).await
    })
}

/// A mirror and what is remembered of it.
struct Mirror {
    which: Which,
    remembered: Remembered,
}

/// Does `work` with each mirror that is meant. One that cannot be looked at does not keep the others from it.
fn each(
    which: &WhichArgs,
    json: bool,
    work: impl AsyncFn(&Mirror, Output) -> anyhow::Result<()>,
) -> ExitCode {
    let output = Output { json };
    on_runtime(async || {
        let mut code = 0;
        for which in which.find()? {
            let worked = match memory::open(&which).await {
                Ok(remembered) => work(&Mirror { which, remembered }, output).await,
                Err(error) => Err(error),
            };
            if let Err(error) = worked {
                complain(&error);
                code = COULD_NOT_RUN;
            }
        }
        Ok(code)
    })
}

/// A signal ends it as it ends any program: nothing is in flight that would have to be given back.
fn on_runtime(work: impl AsyncFnOnce() -> anyhow::Result<u8>) -> ExitCode {
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // What only looks tells nobody else of it.
    let nothing = Export::nothing();
    telemetry::init(
        Verbosity::Normal,
        Format::Text,
        colours,
        io::stderr,
        &nothing,
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let ended = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(work()));
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain(&error);
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

fn complain(error: &anyhow::Error) {
    let _ = writeln!(io::stderr(), "error: {error:#}");
}

/// How answers are printed.
#[derive(Debug, Clone, Copy)]
struct Output {
    json: bool,
}

impl Output {
    /// Prints an object on a line, or the text.
    fn say(self, object: &impl serde::Serialize, text: impl FnOnce() -> String) -> io::Result<()> {
        match self.json {
            true => {
                let mut line = serde_json::to_string(object)?;
                line.push('\n');
                print(&line)
            }
            false => print(&text()),
        }
    }
}

/// Writes to standard output. That nobody reads any more is no error.
fn print(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    let written = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

impl Mirror {
    /// What messages call it.
    fn title(&self) -> String {
        title(&self.which)
    }
}

fn title(which: &Which) -> String {
    let whole = format!("{} to {}", which.channel.name, which.registry);
    match &which.name {
        Some(name) => format!("{name} ({whole})"),
        None => whole,
    }
}

//! The options of every program that say how much it logs, and how.

use clap::{Args, ValueEnum};

use crate::telemetry::{Format, Verbosity};

/// What stands on standard error.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// Say nothing when all is well
    #[arg(short, long, conflicts_with = "debug", help_heading = "Output")]
    quiet: bool,

    /// Say every step and request
    #[arg(long, help_heading = "Output")]
    debug: bool,

    /// How the log on standard error is written, and the progress of a run
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Output"
    )]
    log_format: LogFormat,
}

/// The values of `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Lines for people; a run on a terminal has bars
    Text,
    /// One JSON object a line, for a log collector
    Json,
}

impl LogArgs {
    /// How much is said.
    #[must_use]
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.debug) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Debug,
            _ => Verbosity::Normal,
        }
    }

    /// How it is written.
    #[must_use]
    pub fn format(&self) -> Format {
        match self.log_format {
            LogFormat::Text => Format::Text,
            LogFormat::Json => Format::Json,
        }
    }
}

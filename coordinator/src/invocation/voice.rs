//! What an invocation says when a mirror is done, and where.

use std::io::{self, Write as _};

use mirror_runtime::telemetry::{self, Format};

use super::SOME_FAILED;
use crate::summary::Summary;

/// What an invocation says, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Voice {
    pub quiet: bool,
    /// Closing words as JSON.
    pub json: bool,
    pub log: Format,
    /// More than one mirror: each is named.
    pub several: bool,
    /// Something is on standard output already.
    pub has_spoken: bool,
}

impl Voice {
    pub(super) fn error(self, text: &str) {
        match self.log {
            Format::Text => {
                let _ = writeln!(io::stderr(), "error: {text}");
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
    ///
    /// # Errors
    /// When they cannot be written, unless nobody reads any more: that does not change what was done.
    pub(super) fn close(&mut self, title: &str, summary: &Summary, code: u8) -> io::Result<()> {
        if let Some(registry) = &summary.login_needed {
            let (purpose, variables) = match summary.login_reads {
                false => ("pushing", "ORAS_USER and ORAS_PASS"),
                true => ("reading", "ORAS_SOURCE_USER and ORAS_SOURCE_PASS"),
            };
            let text = format!(
                "{registry} wants a login for {purpose} and none was given: nothing was downloaded or pushed; set \
                 {variables}, or log in with `docker login {registry}`, and run again"
            );
            self.error_of(title, &text);
        }
        if let Some(error) = &summary.error {
            self.error_of(title, error);
        }
        let text = match self.json {
            true => summary.json(),
            false => self.text(title, summary, code),
        };
        if text.is_empty() {
            return Ok(());
        }
        let mut output = io::stdout().lock();
        let apart = if self.has_spoken && !self.json {
            "\n"
        } else {
            ""
        };
        self.has_spoken = true;
        let written = write!(output, "{apart}{text}").and_then(|()| output.flush());
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
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
        let _ = write!(io::stderr(), "{head}{text}");
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
        if let Some(registry) = summary
            .login_needed
            .as_ref()
            .filter(|_| !summary.login_reads)
        {
            text.push_str(&format!("With a login at {registry} it would do this:\n\n"));
        }
        match summary.dry_run {
            true => text.push_str(&summary.plan_text()),
            false => text.push_str(&summary.text()),
        }
        text
    }
}

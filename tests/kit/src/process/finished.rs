//! A process that has ended.

/// How a run ended and what it said.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// All of standard output.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
    pub(super) command: String,
}

impl Finished {
    /// Exit code, signal and output, for the message of a failed assertion.
    #[must_use]
    pub fn to_text(&self) -> String {
        let end = format!("code {:?}, signal {:?}", self.code, self.signal);
        format!(
            "{end}\n{}",
            transcript(&self.command, &self.stdout, &self.stderr)
        )
    }

    /// # Panics
    /// If it did not exit with `code`.
    #[track_caller]
    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}", self.to_text());
        self
    }

    /// # Panics
    /// If it was not ended by SIGKILL, by a fail point or by the test.
    #[track_caller]
    pub fn assert_killed(&self) -> &Self {
        assert_eq!(self.signal, Some(9), "{}", self.to_text());
        self
    }
}

pub(super) fn transcript(command: &str, stdout: &str, stderr: &str) -> String {
    format!("arguments: {command}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---")
}

//! A process that runs.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::Child;
use tokio::time::Instant;

use super::{Finished, Run};

/// Between two looks at a marker file.
const POLL: Duration = Duration::from_millis(10);

/// A run that was started. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    output: TempDir,
    deadline: Instant,
    run: Run,
}

impl Running {
    pub(super) fn new(child: Child, output: TempDir, run: Run) -> Self {
        let deadline = Instant::now() + run.deadline;
        Self {
            child,
            output,
            deadline,
            run,
        }
    }

    /// Its process id; `None` when it has ended and was waited for.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends SIGKILL.
    pub fn kill9(&self) {
        self.signal(Signal::KILL);
    }

    /// Sends SIGTERM.
    pub fn term(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGINT.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Stops it where it stands (SIGSTOP), as a machine that sleeps would.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(id) = id {
            // It may have ended by itself.
            let _ = kill_process(id, signal);
        }
    }

    /// Waits until the process stands at a fail point of
    /// [`Run::pause_at`](super::Run::pause_at).
    ///
    /// # Panics
    /// If it ends before, or at the deadline: with its output.
    pub async fn paused(&mut self, fail_point: &str) {
        let marker = self.run.marker(fail_point);
        self.until(&format!("to pause at {fail_point}"), |_, _| marker.exists())
            .await;
    }

    /// Waits until `reached` is true of standard output and standard error.
    ///
    /// # Panics
    /// If it ends before, or at the deadline: with its output.
    pub async fn until(&mut self, what: &str, reached: impl Fn(&str, &str) -> bool) {
        loop {
            let ended = self
                .child
                .try_wait()
                .expect("our own child can be waited for");
            if reached(&self.stdout(), &self.stderr()) {
                return;
            }
            if let Some(status) = ended {
                panic!(
                    "waited for it {what}, it ended: {status}\n{}",
                    self.transcript()
                );
            }
            if Instant::now() > self.deadline {
                self.kill9();
                panic!(
                    "waited for it {what} until the deadline\n{}",
                    self.transcript()
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        read(&self.output.path().join("stdout"))
    }

    /// Standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        read(&self.output.path().join("stderr"))
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// At the deadline: it is killed, its output is in the message.
    pub async fn wait(mut self) -> Finished {
        let Ok(ended) = tokio::time::timeout_at(self.deadline, self.child.wait()).await else {
            self.kill9();
            let seconds = self.run.deadline.as_secs_f64();
            panic!("it did not end within {seconds} s\n{}", self.transcript());
        };
        let status = ended.expect("our own child can be waited for");
        Finished {
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout(),
            stderr: self.stderr(),
            command: format!("{:?}", self.run.args),
        }
    }

    fn transcript(&self) -> String {
        super::finished::transcript(
            &format!("{:?}", self.run.args),
            &self.stdout(),
            &self.stderr(),
        )
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

//! The product as a process: built once, run in a scrubbed environment, killed
//! at fail points, and never waited for without a deadline.
//!
//! ```no_run
//! # async fn test() {
//! use mirror_kit::process::{Home, Run};
//!
//! let home = Home::new();
//! let crashed = Run::in_home(&home).args(["mirror", "…"]).kill_at("mid-put").run().await;
//! crashed.assert_killed();
//! Run::in_home(&home).args(["mirror", "…"]).run().await.assert_code(0);
//! # }
//! ```

mod binary;
mod disks;
mod finished;
mod home;
mod running;

#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

pub use self::binary::{binary, worker_binary};
pub use self::disks::Disks;
pub use self::finished::Finished;
pub use self::home::Home;
pub use self::running::Running;

/// The variable that sets fail points in builds that have them:
/// `name=kill`, `name=kill@3`, `name=pause:/path/of/marker`, joined by `;`.
const FAIL_POINTS: &str = "CONDA_OCI_FAIL_POINTS";

/// How long a run may take unless it says otherwise.
const DEADLINE: Duration = Duration::from_secs(120);

/// A run to be: program, arguments, environment, fail points, deadline.
#[derive(Debug)]
pub struct Run {
    program: Option<PathBuf>,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    cwd: Option<PathBuf>,
    fail_points: Vec<String>,
    deadline: Duration,
    home: Home,
    /// Words before the program's, that enter the namespace of other disks.
    disks: Option<Vec<OsString>>,
    open_files: Option<u32>,
    stdin: Option<String>,
}

impl Default for Run {
    fn default() -> Self {
        Self::new()
    }
}

impl Run {
    /// The product's binary in a home of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::in_home(&Home::new())
    }

    /// The product's binary in a home that other runs share.
    #[must_use]
    pub fn in_home(home: &Home) -> Self {
        Self {
            program: None,
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            fail_points: Vec::new(),
            deadline: DEADLINE,
            home: home.clone(),
            disks: None,
            open_files: None,
            stdin: None,
        }
    }

    /// The home it runs in.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Another program than the product's binary.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable. Of the test's own environment only `PATH` is passed on.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets the working directory; the home unless set.
    #[must_use]
    pub fn cwd(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cwd = Some(folder.into());
        self
    }

    /// Sets what happens at a fail point, as `action` of the variable's form.
    #[must_use]
    pub fn fail_point(mut self, name: &str, action: &str) -> Self {
        self.fail_points.push(format!("{name}={action}"));
        self
    }

    /// The process kills itself when it first reaches the fail point.
    #[must_use]
    pub fn kill_at(self, name: &str) -> Self {
        self.fail_point(name, "kill")
    }

    /// The process kills itself when it reaches the fail point the `nth` time,
    /// counted from 1.
    #[must_use]
    pub fn kill_at_nth(self, name: &str, nth: u32) -> Self {
        self.fail_point(name, &format!("kill@{nth}"))
    }

    /// The process stops for ever when it reaches the fail point; wait for that
    /// with [`Running::paused`].
    #[must_use]
    pub fn pause_at(self, name: &str) -> Self {
        let action = format!("pause:{}", self.marker(name).display());
        // An earlier run in this home may have left its marker.
        let _ = std::fs::remove_file(self.marker(name));
        self.fail_point(name, &action)
    }

    /// Like [`pause_at`](Self::pause_at), at the `nth` time, counted from 1.
    #[must_use]
    pub fn pause_at_nth(mut self, name: &str, nth: u32) -> Self {
        self = self.pause_at(name);
        if let Some(action) = self.fail_points.last_mut() {
            action.push_str(&format!("@{nth}"));
        }
        self
    }

    /// It sees the machine with these disks, which must outlive it.
    #[must_use]
    pub fn on(mut self, disks: &Disks) -> Self {
        self.disks = Some(disks.enter().to_owned());
        self
    }

    /// It may have no more than so many files and connections open, and cannot raise that.
    #[must_use]
    pub fn open_files(mut self, most: u32) -> Self {
        self.open_files = Some(most);
        self
    }

    /// How long it may take; 120 s unless set.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// What comes on standard input; nothing otherwise.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<String>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// Like [`spawn`](Self::spawn) and [`Running::wait`].
    pub async fn run(self) -> Finished {
        self.spawn().wait().await
    }

    /// Starts it.
    ///
    /// # Panics
    /// If it cannot be built or started.
    #[must_use]
    pub fn spawn(self) -> Running {
        let output = tempfile::tempdir_in(self.home.path()).expect("room for the output");
        let file = |name| File::create_new(output.path().join(name)).expect("room for the output");
        let stdin = self.stdin.as_ref().map_or_else(Stdio::null, |text| {
            let path = output.path().join("stdin");
            std::fs::write(&path, text).expect("room for the input");
            File::open(path).expect("it was just written").into()
        });
        let home = self.home.path();
        let cwd = self.cwd.as_deref().unwrap_or(home);
        let words = self.words(cwd);
        let (first, others) = words.split_first().expect("a command has a program");
        let mut command = Command::new(first);
        command
            .args(others)
            .current_dir(cwd)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("XDG_STATE_HOME", home.join("state"))
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_DATA_HOME", home.join("data"))
            .env("LC_ALL", "C.UTF-8")
            .env("NO_COLOR", "1")
            .env("RUST_BACKTRACE", "1")
            .stdin(stdin)
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .kill_on_drop(true);
        if !self.fail_points.is_empty() {
            command.env(FAIL_POINTS, self.fail_points.join(";"));
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", first.display()));
        Running::new(child, output, self)
    }

    /// The whole command. What stands before the program is replaced by it, so signals reach it and its end is seen.
    fn words(&self, cwd: &Path) -> Vec<OsString> {
        let mut words = self.disks.clone().unwrap_or_default();
        let mut through_shell = |script: &str, value: OsString| {
            words.extend(["/bin/sh".into(), "-c".into(), script.into(), value]);
        };
        if self.disks.is_some() {
            through_shell(r#"cd "$0" && exec "$@""#, cwd.into());
        }
        if let Some(most) = self.open_files {
            through_shell(r#"ulimit -n "$0" && exec "$@""#, most.to_string().into());
        }
        let program = self.program.clone().unwrap_or_else(|| binary().to_owned());
        words.push(program.into());
        words.extend(self.args.iter().cloned());
        words
    }

    fn marker(&self, fail_point: &str) -> PathBuf {
        self.home.path().join(format!("paused-at-{fail_point}"))
    }
}

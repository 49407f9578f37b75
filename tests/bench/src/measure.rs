//! A program as a process: how long it took, how much CPU and memory it had. Linux only, by `/proc`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::machine::{busy, cpu_ticks, kilobytes};

/// Between two looks at a process's memory. What rises and falls within is missed, but the peak of
/// its resident memory is the kernel's own count.
const LOOK: Duration = Duration::from_millis(10);
/// `/proc/PID/stat` counts CPU time in these, on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// What a process took.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// From its start to its end.
    pub(crate) wall: Duration,
    /// Its own, user and system.
    pub(crate) cpu: Duration,
    /// What part of all cores was busy meanwhile, by whatever, from 0 to 1.
    pub(crate) busy: f64,
    /// Most resident memory, in bytes; files that are mapped count.
    pub(crate) resident: u64,
    /// Most anonymous memory seen, in bytes.
    pub(crate) anonymous: u64,
    /// Most bytes seen on disk in the watched folder.
    pub(crate) watched: u64,
    /// What it printed.
    pub(crate) stdout: String,
}

/// A process to be measured.
#[derive(Debug)]
pub(crate) struct Process {
    program: PathBuf,
    args: Vec<OsString>,
    home: PathBuf,
    watch: Option<PathBuf>,
}

impl Process {
    /// `program` with a home folder that is there; of the environment it gets only `PATH`.
    pub(crate) fn new(program: &Path, home: &Path) -> Self {
        Self {
            program: program.to_owned(),
            args: Vec::new(),
            home: home.to_owned(),
            watch: None,
        }
    }

    /// More arguments.
    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Measures what the files in and below this folder take.
    pub(crate) fn watch(mut self, folder: impl Into<PathBuf>) -> Self {
        self.watch = Some(folder.into());
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// If it does not start, or ends with another code than 0: with what it said.
    pub(crate) async fn run(self) -> Result<Measured> {
        let output = tempfile::tempdir_in(&self.home)?;
        let (out, err) = (output.path().join("stdout"), output.path().join("stderr"));
        let before = cpu_ticks();
        let started = Instant::now();
        let mut child = Command::new(&self.program)
            .args(&self.args)
            .current_dir(&self.home)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("TMPDIR", &self.home)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?)
            .spawn()
            .with_context(|| format!("{} does not start", self.program.display()))?;
        let id = child.id();
        let mut ended = tokio::task::spawn_blocking(move || {
            let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
            let pid = pid.context("a process has a number")?;
            // It stays a zombie, whose CPU time can still be read.
            let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), ended) {}
            anyhow::Ok(Instant::now())
        });
        let (mut resident, mut anonymous, mut watched) = (0, 0, 0);
        let end = loop {
            tokio::select! {
                end = &mut ended => break end??,
                () = tokio::time::sleep(LOOK) => {}
            }
            let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
            resident = kilobytes(&status, "VmHWM:").max(resident);
            anonymous = kilobytes(&status, "RssAnon:").max(anonymous);
            if let Some(folder) = &self.watch {
                watched = on_disk(folder).max(watched);
            }
        };
        let after = cpu_ticks();
        let cpu = cpu_of(id)?;
        let status = child.wait()?;
        let stdout = fs::read_to_string(&out)?;
        if !status.success() {
            let program = self.program.display();
            let said = fs::read_to_string(&err)?;
            bail!(
                "{program} {:?} ended with {status}:\n{stdout}{said}",
                self.args
            );
        }
        Ok(Measured {
            wall: end - started,
            cpu,
            busy: busy(before, after),
            resident,
            anonymous,
            watched,
            stdout,
        })
    }
}

/// User and system time of a process since its start.
///
/// # Errors
/// If there is no such process.
pub(crate) fn cpu_of(id: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    cpu_time(&stat).context("/proc/PID/stat has two CPU times")
}

/// User and system time of `/proc/PID/stat`. Its second field, in brackets, may hold anything.
fn cpu_time(stat: &str) -> Option<Duration> {
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace().skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(TICK * (user + system))
}

/// Bytes that files in and below a folder take. What disappears meanwhile takes none.
pub(crate) fn on_disk(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let entries = entries
        .flatten()
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)));
    let sizes = entries.map(|(path, metadata)| match metadata.is_dir() {
        true => on_disk(&path),
        false => metadata.blocks() * 512,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn cpu_time_is_read_after_whatever_name_a_program_has() {
        let stat = "7 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 1 2 20 0";
        assert_eq!(cpu_time(stat), Some(Duration::from_secs(2)));
    }

    #[tokio::test]
    async fn a_process_is_measured_to_its_end() {
        let home = tempfile::tempdir().unwrap();
        let shell =
            |script: &str| Process::new(Path::new("/bin/sh"), home.path()).args(["-c", script]);
        let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo $i; head -c 100000 /dev/zero > kept; sync kept";
        let measured = shell(busy).watch(home.path()).run().await.unwrap();
        assert_eq!(measured.stdout, "300000\n");
        assert!(
            measured.cpu > Duration::ZERO && measured.wall >= measured.cpu,
            "{measured:?}"
        );
        assert!(measured.busy > 0.0 && measured.busy <= 1.0, "{measured:?}");
        assert!(
            measured.resident > 0 && measured.anonymous > 0,
            "{measured:?}"
        );
        assert!(on_disk(home.path()) >= 100_000);
        let failed = shell("echo why >&2; exit 3").run().await.unwrap_err();
        assert!(failed.to_string().contains("why"), "{failed}");
    }
}

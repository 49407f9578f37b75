//! Disks that fill up and folders that nobody may write to, for the processes of one test.
//!
//! Root ignores permissions, and the machine's own disk is not for filling. So these are real mounts in a mount
//! namespace that only the runs [on it](super::Run::on) see, and that goes with this value. As another user than root
//! the namespace is one of users as well, where that user may mount.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What a new namespace is asked for with: root's way, then anybody's.
const WAYS: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];

/// The file that takes up the room of a disk.
const FILLER: &str = "filler";

/// The disks of one test.
#[derive(Debug)]
pub struct Disks {
    /// Keeps the namespace; ends when its standard input does, however this process ends.
    holder: Child,
    /// The command that runs another one in the namespace.
    enter: Vec<OsString>,
}

impl Default for Disks {
    fn default() -> Self {
        Self::new()
    }
}

impl Disks {
    /// The machine's disks as they are, for further ones to be mounted over.
    ///
    /// # Panics
    /// If this machine does not allow mount namespaces, with what it takes.
    #[must_use]
    pub fn new() -> Self {
        let mut said = String::new();
        for way in WAYS {
            match hold(way) {
                Ok(holder) => {
                    let mut enter: Vec<OsString> = vec!["nsenter".into()];
                    if way.contains(&"--user") {
                        enter.extend(["--user".into(), "--preserve-credentials".into()]);
                    }
                    enter.extend(["--mount".into(), "--target".into()]);
                    enter.push(holder.id().to_string().into());
                    return Self { holder, enter };
                }
                Err(error) => said.push_str(&format!("\nunshare {}: {error}", way.join(" "))),
            }
        }
        panic!(
            "this test needs disks of its own, so mount namespaces: run it as root or where users may make namespaces \
             (in a container with the capability SYS_ADMIN), with `unshare`, `nsenter` and `mount` of util-linux \
             installed{said}"
        );
    }

    /// The command that runs another one where these disks are.
    pub(super) fn enter(&self) -> &[OsString] {
        &self.enter
    }

    /// Puts an empty disk of so many bytes at `folder`, which must exist. What was there is hidden.
    ///
    /// # Panics
    /// If it cannot be mounted.
    pub fn small(&self, folder: &Path, bytes: u64) {
        let size = format!("size={bytes}");
        self.mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], folder);
    }

    /// Makes everything below `folder`, which must exist, read-only, for root too.
    ///
    /// # Panics
    /// If it cannot be mounted.
    pub fn read_only(&self, folder: &Path) {
        let itself = folder.to_str().expect("a temporary folder's path is UTF-8");
        self.mount(&["--bind", itself], folder);
        self.mount(&["-o", "remount,bind,ro"], folder);
    }

    fn mount(&self, arguments: &[&str], folder: &Path) {
        let (program, enter) = self.enter.split_first().expect("it begins with nsenter");
        let mut command = Command::new(program);
        command.args(enter).arg("mount").args(arguments).arg(folder);
        let output = command
            .output()
            .unwrap_or_else(|error| panic!("nsenter: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "mount {arguments:?} {folder:?}: {said}"
        );
    }

    /// Where the test itself finds what runs on these disks see at `path`, an absolute one.
    #[must_use]
    pub fn seen(&self, path: &Path) -> PathBuf {
        let root = format!("/proc/{}/root", self.holder.id());
        let inside = path.strip_prefix("/").expect("an absolute path");
        Path::new(&root).join(inside)
    }

    /// Fills the disk at `folder` until `left` bytes are left, in whole pages of 4096 bytes.
    ///
    /// # Panics
    /// If it does not get full.
    pub fn fill(&self, folder: &Path, left: u64) {
        const PAGE: [u8; 4096] = [1; 4096];
        let mut options = OpenOptions::new();
        let options = options.create(true).append(true);
        let path = self.seen(folder).join(FILLER);
        let mut filler = options.open(&path).expect("a place for the filler");
        // Bounded, because without its mount this would be the machine's disk.
        for _ in 0..(256 << 20) / PAGE.len() {
            match filler.write_all(&PAGE) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => {
                    return give_back(&filler, left);
                }
                Err(error) => panic!("fill {}: {error}", folder.display()),
            }
        }
        panic!("{} is no small disk", folder.display());
    }

    /// Takes the filler of [`fill`](Self::fill) away.
    ///
    /// # Panics
    /// If there is none.
    pub fn free(&self, folder: &Path) {
        let removed = std::fs::remove_file(self.seen(folder).join(FILLER));
        removed.expect("a filler to take away");
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Leaves so much of a full disk.
fn give_back(filler: &File, left: u64) {
    let length = filler.metadata().expect("our own file has a length").len();
    let shortened = filler.set_len(length.saturating_sub(left));
    shortened.expect("a file can be made shorter on a full disk");
}

/// Starts a process in namespaces of its own that waits for the end of its input.
fn hold(way: &[&str]) -> Result<Child, String> {
    let mut command = Command::new("unshare");
    command
        .args(way)
        .args([OsStr::new("sh"), "-c".as_ref()])
        .arg("echo ready; exec cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut holder = command.spawn().map_err(|error| error.to_string())?;
    let mut line = String::new();
    let output = holder.stdout.as_mut().expect("it is piped");
    let read = BufReader::new(output).read_line(&mut line);
    if read.is_ok() && line.trim() == "ready" {
        return Ok(holder);
    }
    let ended = holder.wait_with_output();
    Err(ended.map_or_else(
        |error| error.to_string(),
        |output| String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}

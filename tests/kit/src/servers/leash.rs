//! Ends a group of processes when the test that started them is gone, however it ended: a server that
//! tests share lives in a static, and statics are not dropped.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context as _, Result};

/// Waits at the other end of a pipe: a word means that all is well, the end of the pipe that this process died.
const WATCH: &str = r#"read -r _ || { kill -s KILL -- "-$1"; rm -rf -- "$2"; }"#;

/// Kills a process group and removes its folder when this process dies first.
pub(super) struct Leash {
    watch: Child,
    pipe: ChildStdin,
}

impl Leash {
    /// On process group `group`, whose files are in `folder`.
    pub(super) fn on(group: u32, folder: &Path) -> Result<Self> {
        let mut watch = Command::new("/bin/sh")
            .args(["-c", WATCH, "leash"])
            .arg(group.to_string())
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A signal from the terminal ends the test, and must not end the watch.
            .process_group(0)
            .spawn()
            .context("no shell to watch over the server")?;
        let pipe = watch.stdin.take().context("the pipe asked for")?;
        Ok(Self { watch, pipe })
    }

    /// The group was ended in order.
    pub(super) fn release(mut self) {
        // Fails only if the watch is gone already.
        let _ = self.pipe.write_all(b"released\n");
        drop(self.pipe);
        let _ = self.watch.wait();
    }
}

//! A file that is read while it is still being written.
//!
//! Its writer says how much of it is there; readers follow from its start and wait for more. What is sent is never the
//! whole of a file that nobody vouches for: its last bytes are withheld until the writer does. When the writer gives up,
//! every reader ends with an error.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{Stream, try_unfold};
use mirror_runtime::fail_point;
use tokio::sync::watch;

use super::{SEND_CHUNK, read_chunk};

/// How much of the file's end is kept back until somebody vouches for the whole. One byte would do: whoever lacks it
/// has neither the length nor the hash.
const WITHHELD: u64 = 64 * 1024;

/// The longest that whoever begins to send a file should reckon to wait for its end. Proxies in front of registries cut
/// bodies that stand still for 60 seconds (nginx's `client_body_timeout`), ghcr.io uploads that take ten minutes: a third
/// of the one leaves room for a writer that slows down, and takes little of the other.
pub const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The writer's end. Dropped without [`Growth::vouch`], it tells all readers that the file will never be whole.
#[derive(Debug)]
pub struct Growth(watch::Sender<Stand>);

/// The readers' end; each reader starts at the file's first byte. The file must outlive it.
#[derive(Debug, Clone)]
pub struct Growing {
    path: Arc<PathBuf>,
    len: u64,
    stand: watch::Receiver<Stand>,
}

/// How far a file has come.
#[derive(Debug, Clone, Copy, Default)]
struct Stand {
    written: u64,
    vouched: bool,
}

impl Stand {
    /// How much of a file of `len` bytes may be sent.
    fn sendable(self, len: u64) -> u64 {
        match self.vouched {
            true => len,
            false => self.written.min(len.saturating_sub(WITHHELD)),
        }
    }
}

/// The ends of a file of which nothing is written yet and which will have `len` bytes.
#[must_use]
pub fn growing(path: impl Into<PathBuf>, len: u64) -> (Growth, Growing) {
    let (sender, stand) = watch::channel(Stand::default());
    let path = Arc::new(path.into());
    (Growth(sender), Growing { path, len, stand })
}

impl Growth {
    /// The first `written` bytes can be read.
    pub fn reach(&self, written: u64) {
        self.0.send_modify(|stand| stand.written = written);
    }

    /// The whole file is written and is what it should be.
    pub fn vouch(self) {
        self.0.send_modify(|stand| stand.vouched = true);
    }
}

impl Growing {
    /// How long the file will be.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the file is meant to be empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file from its start, as it may be sent.
    pub(crate) async fn stream(
        &self,
    ) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + 'static> {
        let path = Arc::clone(&self.path);
        let opened = tokio::task::spawn_blocking(move || File::open(path.as_path()));
        let file = Arc::new(opened.await.map_err(io::Error::other)??);
        let start = (0, self.stand.clone());
        let len = self.len;
        Ok(try_unfold(start, move |(at, mut stand)| {
            let file = Arc::clone(&file);
            async move {
                if at == len {
                    return Ok(None);
                }
                let until = stand.wait_for(|stand| stand.sendable(len) > at).await;
                let until = until.map_err(given_up)?.sendable(len);
                let chunk = read_chunk(file, at, (until - at).min(SEND_CHUNK)).await?;
                fail_point::hit("mid-early-upload").await;
                Ok(Some((chunk.clone(), (at + chunk.len() as u64, stand))))
            }
        }))
    }

    /// The file from its start, its end included, for a thread that may block. Nobody has vouched for what is read
    /// before the writer does: what is made of it must wait for that.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn follow(&self) -> io::Result<Follower> {
        Ok(Follower {
            file: File::open(self.path.as_path())?,
            at: 0,
            written: 0,
            len: self.len,
            stand: self.stand.clone(),
        })
    }
}

/// A reader that waits for what is not written yet. It never waits for ever: the writer's end tells it either way, and
/// once the writer gave up its next read fails, however far it is behind.
#[derive(Debug)]
pub struct Follower {
    file: File,
    at: u64,
    /// What is known to be written.
    written: u64,
    len: u64,
    stand: watch::Receiver<Stand>,
}

impl Follower {
    /// Whether the writer is gone without having vouched.
    fn is_given_up(&self) -> bool {
        // In this order: whoever vouches does so before it goes.
        self.stand.has_changed().is_err() && !self.stand.borrow().vouched
    }
}

impl Read for Follower {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.len || buffer.is_empty() {
            return Ok(0);
        }
        // What is there already is of no use either.
        if self.is_given_up() {
            return Err(never_complete());
        }
        if self.at == self.written {
            let at = self.at;
            let more = self.stand.wait_for(|stand| stand.written > at);
            let stand = futures::executor::block_on(more).map_err(given_up)?;
            self.written = stand.written.min(self.len);
        }
        let there = usize::try_from(self.written - self.at).unwrap_or(usize::MAX);
        let most = buffer.len().min(there);
        let read = self.file.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += read as u64;
        Ok(read)
    }
}

fn given_up(_: watch::error::RecvError) -> io::Error {
    never_complete()
}

fn never_complete() -> io::Error {
    io::Error::other("the file will not be completed")
}

#[cfg(test)]
#[path = "growing_tests.rs"]
mod tests;

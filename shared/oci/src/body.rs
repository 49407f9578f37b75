//! A blob's bytes, reopened for every attempt: in memory when small, a spooled file when large. One that still grows is
//! a [`Growing`].

mod growing;

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _, try_unfold};

pub use growing::{Follower, Growing, Growth, LONGEST_WAIT, growing};

/// How much of a file is read at once while it is sent.
const SEND_CHUNK: u64 = 128 * 1024;

/// Bytes that can be sent more than once.
#[derive(Debug, Clone)]
pub enum Body {
    /// All of it in memory.
    Memory(Bytes),
    /// A stretch of a file on disk. The file must outlive the body; whoever owns the spool sees to that.
    File {
        /// The file.
        path: Arc<PathBuf>,
        /// Where the stretch begins.
        offset: u64,
        /// How long it is.
        len: u64,
    },
}

impl Body {
    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A whole file of known length.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>, len: u64) -> Self {
        Self::File {
            path: Arc::new(path.into()),
            offset: 0,
            len,
        }
    }

    /// The `len` bytes from `at` on, both within it.
    #[must_use]
    pub fn part(&self, at: u64, len: u64) -> Self {
        match self {
            Self::Memory(bytes) => {
                let bound = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                Self::Memory(bytes.slice(bound(at)..bound(at + len)))
            }
            Self::File { path, offset, .. } => Self::File {
                path: Arc::clone(path),
                offset: offset + at,
                len,
            },
        }
    }

    /// The file the bytes are in, if they are in one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Memory(_) => None,
            Self::File { path, .. } => Some(path),
        }
    }

    /// The bytes anew from the start.
    ///
    /// # Errors
    /// When the spooled file cannot be opened.
    pub async fn stream(&self) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        match self {
            Self::Memory(bytes) => {
                let bytes = bytes.clone();
                Ok(stream::once(async { Ok(bytes) }).boxed())
            }
            Self::File { path, offset, len } => {
                let path = Arc::clone(path);
                let opened = tokio::task::spawn_blocking(move || File::open(path.as_path()));
                let file = Arc::new(opened.await.map_err(io::Error::other)??);
                Ok(stretch(file, *offset, offset + len).boxed())
            }
        }
    }

    /// The bytes anew from the start, for a thread that may block.
    ///
    /// # Errors
    /// When the spooled file cannot be opened.
    pub fn reader(&self) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::Memory(bytes) => Ok(Box::new(io::Cursor::new(bytes.clone()))),
            Self::File { path, offset, len } => {
                let mut file = File::open(path.as_path())?;
                file.seek(SeekFrom::Start(*offset))?;
                Ok(Box::new(file.take(*len)))
            }
        }
    }
}

/// The bytes of `file` from `from` to `end`. A file that is too short ends with an error.
fn stretch(
    file: Arc<File>,
    from: u64,
    end: u64,
) -> impl stream::Stream<Item = io::Result<Bytes>> + Send {
    try_unfold(from, move |at| {
        let file = Arc::clone(&file);
        async move {
            if at == end {
                return Ok(None);
            }
            let chunk = read_chunk(file, at, (end - at).min(SEND_CHUNK)).await?;
            Ok(Some((chunk.clone(), at + chunk.len() as u64)))
        }
    })
}

/// Reads up to `most` bytes, at least one.
async fn read_chunk(file: Arc<File>, at: u64, most: u64) -> io::Result<Bytes> {
    let read = tokio::task::spawn_blocking(move || {
        let mut chunk = vec![0; usize::try_from(most).unwrap_or(usize::MAX)];
        let read = loop {
            match file.read_at(&mut chunk, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        chunk.truncate(read);
        Ok(chunk.into())
    });
    read.await.map_err(io::Error::other)?
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Memory(bytes)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Memory(bytes.into())
    }
}

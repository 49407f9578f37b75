//! Channels in a local folder, by `file://` addresses. Only regular files are read: a pipe or a
//! device under a package's name would never end.

use std::fs;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use tokio::fs::File;
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::validator::Stamp;
use super::{Opened, SourceError};

const CHUNK: usize = 128 * 1024;
/// Bytes that are handed on between two looks whether anybody still waits.
const AT_ONCE: u64 = 8 << 20;
/// Bytes that are not handed on.
const LEFT: usize = 4 << 10;

/// An open file of a folder, with what it looked like when it was opened.
pub(super) struct Found {
    path: PathBuf,
    file: File,
    len: u64,
    pub(super) stamp: Stamp,
}

pub(super) async fn find(url: &Url) -> Result<Found, SourceError> {
    let path = url
        .to_file_path()
        .map_err(|()| SourceError::address(url, "it names no file on this machine"))?;
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SourceError::not_found(url),
        _ => SourceError::local("read", &path, error),
    };
    let opened = {
        let path = path.clone();
        tokio::task::spawn_blocking(move || open(&path)).await
    };
    let opened = opened.unwrap_or_else(|ended| Err(io::Error::other(ended)));
    let Some((file, metadata)) = opened.map_err(failed)? else {
        return Err(SourceError::address(url, "it is not a regular file"));
    };
    Ok(Found {
        path,
        file: File::from_std(file),
        len: metadata.len(),
        stamp: Stamp::of_file(&metadata),
    })
}

/// Opens a regular file; `None` for anything else.
fn open(path: &Path) -> io::Result<Option<(fs::File, fs::Metadata)>> {
    // Looked at before it is opened, because opening a pipe waits for its writer.
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let file = fs::File::open(path)?;
    let metadata = file.metadata()?;
    Ok(Some((file, metadata)))
}

impl Found {
    /// The file's bytes; an error at the end if they are not as many as when it was opened.
    pub(super) fn open(self, url: &Url) -> Opened {
        let Self {
            path, file, len, ..
        } = self;
        let chunks = ReaderStream::with_capacity(file, CHUNK)
            .map(move |chunk| chunk.map_err(|error| SourceError::local("read", &path, error)));
        Opened {
            len: Some(len),
            bytes: exactly(len, url.clone(), chunks).boxed(),
        }
    }

    /// The file, for a thread that reads it until `stop`.
    pub(super) async fn reader(self, url: &Url, stop: CancellationToken) -> Whole {
        Whole {
            url: url.clone(),
            path: self.path,
            file: self.file.into_std().await,
            len: self.len,
            read: 0,
            stop,
            failed: None,
        }
    }
}

/// All of a file; an error at the end if its bytes are not as many as when it was opened.
pub(super) struct Whole {
    url: Url,
    path: PathBuf,
    file: std::fs::File,
    len: u64,
    read: u64,
    stop: CancellationToken,
    /// What became of the last read, if it failed.
    pub(super) failed: Option<SourceError>,
}

impl Whole {
    /// Hands up to `most` bytes on to `out` without taking them into this process, where the system can. How many: what
    /// fails here is left to [`Read`], which says what it is. Some bytes are left for it in any case, and among them one
    /// that is no white space.
    pub(super) fn pass_on(&mut self, mut out: &std::fs::File, most: u64) -> u64 {
        let mut last = [0; LEFT];
        let end = self.len.saturating_sub(LEFT as u64).min(self.read + most);
        let is_text = |byte: &u8| !byte.is_ascii_whitespace();
        let Ok(begin) = out.stream_position() else {
            return 0;
        };
        if self.file.read_exact_at(&mut last, end).is_err() || !last.iter().any(is_text) {
            return 0;
        }
        let from = self.read;
        while self.read < end && !self.stop.is_cancelled() {
            let step = AT_ONCE.min(end - self.read);
            let passed = io::copy(&mut (&self.file).take(step), &mut out);
            // After a failure only the end of the other file tells how far it came.
            let at = out.stream_position().unwrap_or(begin);
            self.read = from + (at - begin);
            if !matches!(passed, Ok(1..)) {
                break;
            }
        }
        let _ = self.file.seek(SeekFrom::Start(self.read));
        self.read - from
    }
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other("nobody waits for it any more"));
        }
        let read = self.file.read(buffer);
        self.read += *read.as_ref().unwrap_or(&0) as u64;
        self.failed = match read {
            Ok(0) if !buffer.is_empty() && self.read != self.len => {
                Some(other_length(&self.url, self.read, self.len))
            }
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => Some(SourceError::local("read", &self.path, error)),
        };
        Err(io::Error::other("the file could not be read"))
    }
}

fn other_length(url: &Url, read: u64, len: u64) -> SourceError {
    SourceError::interrupted(url, format!("{read} bytes read of a file of {len}"))
}

fn exactly(
    len: u64,
    url: Url,
    chunks: impl Stream<Item = Result<Bytes, SourceError>>,
) -> impl Stream<Item = Result<Bytes, SourceError>> {
    let mut read = 0;
    chunks
        .map(Some)
        .chain(stream::iter([None]))
        .filter_map(move |chunk| {
            let answer = match chunk {
                Some(Ok(bytes)) => {
                    read += bytes.len() as u64;
                    Some(Ok(bytes))
                }
                None if read != len => Some(Err(other_length(&url, read, len))),
                None => None,
                error => error,
            };
            std::future::ready(answer)
        })
}

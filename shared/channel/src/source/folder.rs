//! Channels in a local folder, by `file://` addresses. Only regular files are read: a pipe or a
//! device under a package's name would never end.

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use tokio::fs::File;
use tokio_util::io::ReaderStream;
use url::Url;

use super::validator::Stamp;
use super::{Opened, SourceError};

const CHUNK: usize = 128 * 1024;

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
    // Looked at before it is opened, because opening a pipe waits for its writer.
    if !tokio::fs::metadata(&path).await.map_err(failed)?.is_file() {
        return Err(SourceError::address(url, "it is not a regular file"));
    }
    let file = File::open(&path).await.map_err(failed)?;
    let metadata = file.metadata().await.map_err(failed)?;
    Ok(Found {
        path,
        file,
        len: metadata.len(),
        stamp: Stamp::of_file(&metadata),
    })
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
                None if read != len => {
                    let why = format!("{read} bytes read of a file of {len}");
                    Some(Err(SourceError::interrupted(&url, why)))
                }
                None => None,
                error => error,
            };
            std::future::ready(answer)
        })
}

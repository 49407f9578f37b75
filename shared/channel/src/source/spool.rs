//! An index on its way to disk: unpacked, never longer than its limit, and a JSON object by its
//! looks (a login page with status 200 is the usual stranger).
//!
//! Unpacking and writing happen on a blocking thread. What comes over the network is fed to it through a short queue;
//! if the fetch is dropped the queue closes and the thread ends. A file it reads itself, until it is told that nobody
//! waits any more.

mod chunks;
mod document;

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use mirror_runtime::redact;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::SourceError;
use super::folder::{Found, Whole};
use super::index::Form;
use crate::zst::{self, ZstError};
use chunks::{Chunks, peek};
use document::{Document, HTML};

/// Chunks between the network and the thread that unpacks them.
const QUEUE: usize = 16;
const BUFFER: usize = 256 << 10;

/// The document in a temporary file in `dir`, and its size.
pub(super) async fn unpacked(
    url: &Url,
    form: Form,
    mut bytes: BoxStream<'static, Result<Bytes, SourceError>>,
    dir: &Path,
    limit: u64,
) -> Result<(NamedTempFile, u64), SourceError> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let spool = Spool {
        url: redact::url(url),
        limit,
    };
    let folder = dir.to_owned();
    let mut chunks = Chunks::new(receiver);
    let writing = tokio::task::spawn_blocking(move || {
        spool.write(&folder, |spool, document| match form {
            Form::Zst => spool.decompress(&mut chunks, document),
            Form::Json => copy(&mut chunks, document, 0, limit),
        })
    });
    while let Some(chunk) = bytes.next().await {
        // On an error here the thread sees an early end; what it makes of that is of no interest.
        if sender.send(chunk?).await.is_err() {
            break;
        }
    }
    drop(sender);
    writing
        .await
        .unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
}

/// The same of a file on this machine.
pub(super) async fn unpacked_file(
    url: &Url,
    form: Form,
    found: Found,
    dir: &Path,
    limit: u64,
) -> Result<(NamedTempFile, u64), SourceError> {
    let stop = CancellationToken::new();
    let mut whole = found.reader(url, stop.clone()).await;
    let spool = Spool {
        url: redact::url(url),
        limit,
    };
    let folder = dir.to_owned();
    let _stops = stop.drop_guard();
    let writing = tokio::task::spawn_blocking(move || {
        let written = spool.write(&folder, |spool, document| match form {
            Form::Zst => {
                spool.decompress(&mut BufReader::with_capacity(BUFFER, &mut whole), document)
            }
            Form::Json => pass_on(&mut whole, document, limit),
        });
        whole.failed.map_or(written, Err)
    });
    writing
        .await
        .unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
}

struct Spool {
    url: String,
    limit: u64,
}

impl Spool {
    fn write(
        self,
        dir: &Path,
        fill: impl FnOnce(&Self, &mut Document<BufWriter<NamedTempFile>>) -> Result<u64, ZstError>,
    ) -> Result<(NamedTempFile, u64), SourceError> {
        let local = |error| SourceError::local("write", dir, error);
        let file = NamedTempFile::new_in(dir).map_err(local)?;
        let mut document = Document::new(BufWriter::with_capacity(BUFFER, file));
        let copied = fill(&self, &mut document);
        if let Some(saw) = document.stranger {
            return Err(self.no_index(saw));
        }
        let written = copied.map_err(|error| match error {
            ZstError::TooLarge { limit } => SourceError::TooLarge {
                url: self.url.clone(),
                limit,
            },
            ZstError::Empty => self.no_index("is empty"),
            ZstError::Read { .. } => self.damaged(error.to_string()),
            ZstError::Write { error, .. } => local(error),
        })?;
        match document.last {
            Some(b'}') => {}
            Some(_) => return Err(self.damaged("the JSON document has no end".to_owned())),
            None => return Err(self.no_index("is empty")),
        }
        let file = document.file.into_inner();
        Ok((file.map_err(|error| local(error.into_error()))?, written))
    }

    fn decompress(
        &self,
        input: &mut impl BufRead,
        document: &mut Document<impl Write>,
    ) -> Result<u64, ZstError> {
        // Better told here than as an unknown frame.
        document.stranger = match peek(input) {
            None => Some("is empty"),
            Some(b'<') => Some(HTML),
            Some(b'{') => Some("is plain JSON under the name of a .zst file"),
            Some(_) => None,
        };
        if document.stranger.is_some() {
            return Ok(0);
        }
        zst::decompress(input, document, self.limit)
    }

    fn no_index(&self, saw: &'static str) -> SourceError {
        SourceError::NotAnIndex {
            url: self.url.clone(),
            saw,
        }
    }

    fn damaged(&self, why: String) -> SourceError {
        SourceError::Damaged {
            url: self.url.clone(),
            why,
        }
    }
}

/// Copies a file. Its middle is copied by the system: a document is told by how it begins and ends.
fn pass_on(
    whole: &mut Whole,
    document: &mut Document<BufWriter<NamedTempFile>>,
    limit: u64,
) -> Result<u64, ZstError> {
    let begun = copy(&mut whole.by_ref().take(BUFFER as u64), document, 0, limit)?;
    document.flush().map_err(|error| ZstError::Write {
        written: begun,
        error,
    })?;
    let out = document.file.get_ref().as_file();
    let passed = match document.begun {
        true => whole.pass_on(out, limit - begun),
        false => 0,
    };
    copy(whole, document, begun + passed, limit)
}

/// Copies what is left of `input`, of which `written` bytes were written before.
fn copy(
    input: &mut impl Read,
    output: &mut impl Write,
    mut written: u64,
    limit: u64,
) -> Result<u64, ZstError> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = input
            .read(&mut buffer)
            .map_err(|error| ZstError::Read { written, error })?;
        if count == 0 {
            return Ok(written);
        }
        if count as u64 > limit - written {
            return Err(ZstError::TooLarge { limit });
        }
        output
            .write_all(&buffer[..count])
            .map_err(|error| ZstError::Write { written, error })?;
        written += count as u64;
    }
}

//! An index on its way to disk: unpacked, never longer than its limit, and a JSON object by its
//! looks (a login page with status 200 is the usual stranger).
//!
//! Unpacking and writing happen on a blocking thread that is fed through a short queue. If the
//! fetch is dropped the queue closes and the thread ends.

use std::io::{self, Read, Write};
use std::path::Path;

use bytes::{Buf, Bytes};
use futures::StreamExt;
use futures::stream::BoxStream;
use mirror_runtime::redact;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use url::Url;

use super::SourceError;
use super::index::Form;
use crate::zst::{self, ZstError};

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
    let writing = tokio::task::spawn_blocking(move || spool.write(form, receiver, &folder));
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

struct Spool {
    url: String,
    limit: u64,
}

impl Spool {
    fn write(
        self,
        form: Form,
        chunks: mpsc::Receiver<Bytes>,
        dir: &Path,
    ) -> Result<(NamedTempFile, u64), SourceError> {
        let local = |error| SourceError::local("write", dir, error);
        let file = NamedTempFile::new_in(dir).map_err(local)?;
        let mut document = Document::new(io::BufWriter::with_capacity(BUFFER, file));
        let mut input = Chunks {
            current: Bytes::new(),
            rest: chunks,
        };
        let copied = match form {
            Form::Zst => self.decompress(&mut input, &mut document),
            Form::Json => copy(&mut input, &mut document, self.limit),
        };
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
        input: &mut Chunks,
        document: &mut Document<impl Write>,
    ) -> Result<u64, ZstError> {
        // Better told here than as an unknown frame.
        document.stranger = match input.peek() {
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

const HTML: &str = "looks like an HTML page";

fn copy(input: &mut impl Read, output: &mut impl Write, limit: u64) -> Result<u64, ZstError> {
    let mut buffer = vec![0; BUFFER];
    let mut written = 0;
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

/// The received chunks as one reader; its end is the end of the queue.
struct Chunks {
    current: Bytes,
    rest: mpsc::Receiver<Bytes>,
}

impl Chunks {
    /// The first byte of what is left that is no space, as far as the present chunk tells.
    fn peek(&mut self) -> Option<u8> {
        self.fill()?;
        let mut bytes = self.current.iter().copied();
        let first = bytes.find(|byte| !byte.is_ascii_whitespace());
        first.or_else(|| self.current.first().copied())
    }

    fn fill(&mut self) -> Option<()> {
        while self.current.is_empty() {
            self.current = self.rest.blocking_recv()?;
        }
        Some(())
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.fill().is_none() {
            return Ok(0);
        }
        let count = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// Lets a JSON object through to the file and remembers how it ends; stops at anything else.
struct Document<W> {
    file: W,
    begun: bool,
    last: Option<u8>,
    stranger: Option<&'static str>,
}

impl<W> Document<W> {
    fn new(file: W) -> Self {
        Self {
            file,
            begun: false,
            last: None,
            stranger: None,
        }
    }
}

impl<W: Write> Write for Document<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.begun
            && let Some(first) = bytes.iter().find(|byte| !byte.is_ascii_whitespace())
        {
            self.begun = true;
            self.stranger = match first {
                b'{' => None,
                b'<' => Some(HTML),
                _ => Some("does not begin as a JSON object"),
            };
        }
        if self.stranger.is_some() {
            return Err(io::Error::other("no repodata"));
        }
        let count = self.file.write(bytes)?;
        let written = &bytes[..count];
        let last = written
            .iter()
            .rfind(|byte| !byte.is_ascii_whitespace())
            .copied();
        self.last = last.or(self.last);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

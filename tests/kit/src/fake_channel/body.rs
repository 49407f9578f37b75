//! The body of an answer: a file from disk in chunks, and what its fault makes of it.

use std::{fs::Metadata, io, path::PathBuf, sync::Arc};

use axum::body::Bytes;
use futures::{Stream, stream::try_unfold};
use tokio::{fs::File, io::AsyncReadExt};

use super::{Fault, Shared, request::Entry};

const CHUNK: u64 = 64 << 10;

/// An open file with its first chunk already read, so that a small file costs one trip to the thread pool.
pub(super) struct Payload {
    pub(super) metadata: Metadata,
    head: Bytes,
    rest: File,
}

impl Payload {
    pub(super) async fn open(path: PathBuf) -> io::Result<Self> {
        let opened = tokio::task::spawn_blocking(move || {
            use std::io::Read;
            let mut file = std::fs::File::open(path)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() {
                return Err(io::Error::from(io::ErrorKind::NotFound));
            }
            let mut head = Vec::new();
            (&mut file).take(CHUNK).read_to_end(&mut head)?;
            Ok((metadata, head, file))
        });
        let (metadata, head, file) = opened.await.map_err(io::Error::other)??;
        Ok(Self {
            metadata,
            head: head.into(),
            rest: File::from_std(file),
        })
    }
}

struct Sending {
    shared: Arc<Shared>,
    entry: Entry,
    payload: Payload,
    fault: Option<Fault>,
    /// Bytes that were handed out.
    sent: u64,
    /// Bytes that the answer has if it is not cut.
    length: u64,
}

/// The bytes of an answer that has promised `length` of them.
pub(super) fn stream(
    shared: Arc<Shared>,
    entry: Entry,
    payload: Payload,
    fault: Option<Fault>,
    length: u64,
) -> impl Stream<Item = io::Result<Bytes>> {
    let sending = Sending {
        shared,
        entry,
        payload,
        fault,
        sent: 0,
        length,
    };
    try_unfold(sending, |mut sending| async move {
        let chunk = sending.next().await?;
        Ok((!chunk.is_empty()).then_some((chunk, sending)))
    })
}

impl Sending {
    /// The next chunk; empty at the end.
    async fn next(&mut self) -> io::Result<Bytes> {
        let mut until = self.length;
        match self.fault {
            Some(Fault::Cut { after }) if self.sent >= after => {
                // The server sends what it has only when it is told to wait; else the cut would swallow it.
                tokio::task::yield_now().await;
                return Err(broken("cut as scripted"));
            }
            Some(Fault::Cut { after }) => until = until.min(after),
            Some(Fault::Stall { after }) if self.sent >= after => {
                self.fault = None;
                if !self.shared.gate.hold().await {
                    return Err(broken("the server ended"));
                }
            }
            Some(Fault::Stall { after }) => until = until.min(after),
            _ => {}
        }
        let wanted = (until - self.sent).min(CHUNK);
        let mut chunk = self.read(wanted).await?;
        if chunk.is_empty() && wanted > 0 {
            if !matches!(self.fault, Some(Fault::TooLong { .. })) {
                return Err(broken("the file shrank while it was sent"));
            }
            chunk = vec![b'+'; wanted as usize].into();
        }
        let chunk = self.spoil(chunk);
        self.sent += chunk.len() as u64;
        self.shared.log.sent(self.entry, chunk.len() as u64);
        Ok(chunk)
    }

    /// At most `wanted` bytes of the file (at most one chunk); none at its end.
    async fn read(&mut self, wanted: u64) -> io::Result<Bytes> {
        let wanted = wanted as usize;
        let head = &mut self.payload.head;
        if !head.is_empty() {
            return Ok(head.split_to(wanted.min(head.len())));
        }
        let mut chunk = vec![0; wanted];
        let read = self.payload.rest.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok(chunk.into())
    }

    fn spoil(&self, chunk: Bytes) -> Bytes {
        let spoiled = |position: usize| match self.fault {
            Some(Fault::WrongBytes) => true,
            Some(Fault::Flipped { at }) => at == self.sent + position as u64,
            _ => false,
        };
        if !matches!(self.fault, Some(Fault::WrongBytes | Fault::Flipped { .. })) {
            return chunk;
        }
        chunk
            .iter()
            .enumerate()
            .map(|(position, byte)| if spoiled(position) { !byte } else { *byte })
            .collect()
    }
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, why)
}

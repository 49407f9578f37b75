//! Where the bytes of a download go, hashed on the way: small files into memory, large ones into the spool.
//!
//! Of a spooled file two chunks are held and no more: one is written and hashed on a thread that may block while the
//! next is gathered. Whoever follows the file sees each chunk as soon as it is written.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::BytesMut;
use mirror_oci::Body;
use mirror_oci::body::{Growing, Growth, growing};
use tokio::task::JoinHandle;

use crate::spool::{Reservation, Spool, SpoolError};
use crate::sums::{Hashes, Sums};

/// How much is gathered before it is written to the spool. With 64 transfers at once, each of which may send meanwhile,
/// twice as much takes the process past 100 MB.
const CHUNK: usize = 128 * 1024;

/// A file on its way in.
pub(crate) enum Sink {
    Memory { bytes: BytesMut, sums: Box<Sums> },
    File(Box<Spooling>),
}

pub(crate) struct Spooling {
    dir: PathBuf,
    chunk: Vec<u8>,
    idle: Option<Desk>,
    busy: Option<JoinHandle<io::Result<Desk>>>,
}

/// What is needed to write and hash a chunk. It goes to the thread that does it and comes back: whatever becomes of the
/// download meanwhile, the room stays taken until the chunk is written.
struct Desk {
    file: File,
    spare: Vec<u8>,
    written: u64,
    sums: Sums,
    growth: Option<Growth>,
    reservation: Arc<Reservation>,
}

/// A file all of whose bytes came. Nobody has vouched for them yet.
pub(crate) struct Complete {
    pub body: Body,
    pub hashes: Hashes,
    growth: Option<Growth>,
    pub reservation: Option<Arc<Reservation>>,
}

impl Complete {
    /// Its bytes are right: who sends it may send its end.
    pub(crate) fn vouch(&mut self) {
        if let Some(growth) = self.growth.take() {
            growth.vouch();
        }
    }
}

impl Sink {
    pub(crate) fn memory(sums: Sums) -> Self {
        Self::Memory {
            bytes: BytesMut::new(),
            sums: Box::new(sums),
        }
    }

    /// With the file's size known, it can be followed while it grows.
    pub(crate) async fn file(
        reservation: Arc<Reservation>,
        size: Option<u64>,
        spool: &Spool,
        sums: Sums,
    ) -> Result<(Self, Option<Growing>), SpoolError> {
        let dir = spool.dir().to_path_buf();
        let path = reservation.path();
        let (growth, followed) = size.map(|size| growing(path, size)).unzip();
        // Dropped meanwhile, the file must not be made after its room was given back: nobody would remove it.
        let created = blocking(move || Ok((File::create(reservation.path())?, reservation))).await;
        let (file, reservation) = created.map_err(|error| SpoolError::io(&dir, error))?;
        let desk = Desk {
            file,
            spare: Vec::new(),
            written: 0,
            sums,
            growth,
            reservation,
        };
        let spooling = Spooling {
            dir,
            chunk: Vec::new(),
            idle: Some(desk),
            busy: None,
        };
        Ok((Self::File(Box::new(spooling)), followed))
    }

    pub(crate) async fn write(&mut self, more: &[u8]) -> Result<(), SpoolError> {
        match self {
            Self::Memory { bytes, sums } => {
                sums.update(more);
                bytes.extend_from_slice(more);
                Ok(())
            }
            Self::File(spooling) => {
                let written = spooling.gather(more).await;
                written.map_err(|error| SpoolError::io(&spooling.dir, error))
            }
        }
    }

    pub(crate) async fn finish(self, size: u64) -> Result<Complete, SpoolError> {
        match self {
            Self::Memory { bytes, sums } => Ok(Complete {
                body: Body::Memory(bytes.freeze()),
                hashes: sums.finish(),
                growth: None,
                reservation: None,
            }),
            Self::File(mut spooling) => {
                let desk = spooling.last().await;
                let desk = desk.map_err(|error| SpoolError::io(&spooling.dir, error))?;
                Ok(Complete {
                    body: Body::file(desk.reservation.path(), size),
                    hashes: desk.sums.finish(),
                    growth: desk.growth,
                    reservation: Some(desk.reservation),
                })
            }
        }
    }
}

impl Spooling {
    async fn gather(&mut self, mut more: &[u8]) -> io::Result<()> {
        while !more.is_empty() {
            self.chunk.reserve_exact(CHUNK - self.chunk.len());
            let (fits, rest) = more.split_at(more.len().min(CHUNK - self.chunk.len()));
            self.chunk.extend_from_slice(fits);
            more = rest;
            if self.chunk.len() == CHUNK {
                self.turn().await?;
            }
        }
        Ok(())
    }

    /// Waits for the chunk before and has this one written.
    async fn turn(&mut self) -> io::Result<()> {
        let mut desk = self.desk().await?;
        let chunk = std::mem::replace(&mut self.chunk, std::mem::take(&mut desk.spare));
        self.busy = Some(tokio::task::spawn_blocking(move || desk.put(chunk)));
        Ok(())
    }

    async fn last(&mut self) -> io::Result<Desk> {
        self.turn().await?;
        self.desk().await
    }

    async fn desk(&mut self) -> io::Result<Desk> {
        if let Some(busy) = &mut self.busy {
            let desk = busy.await;
            self.busy = None;
            return desk.map_err(io::Error::other)?;
        }
        let gone = || io::Error::other("a chunk before was not written");
        self.idle.take().ok_or_else(gone)
    }
}

impl Desk {
    fn put(mut self, mut chunk: Vec<u8>) -> io::Result<Self> {
        self.file.write_all(&chunk)?;
        self.written += chunk.len() as u64;
        if let Some(growth) = &self.growth {
            growth.reach(self.written);
        }
        self.sums.update(&chunk);
        chunk.clear();
        self.spare = chunk;
        Ok(self)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc;

    use futures::FutureExt as _;
    use mirror_oci::package::Wanted;

    use super::*;

    #[test]
    fn a_file_whose_download_is_dropped_before_it_is_made_leaves_nothing() {
        // One thread that blocks, so that the file waits for its turn.
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.max_blocking_threads(1).build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path().into(), 1 << 20).unwrap();
        let wanted = Wanted {
            file: "a-1-0.conda".parse().unwrap(),
            sha256: None,
            md5: None,
            size: None,
        };
        runtime.block_on(async {
            let (go, gone) = mpsc::channel::<()>();
            let before = tokio::task::spawn_blocking(move || gone.recv());
            let reservation = Arc::new(spool.reserve(Some(10)).await.unwrap());
            let opened = Sink::file(reservation, Some(10), &spool, Sums::of(&wanted));
            assert!(opened.now_or_never().is_none());
            drop(go);
            let _ = before.await.unwrap();
            // Behind the file in the line.
            tokio::task::spawn_blocking(|| ()).await.unwrap();
        });
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

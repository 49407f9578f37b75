//! Downloads one file: hash and size checked on the way, small ones in memory, large ones spooled.
//!
//! A file whose record has no hash is refused before anything is asked for, unless the task allows
//! such files; then its size is checked, if the record has one, and that it came as it is said.

use backon::{BackoffBuilder as _, ExponentialBuilder};
use bytes::BytesMut;
use futures::StreamExt as _;
use mirror_channel::source::{Fetcher, Opened, SourceError};
use mirror_oci::Body;
use mirror_oci::package::Wanted;
use mirror_runtime::{Disposed as _, fail_point, redact};
use rattler_digest::digest::Digest as _;
use rattler_digest::{Md5, Sha256};
use std::time::{Duration, Instant};
use tokio::io::{AsyncWriteExt as _, BufWriter};
use url::Url;

use crate::activity::InFlight;
use crate::error::TransferError;
use crate::spool::{Reservation, Spool, SpoolError};

/// Files up to this size never touch the disk.
const IN_MEMORY: u64 = 256 * 1024;
/// How much is gathered before it is written to the spool.
const WRITE_CHUNK: usize = 256 * 1024;

/// How slow a download may be. One that is slower is given up: a server that sends a byte now and then
/// would hold a slot and its room in the spool for ever.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Granted to every download, whatever came.
    grace: Duration,
    /// Bytes a second on the whole, after that.
    slowest: u64,
}

const PACE: Pace = Pace {
    grace: Duration::from_secs(60),
    slowest: 16 * 1024,
};

impl Pace {
    /// Whether so few bytes in so long a time are too few. What came counts, not what the record says.
    fn is_too_slow(self, elapsed: Duration, received: u64) -> bool {
        elapsed > self.grace + Duration::from_secs(received / self.slowest)
    }
}

/// A file that is what its record says.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub body: Body,
    pub sha256: [u8; 32],
    pub md5: [u8; 16],
    /// Holds the spooled file; dropped, its room is free again.
    _reservation: Option<Reservation>,
}

/// Downloads `wanted` from `url`; `allow_unverified` is the task's. A transient failure, a wrong hash included, is tried twice more at
/// once: a second edge of a CDN often has the right bytes.
pub(crate) async fn fetch(
    fetcher: &Fetcher,
    spool: &Spool,
    url: &Url,
    wanted: &Wanted,
    allow_unverified: bool,
    progress: &InFlight,
) -> Result<Fetched, TransferError> {
    if !wanted.has_hash() && !allow_unverified {
        return Err(TransferError::Unverifiable {
            file: wanted.file.as_str().to_owned(),
        });
    }
    let mut delays = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(200))
        .with_max_times(2)
        .with_jitter()
        .build();
    let mut missing = 0;
    loop {
        let error = match fetch_once(fetcher, spool, url, wanted, progress, PACE).await {
            Ok(fetched) => return Ok(fetched),
            Err(error) => error,
        };
        if matches!(&error, TransferError::Source(SourceError::NotFound { .. })) {
            missing += 1;
            if missing == 2 {
                return Err(TransferError::Missing {
                    url: redact::url(url),
                });
            }
        }
        let delay = error.is_transient().then(|| delays.next()).flatten();
        let Some(delay) = delay else {
            return Err(error);
        };
        tracing::debug!(%error, "download failed, trying again");
        progress.restart();
        tokio::time::sleep(delay).await;
    }
}

async fn fetch_once(
    fetcher: &Fetcher,
    spool: &Spool,
    url: &Url,
    wanted: &Wanted,
    progress: &InFlight,
    pace: Pace,
) -> Result<Fetched, TransferError> {
    let small = wanted.size.is_some_and(|size| size <= IN_MEMORY);
    // Room first, connection second: a download must not idle while it waits for the disk.
    let spooled = |source| TransferError::Spool {
        file: wanted.file.as_str().to_owned(),
        source,
    };
    let reservation = match small {
        true => None,
        false => Some(spool.reserve(wanted.size).await.map_err(spooled)?),
    };
    let Opened { mut bytes, .. } = fetcher.open(url).await?;
    let limit = wanted.size.unwrap_or(spool.budget());
    let (mut sha256, mut md5, mut size) = (Sha256::new(), Md5::new(), 0_u64);
    let mut sink = Sink::open(reservation, spool).await.map_err(spooled)?;
    let started = Instant::now();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk?;
        size += chunk.len() as u64;
        if pace.is_too_slow(started.elapsed(), size) {
            return Err(TransferError::TooSlow {
                url: redact::url(url),
                size,
            });
        }
        if size > limit {
            return Err(too_long(url, wanted, spool));
        }
        sha256.update(&chunk);
        md5.update(&chunk);
        sink.write(&chunk).await.map_err(spooled)?;
        progress.advance(chunk.len() as u64);
        fail_point::hit("mid-download").await;
    }
    let (sha256, md5): ([u8; 32], [u8; 16]) = (sha256.finalize().into(), md5.finalize().into());
    verify(url, wanted, size, sha256, md5).map_err(|problem| mismatch(url, problem))?;
    let (body, reservation) = sink.finish(size).await.map_err(spooled)?;
    Ok(Fetched {
        body,
        sha256,
        md5,
        _reservation: reservation,
    })
}

/// Whether the file is what its record says; what differs if it is not.
fn verify(
    url: &Url,
    wanted: &Wanted,
    size: u64,
    sha256: [u8; 32],
    md5: [u8; 16],
) -> Result<(), String> {
    if let Some(expected) = wanted.size.filter(|expected| *expected != size) {
        return Err(format!("{size} bytes came, its record says {expected}"));
    }
    let differs = |name, came: &[u8], expected: &[u8]| {
        let (came, expected) = (hex::encode(came), hex::encode(expected));
        Err(format!("{name} is {came}, its record says {expected}"))
    };
    match (wanted.sha256, wanted.md5) {
        (Some(expected), _) if expected != sha256 => differs("sha256", &sha256, &expected),
        (None, Some(expected)) if expected != md5 => differs("md5", &md5, &expected),
        (Some(_), _) => Ok(()),
        (None, Some(_)) => {
            tracing::warn!(
                url = redact::url(url),
                "its record has only an md5, which is no proof against malice"
            );
            Ok(())
        }
        (None, None) => {
            tracing::warn!(
                url = redact::url(url),
                sha256 = hex::encode(sha256),
                "mirrored as it came: its record has neither sha256 nor md5, and --allow-unverified was given"
            );
            Ok(())
        }
    }
}

/// More bytes came than there may be: than the record says or, if it does not, than the spool holds.
fn too_long(url: &Url, wanted: &Wanted, spool: &Spool) -> TransferError {
    match wanted.size {
        Some(size) => mismatch(url, format!("longer than the {size} bytes its record says")),
        None => TransferError::Spool {
            file: wanted.file.as_str().to_owned(),
            source: SpoolError::Full {
                budget: spool.budget(),
            },
        },
    }
}

fn mismatch(url: &Url, problem: String) -> TransferError {
    TransferError::Mismatch {
        url: redact::url(url),
        problem,
    }
}

/// Where the bytes go while they arrive.
enum Sink {
    Memory(BytesMut),
    File {
        file: BufWriter<tokio::fs::File>,
        reservation: Reservation,
        dir: std::path::PathBuf,
    },
}

impl Sink {
    async fn open(reservation: Option<Reservation>, spool: &Spool) -> Result<Self, SpoolError> {
        let Some(reservation) = reservation else {
            return Ok(Self::Memory(BytesMut::new()));
        };
        let dir = spool.dir().to_path_buf();
        let file = tokio::fs::File::create(reservation.path())
            .await
            .map_err(|error| SpoolError::io(&dir, error))?;
        Ok(Self::File {
            file: BufWriter::with_capacity(WRITE_CHUNK, file),
            reservation,
            dir,
        })
    }

    async fn write(&mut self, chunk: &[u8]) -> Result<(), SpoolError> {
        match self {
            Self::Memory(buffer) => {
                buffer.extend_from_slice(chunk);
                Ok(())
            }
            Self::File { file, dir, .. } => {
                let written = file.write_all(chunk).await;
                written.map_err(|error| SpoolError::io(dir, error))
            }
        }
    }

    async fn finish(self, size: u64) -> Result<(Body, Option<Reservation>), SpoolError> {
        match self {
            Self::Memory(buffer) => Ok((Body::Memory(buffer.freeze()), None)),
            Self::File {
                mut file,
                reservation,
                dir,
            } => {
                file.flush()
                    .await
                    .map_err(|error| SpoolError::io(&dir, error))?;
                Ok((Body::file(reservation.path(), size), Some(reservation)))
            }
        }
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;

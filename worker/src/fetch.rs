//! Downloads one file: hash and size checked on the way, small ones in memory, large ones spooled.
//!
//! A file whose record has no hash is refused before anything is asked for, unless the task allows
//! such files; then its size is checked, if the record has one, and that it came as it is said.
//! What is done with a file while it comes ([`Meanwhile`]) begins anew with each try and ends with it.

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use mirror_channel::source::{Opened, SourceError};
use mirror_oci::Body;
use mirror_oci::package::Wanted;
use mirror_runtime::{Disposed as _, fail_point, redact};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use url::Url;

use crate::activity::InFlight;
use crate::error::TransferError;
use crate::meanwhile::{Arriving, Meanwhile};
use crate::pace::{PACE, Pace, is_near};
use crate::sink::{Complete, Sink};
use crate::source::Sources;
use crate::spool::{Reservation, Spool, SpoolError};
use crate::sums::{Hashes, Sums, difference};

/// Files up to this size never touch the disk.
const IN_MEMORY: u64 = 256 * 1024;

/// A file that is what its record says.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub body: Body,
    pub hashes: Hashes,
    /// Holds the spooled file; dropped, its room is free again.
    _reservation: Option<Arc<Reservation>>,
}

/// What to download, and with what.
#[derive(Clone, Copy)]
pub(crate) struct Download<'a> {
    pub sources: &'a Sources,
    pub spool: &'a Spool,
    pub url: &'a Url,
    pub wanted: &'a Wanted,
    /// The task's.
    pub allow_unverified: bool,
    pub progress: &'a InFlight,
}

/// Downloads a file. A transient failure, a wrong hash included, is tried twice more at
/// once: a second edge of a CDN often has the right bytes. `meanwhile` is asked at each try of a file that is spooled and
/// whose size is known; what it began for the last one comes back with the file and may still go on.
pub(crate) async fn fetch<'m>(
    download: Download<'_>,
    meanwhile: impl Fn(Arriving) -> Meanwhile<'m>,
) -> Result<(Fetched, Meanwhile<'m>), TransferError> {
    let Download {
        url,
        wanted,
        progress,
        ..
    } = download;
    if !wanted.has_hash() && !download.allow_unverified {
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
        let error = match fetch_once(download, PACE, &meanwhile).await {
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

async fn fetch_once<'m>(
    download: Download<'_>,
    pace: Pace,
    meanwhile: impl Fn(Arriving) -> Meanwhile<'m>,
) -> Result<(Fetched, Meanwhile<'m>), TransferError> {
    let Download {
        sources,
        spool,
        url,
        wanted,
        ..
    } = download;
    let small = wanted.size.is_some_and(|size| size <= IN_MEMORY);
    // Room first, connection second: a download must not idle while it waits for the disk.
    let reservation = match small {
        true => None,
        false => {
            let reserved = spool.reserve(wanted.size).await;
            Some(Arc::new(reserved.map_err(|error| spooled(wanted, error))?))
        }
    };
    let Opened { bytes, .. } = sources.open(url, wanted).await?;
    let sums = Sums::of(wanted);
    let (sink, growing) = match &reservation {
        None => (Sink::memory(sums), None),
        Some(reservation) => {
            let opened = Sink::file(Arc::clone(reservation), wanted.size, spool, sums).await;
            opened.map_err(|error| spooled(wanted, error))?
        }
    };
    let (near, told) = oneshot::channel();
    let mut meanwhile = match growing.zip(reservation) {
        None => Meanwhile::nothing(),
        Some((growing, reservation)) => meanwhile(Arriving {
            growing,
            reservation,
            near: told,
        }),
    };
    let receiving = receive(download, pace, bytes, sink, near);
    let mut complete = match meanwhile.during(receiving).await {
        Ok(complete) => complete,
        Err(error) => {
            meanwhile.abandon().await;
            return Err(error);
        }
    };
    complete.vouch();
    let fetched = Fetched {
        body: complete.body,
        hashes: complete.hashes,
        _reservation: complete.reservation,
    };
    Ok((fetched, meanwhile))
}

/// Receives a whole file and sees that it is what its record says. Fires `near` when the rest of it is.
async fn receive(
    download: Download<'_>,
    pace: Pace,
    mut bytes: BoxStream<'static, Result<bytes::Bytes, SourceError>>,
    mut sink: Sink,
    near: oneshot::Sender<()>,
) -> Result<Complete, TransferError> {
    let Download {
        spool, url, wanted, ..
    } = download;
    let limit = wanted.size.unwrap_or(spool.budget());
    let (mut size, mut near) = (0_u64, Some(near));
    let started = Instant::now();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk?;
        size += chunk.len() as u64;
        let elapsed = started.elapsed();
        if pace.is_too_slow(elapsed, size) {
            return Err(TransferError::TooSlow {
                url: redact::url(url),
                size,
            });
        }
        if size > limit {
            return Err(too_long(url, wanted, spool));
        }
        if let Some(near) = near.take_if(|_| is_near(limit, size, elapsed)) {
            // Nobody may have asked.
            let _ = near.send(());
        }
        let written = sink.write(&chunk).await;
        written.map_err(|error| spooled(wanted, error))?;
        download.progress.advance(chunk.len() as u64);
        fail_point::hit("mid-download").await;
    }
    let complete = sink.finish(size).await;
    let complete = complete.map_err(|error| spooled(wanted, error))?;
    let problem = difference(wanted, size, &complete.hashes);
    problem.map_err(|problem| mismatch(url, problem))?;
    warn_if_weak(url, wanted, &complete.hashes);
    Ok(complete)
}

/// Says so when less than a sha256 vouches for a file.
fn warn_if_weak(url: &Url, wanted: &Wanted, hashes: &Hashes) {
    match (wanted.sha256, wanted.md5) {
        (Some(_), _) => {}
        (None, Some(_)) => tracing::warn!(
            url = redact::url(url),
            "its record has only an md5, which is no proof against malice"
        ),
        (None, None) => tracing::warn!(
            url = redact::url(url),
            sha256 = hex::encode(hashes.sha256),
            "mirrored as it came: its record has neither sha256 nor md5, and --allow-unverified was given"
        ),
    }
}

fn spooled(wanted: &Wanted, source: SpoolError) -> TransferError {
    TransferError::Spool {
        file: wanted.file.as_str().to_owned(),
        source,
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

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;

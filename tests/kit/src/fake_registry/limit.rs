//! A limit on writes, as ghcr.io has one: a bucket that is filled evenly.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// How many writes a registry takes before it answers 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteLimit {
    /// In the long run.
    pub per_minute: u32,
    /// At once, after a pause.
    pub at_once: u32,
}

/// What is left of a limit.
#[derive(Debug, Default)]
pub(super) struct Bucket(Mutex<Option<(f64, Instant)>>);

impl Bucket {
    /// Takes one write; `Err`: the seconds until there is room for one.
    pub(super) fn take(&self, limit: WriteLimit) -> Result<(), u64> {
        let now = Instant::now();
        let per_second = f64::from(limit.per_minute) / 60.0;
        let most = f64::from(limit.at_once);
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = bucket.map_or(most, |(left, at)| {
            let since = now.duration_since(at).as_secs_f64();
            (left + since * per_second).min(most)
        });
        let taken = left >= 1.0;
        *bucket = Some((if taken { left - 1.0 } else { left }, now));
        if taken {
            return Ok(());
        }
        let seconds = (1.0 - left) / per_second;
        Err(std::time::Duration::from_secs_f64(seconds).as_secs() + 1)
    }
}

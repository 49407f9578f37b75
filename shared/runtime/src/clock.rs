//! Wall-clock time as the ledger and the plan numbers use it: whole milliseconds since 1970, UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The highest number of a plan: ledgers keep them in 48 bits. As milliseconds since 1970 this one is of the year 10889.
pub const MAX_PLAN: u64 = (1 << 48) - 1;

/// Milliseconds since 1970-01-01 UTC; 0 on a machine whose clock is before that.
#[must_use]
pub fn now_ms() -> u64 {
    to_ms(SystemTime::now())
}

/// A point in time as milliseconds since 1970-01-01 UTC.
#[must_use]
pub fn to_ms(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// How long from now until `at`; zero when it has passed.
#[must_use]
pub fn until(at: SystemTime) -> Duration {
    at.duration_since(SystemTime::now()).unwrap_or_default()
}

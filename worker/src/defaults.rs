//! What holds where nobody says otherwise, for a worker beside its coordinator and for one elsewhere alike.

use std::num::NonZeroU32;
use std::time::Duration;

/// Tries of a build in one run before it counts as failed.
pub const ATTEMPTS: NonZeroU32 = NonZeroU32::new(8).expect("not zero");

/// The longest silence of a channel, before an answer and within it.
pub const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes of files in transit; the largest packages of conda-forge have some 1.3 GB.
pub const SPOOL_SIZE: u64 = 20_000_000_000;

//! Every error has exactly one disposition: what the mirror does about it.
//!
//! Libraries keep their own typed errors and map each variant here once; nobody matches on
//! messages or status codes further up.

use std::time::SystemTime;

/// What happens to the work that met an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// May pass by itself (reset, timeout, 5xx, hash mismatch): tried again with backoff, counts an attempt.
    Retry,
    /// The host asked for patience until the given time: its requests are parked, no attempt is counted.
    Throttled {
        /// When requests to the host may go on.
        until: SystemTime,
    },
    /// The host refuses these credentials for this repository: the build fails, others go on.
    Denied,
    /// Trying again cannot help in this run: the file fails.
    Permanent,
    /// Something on this machine (disk, permissions) stands in the way: the file fails, a later run tries it at once.
    Local,
    /// We are shutting down: the work goes back uncounted.
    Cancelled,
}

/// An error that knows its [`Disposition`].
pub trait Disposed {
    /// What is to be done about this error.
    fn disposition(&self) -> Disposition;

    /// Whether another try may succeed by itself.
    fn is_transient(&self) -> bool {
        self.disposition() == Disposition::Retry
    }
}

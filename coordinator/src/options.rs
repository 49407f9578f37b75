//! What a run was asked to do, checked.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use mirror_oci::registry::Address;
use mirror_worker::extract::InfoLimits;

/// Options of `mirror`, after the command line was read and before anything was touched.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub registry: Option<Address>,
    /// Empty: every known subdir that the channel serves.
    pub subdirs: Vec<String>,
    pub workers: usize,
    pub attempts: u32,
    pub grace: Duration,
    pub max_writes_per_minute: Option<NonZeroU32>,
    pub publish_every: Duration,
    pub allow_shrink: bool,
    pub retry_failed: bool,
    pub dry_run: bool,
    pub allow_unverified: bool,
    /// The longest silence of a channel before and within an answer.
    pub read_timeout: Duration,
    /// Folder of ledgers.
    pub state: PathBuf,
    /// Folder for files in transit.
    pub spool: PathBuf,
    pub spool_size: u64,
    /// How much of a package is believed.
    pub limits: InfoLimits,
}

/// Writes a minute that a vendor is known to allow: ghcr.io answers a faster pusher
/// `allowed: 2000/minute`.
pub(crate) fn known_rate(host: &str) -> Option<NonZeroU32> {
    (host == "ghcr.io").then(|| NonZeroU32::new(2000)).flatten()
}

impl Options {
    /// The rate that holds for the registry's writes.
    pub(crate) fn write_rate(&self) -> Option<NonZeroU32> {
        let known = match &self.registry {
            Some(Address::Registry(registry)) => known_rate(&registry.host()),
            _ => None,
        };
        self.max_writes_per_minute.or(known)
    }
}

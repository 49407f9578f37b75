//! What a run was asked to do, checked.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mirror_ledger::RedisOptions;
use mirror_oci::registry::{Address, Trust, known_write_rate};
use mirror_queue::rabbitmq;
use mirror_worker::extract::InfoLimits;

use crate::repair::Repair;
use crate::sync::Purpose;

/// Where what is done is remembered.
#[derive(Debug, Clone)]
pub(crate) enum Memory {
    /// A folder of ledgers.
    Folder(PathBuf),
    /// A Redis that others share.
    Redis(RedisOptions),
}

impl Memory {
    /// Whether others see it while a run goes on, and may steer the run by it.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Redis(_))
    }
}

/// Options of `mirror`, after the command line was read and before anything was touched.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// What is done with a plan.
    pub purpose: Purpose,
    pub registry: Option<Address>,
    /// Empty: every known subdir that the channel serves.
    pub subdirs: Vec<String>,
    pub workers: usize,
    pub attempts: u32,
    pub grace: Duration,
    pub max_writes_per_minute: Option<NonZeroU32>,
    pub max_reads_per_minute: Option<NonZeroU32>,
    pub publish_every: Duration,
    pub allow_shrink: bool,
    pub retry_failed: bool,
    pub dry_run: bool,
    pub allow_unverified: bool,
    /// On every manifest.
    pub annotations: BTreeMap<String, String>,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// Most bytes of a blob in one request.
    pub max_chunk: Option<NonZeroU64>,
    /// The longest silence of a channel before and within an answer.
    pub read_timeout: Duration,
    pub memory: Memory,
    /// The broker through which workers elsewhere are given their tasks; `None`: this process does them.
    pub queue: Option<rabbitmq::Options>,
    /// Folder for files in transit; `None`: a temporary one.
    pub spool: Option<PathBuf>,
    pub spool_size: u64,
    /// How much of a package is believed.
    pub limits: InfoLimits,
    /// Only this is mended; `None`: what the selection names is mirrored.
    pub repair: Option<Arc<Repair>>,
}

impl Options {
    /// The rate that holds for the registry's writes.
    pub(crate) fn write_rate(&self) -> Option<NonZeroU32> {
        let known = match &self.registry {
            Some(Address::Registry(registry)) => known_write_rate(&registry.host()),
            _ => None,
        };
        self.max_writes_per_minute.or(known)
    }
}

//! What a worker of a cluster says of itself, as it stands in the list of workers.

use serde::{Deserialize, Serialize};

/// A worker's own words. Fields that a reader does not know are ignored, fields that a writer did not know have their default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Presence {
    /// Transfers it does at once, at most.
    pub slots: usize,
    /// Files in flight.
    pub in_flight: usize,
    /// Files brought since it started.
    pub done: u64,
    /// Files given up since it started.
    pub failed: u64,
    /// Why it takes no tasks, if it takes none.
    pub waits: Option<String>,
    /// Some of the files in flight, the oldest first.
    pub files: Vec<TransferNow>,
}

/// A file in flight.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TransferNow {
    /// Its name.
    pub file: String,
    /// Bytes downloaded.
    pub done: u64,
    /// Bytes in all, if known.
    pub total: Option<u64>,
}

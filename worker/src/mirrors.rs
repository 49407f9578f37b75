//! Which destination and which ledger a task belongs to. In one process there is one mirror; a worker of a cluster
//! serves whatever its queue brings.

use std::fmt;
use std::sync::Arc;

use mirror_channel::folder::ChannelFolder;
use mirror_ledger::{Claims, Outcomes};
use mirror_oci::Destination;
use mirror_queue::Task;

/// Where a mirror's packages go.
#[derive(Debug, Clone)]
pub struct Target {
    /// The registry or folder.
    pub destination: Arc<Destination>,
    /// Path components of the destination before the channel; may be empty.
    pub namespace: String,
}

/// The other end of a task.
#[derive(Debug, Clone)]
pub enum End {
    /// A registry or a folder of image layouts.
    Mirror(Target),
    /// A channel folder.
    Channel(ChannelFolder),
}

impl From<Target> for End {
    fn from(target: Target) -> Self {
        Self::Mirror(target)
    }
}

/// What a mirror remembers.
#[derive(Debug, Clone)]
pub struct Memory {
    /// Where outcomes are kept.
    pub outcomes: Arc<dyn Outcomes>,
    /// Who works on what.
    pub claims: Arc<dyn Claims>,
}

/// This worker cannot or may not push where a task wants to go; nothing about the task's files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not for this worker: {why}")]
pub struct NotServed {
    /// What is in the way, and what to do.
    pub why: String,
}

/// Finds what a task belongs to.
pub trait Mirrors: Send + Sync + fmt::Debug {
    /// The ledger of the task's mirror.
    fn memory(&self, task: &Task) -> Memory;

    /// The destination of the task's mirror.
    ///
    /// # Errors
    /// When this worker cannot or may not push there.
    fn end(&self, task: &Task) -> Result<Arc<End>, NotServed>;
}

/// The mirror of a process that has one: every task is its own.
#[derive(Debug)]
pub struct OneMirror {
    memory: Memory,
    end: Arc<End>,
}

impl OneMirror {
    /// A mirror to `end` that remembers in `memory`.
    #[must_use]
    pub fn new(end: impl Into<End>, memory: Memory) -> Self {
        Self {
            memory,
            end: Arc::new(end.into()),
        }
    }
}

impl Mirrors for OneMirror {
    fn memory(&self, _: &Task) -> Memory {
        self.memory.clone()
    }

    fn end(&self, _: &Task) -> Result<Arc<End>, NotServed> {
        Ok(Arc::clone(&self.end))
    }
}

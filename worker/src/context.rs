//! What every slot of a worker shares.

use std::sync::Arc;

use mirror_queue::TaskQueue;

use crate::activity::Activity;
use crate::extract::InfoLimits;
use crate::mirrors::Mirrors;
use crate::source::Sources;
use crate::spool::Spool;

/// Everything a task needs to be done. One for all slots.
#[derive(Debug)]
pub struct Context {
    /// Where tasks come from.
    pub queue: Arc<dyn TaskQueue>,
    /// Where packages go and what is remembered of them.
    pub mirrors: Arc<dyn Mirrors>,
    /// Where packages come from.
    pub sources: Arc<Sources>,
    /// Room for files in transit.
    pub spool: Spool,
    /// Bounds on what a package may unpack to.
    pub limits: InfoLimits,
    /// What is going on, for display.
    pub activity: Arc<Activity>,
    /// Tries of a build within one plan.
    pub attempts: u32,
    /// This worker's name in claims.
    pub name: String,
}

//! What a worker says of itself: to orchestrators over HTTP, to `conda-oci status` by way of Redis.

use std::sync::Mutex;

use mirror_runtime::metrics::metrics;

/// How a worker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It takes tasks.
    Working,
    /// It takes none, and why.
    Waiting(String),
    /// It was asked to stop.
    Stopping,
}

/// The condition of the worker, shared by all who set or show it.
#[derive(Debug)]
pub(crate) struct Health {
    condition: Mutex<Condition>,
}

impl Health {
    pub(crate) fn new() -> Self {
        metrics().ready(false);
        Self {
            condition: Mutex::new(Condition::Waiting("starting".to_owned())),
        }
    }

    pub(crate) fn set(&self, condition: Condition) {
        metrics().ready(condition == Condition::Working);
        *self.condition.lock().expect("no panic under this lock") = condition;
    }

    pub(crate) fn condition(&self) -> Condition {
        let condition = self.condition.lock().expect("no panic under this lock");
        condition.clone()
    }

    /// Why it takes no tasks, if it takes none.
    pub(crate) fn ready(&self) -> Result<(), String> {
        match self.condition() {
            Condition::Working => Ok(()),
            Condition::Waiting(why) => Err(why),
            Condition::Stopping => Err("stopping".to_owned()),
        }
    }
}

//! What a worker says of itself: to orchestrators over HTTP, to `conda-oci status` by way of Redis.

use std::sync::{Arc, Mutex, OnceLock, Weak};

use mirror_ledger::RedisConnection;
use mirror_queue::RabbitQueue;
use mirror_runtime::metrics::metrics;
use mirror_worker::Activity;

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
    activity: Arc<Activity>,
    /// As soon as there are connections.
    redis: OnceLock<RedisConnection>,
    queue: Mutex<Weak<RabbitQueue>>,
}

impl Health {
    pub(crate) fn new(activity: Arc<Activity>) -> Self {
        metrics().ready(false);
        Self {
            condition: Mutex::new(Condition::Waiting("starting".to_owned())),
            activity,
            redis: OnceLock::new(),
            queue: Mutex::default(),
        }
    }

    pub(crate) fn set(&self, condition: Condition) {
        *self.condition.lock().expect("no panic under this lock") = condition;
        metrics().ready(self.condition() == Condition::Working);
    }

    /// Looks at this connection from now on.
    pub(crate) fn has_redis(&self, redis: &RedisConnection) {
        // There is one in the life of a worker.
        let _ = self.redis.set(redis.clone());
    }

    /// Looks at this queue from now on.
    pub(crate) fn has_queue(&self, queue: &Arc<RabbitQueue>) {
        *self.queue.lock().expect("no panic under this lock") = Arc::downgrade(queue);
    }

    /// How the worker is now. One that would work and is cut off from broker or Redis, or rests, takes no tasks.
    fn condition(&self) -> Condition {
        let set = {
            let condition = self.condition.lock().expect("no panic under this lock");
            condition.clone()
        };
        match self.in_the_way().filter(|_| set == Condition::Working) {
            Some(why) => Condition::Waiting(why),
            None => set,
        }
    }

    fn in_the_way(&self) -> Option<String> {
        let queue = self.queue.lock().expect("no panic under this lock");
        if queue.upgrade().is_some_and(|queue| !queue.is_connected()) {
            return Some("no connection to the broker".to_owned());
        }
        drop(queue);
        if self.redis.get().is_some_and(|redis| !redis.is_connected()) {
            return Some("no connection to Redis".to_owned());
        }
        self.activity.resting()
    }

    /// Why it takes no tasks, if it takes none.
    pub(crate) fn ready(&self) -> Result<(), String> {
        let condition = self.condition();
        metrics().ready(condition == Condition::Working);
        match condition {
            Condition::Working => Ok(()),
            Condition::Waiting(why) => Err(why),
            Condition::Stopping => Err("stopping".to_owned()),
        }
    }
}

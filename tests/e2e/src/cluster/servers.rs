//! The broker and the Redis of one cluster.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use mirror_kit::process::{Run, worker_binary};
use mirror_kit::servers::{RabbitMq, RedisServer};
use tokio::time::Instant;

use super::broker::{Depths, Queues};

/// How long leftovers may take: the longest pause of a task that meets a claim, and the claim itself.
const DRAIN: Duration = Duration::from_secs(120);

/// Between two looks at the broker.
const POLL: Duration = Duration::from_millis(50);

enum Who {
    Shared,
    Own(Box<(RabbitMq, RedisServer)>),
}

/// Where coordinator and workers meet.
pub struct Servers {
    /// The broker's address as processes are given it; a [`Door`](mirror_kit::servers::Door)'s may be put here.
    pub queue: String,
    /// The same of Redis.
    pub state: String,
    /// The queue's name, of this cluster alone.
    pub queue_name: String,
    /// The broker's own address.
    broker: String,
    who: Who,
}

impl Servers {
    /// Those that all tests of this process share, with a queue that nobody else uses. In Redis the port of the registry
    /// keeps mirrors apart.
    ///
    /// # Panics
    /// If one does not come up.
    pub async fn shared() -> Self {
        let broker = RabbitMq::shared().await.expect("a broker");
        let redis = RedisServer::shared().await.expect("a Redis");
        Self::at(broker.url(), redis.url(), Who::Shared)
    }

    /// Servers that may be stopped.
    #[must_use]
    pub fn own(broker: RabbitMq, redis: RedisServer) -> Self {
        let (queue, state) = (broker.url(), redis.url());
        Self::at(queue, state, Who::Own(Box::new((broker, redis))))
    }

    fn at(queue: String, state: String, who: Who) -> Self {
        Self {
            broker: queue.clone(),
            queue,
            state,
            queue_name: format!("test-{:016x}", RandomState::new().hash_one(0)),
            who,
        }
    }

    /// The broker of a cluster that has its own.
    ///
    /// # Panics
    /// If it is shared.
    pub fn broker(&mut self) -> &mut RabbitMq {
        match &mut self.who {
            Who::Own(own) => &mut own.0,
            Who::Shared => panic!("the shared broker is not to be stopped"),
        }
    }

    /// The Redis of a cluster that has its own.
    ///
    /// # Panics
    /// If it is shared.
    pub fn redis(&mut self) -> &mut RedisServer {
        match &mut self.who {
            Who::Own(own) => &mut own.1,
            Who::Shared => panic!("the shared Redis is not to be stopped"),
        }
    }

    /// The options by which coordinators and workers find each other.
    #[must_use]
    pub fn options(&self) -> [&str; 6] {
        [
            "--queue",
            &self.queue,
            "--queue-name",
            &self.queue_name,
            "--state",
            &self.state,
        ]
    }

    /// A worker in a home of its own.
    #[must_use]
    pub fn worker(&self) -> Run {
        let run = Run::new().program(worker_binary());
        let spool = run.home().path().join("spool");
        run.args(self.options()).arg("--spool").arg(spool)
    }

    /// What the broker has that no worker has.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn depths(&self) -> Depths {
        self.queues()
            .await
            .depths()
            .await
            .expect("the broker answers")
    }

    async fn queues(&self) -> Queues {
        let queues = Queues::at(&self.broker, &self.queue_name).await;
        queues.expect("the broker answers")
    }

    /// Waits until what the broker has that no worker has is such.
    ///
    /// # Panics
    /// If it is not within two minutes.
    pub async fn until(&self, what: &str, such: impl Fn(Depths) -> bool) {
        let queues = self.queues().await;
        let started = Instant::now();
        loop {
            let depths = queues.depths().await.expect("the broker answers");
            if such(depths) {
                return;
            }
            assert!(started.elapsed() < DRAIN, "waited for {what}: {depths:?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Puts each task into the queue once more that no worker has. How many there were.
    ///
    /// # Panics
    /// If the broker does not answer.
    pub async fn double(&self) -> usize {
        let doubled = self.queues().await.double().await;
        doubled.expect("the broker answers")
    }

    /// Has workers take what is left, one after another: what one of them had and did not settle when it was asked to stop
    /// is back in the queue. When this returns main and delay queues are empty, and no worker of before has anything either:
    /// call it when all others have ended.
    ///
    /// # Panics
    /// If anything stays.
    pub async fn assert_drained(&self) {
        let empty = |depths: Depths| depths.ready + depths.delayed == 0;
        let started = Instant::now();
        loop {
            let worker = self.worker().spawn();
            self.until("the queue to be empty", empty).await;
            worker.term();
            worker.wait().await.assert_code(0);
            let left = self.depths().await;
            if empty(left) {
                return;
            }
            assert!(started.elapsed() < DRAIN, "workers bring back {left:?}");
        }
    }
}

//! Queues for tests, and a second client that looks at the broker from outside.

use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use lapin::options::{
    BasicGetOptions, BasicPublishOptions, BasicRejectOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use mirror_kit::servers::RabbitMq;
use mirror_queue::rabbitmq::{Address, Options};
use mirror_queue::{Delivery, RabbitQueue, TaskQueue};
use mirror_runtime::Secret;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Options for queues that nobody else uses, at `url`.
pub(crate) fn options(url: &str) -> Options {
    let mut options = Options::new(Address::parse(&Secret::new(url)).unwrap());
    options.name = format!("test-{:016x}", RandomState::new().hash_one(0));
    options.prefetch = NonZeroU16::new(16).unwrap();
    options
}

/// Options for queues of their own at the broker that tests share.
pub(crate) async fn shared() -> Options {
    options(&RabbitMq::shared().await.unwrap().url())
}

/// An empty queue that nobody else uses.
pub(crate) async fn fresh() -> Arc<dyn TaskQueue> {
    Arc::new(RabbitQueue::connect(shared().await).await.unwrap())
}

pub(crate) async fn next(queue: &RabbitQueue) -> Delivery {
    in_time("a task", queue.receive()).await.unwrap()
}

pub(crate) async fn in_time<T>(what: &str, happens: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, happens).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}

/// Polls `look` until it gives `wanted`.
pub(crate) async fn becomes<T: PartialEq + std::fmt::Debug>(wanted: T, look: impl AsyncFn() -> T) {
    in_time(&format!("{wanted:?}"), async {
        while look().await != wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// A client that knows nothing of ours.
pub(crate) struct Witness {
    connection: Connection,
    channel: Channel,
}

impl Witness {
    pub(crate) async fn at(url: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default());
        let connection = connection.await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        Self {
            connection,
            channel,
        }
    }

    pub(crate) async fn of_shared() -> Self {
        Self::at(&RabbitMq::shared().await.unwrap().url()).await
    }

    /// Messages in `queue` that could be delivered; `None`: there is no such queue.
    pub(crate) async fn ready(&self, queue: &str) -> Option<u32> {
        let channel = self.connection.create_channel().await.unwrap();
        let passive = QueueDeclareOptions::durable().passive();
        let declared = channel.queue_declare(queue.into(), passive, FieldTable::default());
        declared.await.ok().map(|queue| queue.message_count())
    }

    pub(crate) async fn declare(&self, queue: &str) {
        let options = QueueDeclareOptions::durable();
        let declared = self
            .channel
            .queue_declare(queue.into(), options, FieldTable::default());
        declared.await.unwrap();
    }

    pub(crate) async fn delete(&self, queue: &str) {
        let deleted = self
            .channel
            .queue_delete(queue.into(), QueueDeleteOptions::default());
        deleted.await.unwrap();
    }

    pub(crate) async fn publish(&self, queue: &str, body: &[u8]) {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let sent = self
            .channel
            .basic_publish("".into(), queue.into(), options, body, properties);
        sent.await.unwrap();
    }

    /// Takes a message from `queue` and wants it put aside.
    pub(crate) async fn reject_one(&self, queue: &str) {
        let got = self
            .channel
            .basic_get(queue.into(), BasicGetOptions::default());
        let got = got.await.unwrap().expect("a message");
        got.reject(BasicRejectOptions { requeue: false })
            .await
            .unwrap();
    }
}

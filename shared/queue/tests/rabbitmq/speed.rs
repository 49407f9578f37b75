//! How fast tasks are published, beside a loop that does nothing else. Not a test: run it with
//! `cargo test --release -p mirror-queue --all-features --test rabbitmq -- --ignored --nocapture speed`.

use std::time::Instant;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use mirror_kit::servers::RabbitMq;
use mirror_queue::conformance::sample;
use mirror_queue::{RabbitQueue, TaskQueue as _};

use crate::support::options;

const TASKS: usize = 20_000;
const AT_ONCE: usize = 1000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn publishing_beside_a_bare_loop() {
    let broker = RabbitMq::launch().await.unwrap();
    for _ in 0..3 {
        let (ours, bare) = (ours(&broker).await, bare(&broker).await);
        println!(
            "ours {ours:.0}/s, bare {bare:.0}/s, ratio {:.2}",
            ours / bare
        );
    }
}

async fn ours(broker: &RabbitMq) -> f64 {
    let queue = RabbitQueue::connect(options(&broker.url())).await.unwrap();
    let start = Instant::now();
    let publishing = stream::iter(0..TASKS).map(|_| queue.publish(sample(1)));
    let mut published = publishing.buffer_unordered(AT_ONCE);
    while published.try_next().await.unwrap().is_some() {}
    rate(start)
}

/// Into an equal queue: one of ours, declared before.
async fn bare(broker: &RabbitMq) -> f64 {
    let options = options(&broker.url());
    let name = format!("{}.v1", options.name);
    let _declared = RabbitQueue::connect(options).await.unwrap();
    let url = broker.url();
    let connection = Connection::connect(&url, ConnectionProperties::default());
    let channel = connection.await.unwrap().create_channel().await.unwrap();
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await
        .unwrap();
    let body = sample(1).encode().unwrap();
    let start = Instant::now();
    let publishing = stream::iter(0..TASKS).map(|_| async {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let queue = name.as_str().into();
        let sent = channel.basic_publish("".into(), queue, options, &body, properties);
        sent.await?.await
    });
    let mut published = publishing.buffer_unordered(AT_ONCE);
    while published.try_next().await.unwrap().is_some() {}
    rate(start)
}

fn rate(start: Instant) -> f64 {
    TASKS as f64 / start.elapsed().as_secs_f64()
}

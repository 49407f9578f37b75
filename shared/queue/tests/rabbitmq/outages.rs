//! Brokers that stop, come back, lose what they had, or run out of memory.

use std::io::Write;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use mirror_kit::servers::{Door, RabbitMq};
use mirror_queue::conformance::sample;
use mirror_queue::rabbitmq::Address;
use mirror_queue::{QueueError, RabbitQueue, TaskQueue};
use mirror_runtime::{Disposed as _, Disposition, Secret};

use crate::support::{becomes, in_time, next, options};

/// What this process logs, without what the client library says; users do not see that either.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The lines about `broker`, from the first call in this process on. A log of each test's own would miss lines that
/// a thread without one writes first.
fn lines_about(broker: &RabbitMq) -> Vec<String> {
    // Fails for all calls but the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter("info,lapin=off")
        .with_ansi(false)
        .with_writer(|| Log)
        .try_init();
    let text = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    let addr = broker.addr().to_string();
    let about = text.lines().filter(|line| line.contains(&addr));
    about.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_restart_in_between_is_waited_out_with_one_line_when_lost_and_one_when_back() {
    let mut broker = RabbitMq::launch().await.unwrap();
    assert_eq!(lines_about(&broker), [""; 0]);
    let queue = Arc::new(RabbitQueue::connect(options(&broker.url())).await.unwrap());
    queue.publish(sample(1)).await.unwrap();
    let held = next(&queue).await;
    assert!(queue.is_connected());
    queue.ping().await.unwrap();

    broker.stop();
    let publishing = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { join_all((2..=20).map(|number| queue.publish(sample(number)))).await }
    });
    becomes(false, async || queue.is_connected()).await;
    queue.ping().await.unwrap_err();
    let lost = held.ack().await.unwrap_err();
    assert!(matches!(lost, QueueError::Lost { .. }), "{lost}");
    assert_eq!(lost.disposition(), Disposition::Retry);
    broker.start().await.unwrap();

    for published in in_time("the broker", publishing).await.unwrap() {
        published.unwrap();
    }
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 20 {
        let delivery = next(&queue).await;
        seen.insert(delivery.task.stem());
        assert!(delivery.redelivered || delivery.task != sample(1));
        delivery.ack().await.unwrap();
    }
    becomes(true, async || queue.is_connected()).await;
    // It is said when both connections were looked at.
    becomes(2, async || lines_about(&broker).len()).await;
    let lines = lines_about(&broker);
    assert!(
        lines[0].contains("no connection to the broker"),
        "{lines:#?}"
    );
    assert!(lines[1].contains("the broker is back"), "{lines:#?}");
}

#[tokio::test]
async fn a_broker_that_lost_its_data_gets_its_queues_anew() {
    let mut broker = RabbitMq::launch().await.unwrap();
    let queue = Arc::new(RabbitQueue::connect(options(&broker.url())).await.unwrap());
    queue.publish(sample(1)).await.unwrap();
    next(&queue).await.ack().await.unwrap();
    let waiting = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { next(&queue).await.task }
    });
    broker.start_empty().await.unwrap();
    queue.publish(sample(2)).await.unwrap();
    assert_eq!(waiting.await.unwrap(), sample(2));
}

#[tokio::test]
async fn publishing_to_a_broker_that_stays_away_ends_with_patience_and_the_next_is_taken() {
    let mut broker = RabbitMq::launch().await.unwrap();
    let mut options = options(&broker.url());
    options.patience = Duration::from_secs(1);
    let queue = RabbitQueue::connect(options).await.unwrap();
    broker.stop();
    let error = queue.publish(sample(1)).await.unwrap_err();
    assert!(matches!(error, QueueError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains(&broker.addr().to_string()));
    broker.start().await.unwrap();
    becomes(true, async || queue.is_connected()).await;
    queue.publish(sample(2)).await.unwrap();
}

#[tokio::test]
async fn a_broker_out_of_memory_is_waited_for_and_still_hears_acknowledgements() {
    let broker = RabbitMq::launch().await.unwrap();
    assert_eq!(lines_about(&broker), [""; 0]);
    let mut options = options(&broker.url());
    // What ends with it must not be the wait for memory. Long enough for the broker to say so.
    let patience = Duration::from_secs(4);
    options.patience = patience;
    let queue = Arc::new(RabbitQueue::connect(options).await.unwrap());
    for number in 1..=2 {
        queue.publish(sample(number)).await.unwrap();
    }
    broker
        .control(&["set_vm_memory_high_watermark", "0.00001"])
        .unwrap();
    let publishing = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { queue.publish(sample(3)).await }
    });
    becomes(true, async || {
        lines_about(&broker)
            .iter()
            .any(|line| line.contains("takes no tasks"))
    })
    .await;
    for _ in 1..=2 {
        next(&queue).await.ack().await.unwrap();
    }
    becomes(0, async || queue.depth().await.unwrap().total()).await;
    tokio::time::sleep(patience + Duration::from_secs(1)).await;
    assert!(!publishing.is_finished(), "patience ended");
    broker
        .control(&["set_vm_memory_high_watermark", "0.8"])
        .unwrap();
    publishing.await.unwrap().unwrap();
    assert_eq!(next(&queue).await.task, sample(3));
}

#[tokio::test]
async fn what_is_settled_while_the_connection_breaks_is_settled_or_lost_and_nobody_waits_for_ever()
{
    let broker = RabbitMq::shared().await.unwrap();
    let mut behind = options(&broker.url());
    behind.prefetch = NonZeroU16::new(200).unwrap();
    let straight = RabbitQueue::connect(behind.clone()).await.unwrap();
    for round in 0..20 {
        let mut door = Door::open_before(broker.addr()).unwrap();
        let address = format!("amqp://guest:guest@{}/%2f", door.addr());
        behind.address = Address::parse(&Secret::new(address)).unwrap();
        let queue = RabbitQueue::connect(behind.clone()).await.unwrap();
        join_all((0..200).map(|number| straight.publish(sample(number)))).await;
        let mut held = Vec::new();
        while held.len() < 200 {
            held.push(next(&queue).await);
        }
        // In each round at other moments before, in and after the break.
        let settling = held.into_iter().enumerate().map(async |(number, held)| {
            for _ in 0..number * round / 4 {
                tokio::task::yield_now().await;
            }
            in_time("a settled delivery", held.ack()).await
        });
        let (settled, shut) = tokio::join!(join_all(settling), door.shut());
        shut.unwrap();
        for settled in settled {
            assert!(matches!(settled, Ok(()) | Err(QueueError::Lost { .. })));
        }
        in_time("the queue to close", queue.close()).await;
    }
}

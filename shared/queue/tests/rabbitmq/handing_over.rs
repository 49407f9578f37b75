//! A broker that loses patience with who does not acknowledge.

use std::time::Duration;

use mirror_kit::servers::{RabbitMq, RabbitMqOptions};
use mirror_queue::conformance::sample;
use mirror_queue::rabbitmq::Options;
use mirror_queue::{QueueError, RabbitQueue, TaskQueue as _};
use tokio::sync::OnceCell;

use crate::support::{next, options};

static IMPATIENT: OnceCell<RabbitMq> = OnceCell::const_new();

/// At a broker that waits two seconds for an acknowledgement.
async fn impatient() -> Options {
    let launch = async || {
        let impatient = RabbitMqOptions {
            consumer_timeout: Some(Duration::from_secs(2)),
            ..RabbitMqOptions::default()
        };
        RabbitMq::launch_with(&impatient).await
    };
    options(&IMPATIENT.get_or_try_init(launch).await.unwrap().url())
}

#[tokio::test]
async fn a_delivery_that_is_held_too_long_is_lost_and_comes_again_to_the_same_worker() {
    let queue = RabbitQueue::connect(impatient().await).await.unwrap();
    queue.publish(sample(1)).await.unwrap();
    let held = next(&queue).await;
    let again = next(&queue).await;
    assert!(again.redelivered);
    let lost = held.ack().await;
    assert!(matches!(lost, Err(QueueError::Lost { .. })), "{lost:?}");
    again.ack().await.unwrap();
    assert_eq!(queue.depth().await.unwrap().total(), 0);
}

#[tokio::test]
async fn a_delivery_handed_over_in_time_is_worked_on_for_as_long_as_it_takes() {
    let mut options = impatient().await;
    options.hand_over_after = Duration::from_millis(500);
    let queue = RabbitQueue::connect(options).await.unwrap();
    queue.publish(sample(1)).await.unwrap();
    let mut held = next(&queue).await;
    tokio::time::sleep_until(held.hand_over_due().unwrap()).await;
    let mut copy = held.task.clone();
    copy.probe = true;
    held.hand_over(copy.clone(), Duration::from_secs(5))
        .await
        .unwrap();
    assert_eq!(held.hand_over_due(), None);
    // The copy comes when the broker would long have lost patience, and over the same connection.
    let again = next(&queue).await;
    assert_eq!(again.task, copy);
    assert!(!again.redelivered);
    held.ack().await.unwrap();
    again.ack().await.unwrap();
    assert_eq!(queue.depth().await.unwrap().total(), 0);
}

#[tokio::test]
async fn a_delivery_that_was_handed_over_is_tried_again_by_its_copy_and_not_twice() {
    let queue = RabbitQueue::connect(impatient().await).await.unwrap();
    for (plan, copies) in [(sample(1).plan, 1), (sample(1).plan + 1, 2)] {
        queue.publish(sample(1)).await.unwrap();
        let mut held = next(&queue).await;
        let copy = held.task.clone();
        let mut again = copy.clone();
        again.plan = plan;
        let delay = Duration::from_secs(1);
        held.hand_over(copy, delay).await.unwrap();
        held.retry(again, delay).await.unwrap();
        for _ in 0..copies {
            next(&queue).await.ack().await.unwrap();
        }
        assert_eq!(queue.depth().await.unwrap().total(), 0, "plan {plan}");
    }
}

//! Settling deliveries, with the broker looked at from outside.

use std::time::Duration;

use mirror_queue::conformance::sample;
use mirror_queue::{RabbitQueue, TaskQueue as _};

use crate::support::{Witness, becomes, next, shared};

#[tokio::test]
async fn a_retry_waits_in_the_queue_of_the_nearest_delay() {
    let options = shared().await;
    let base = format!("{}.v1", options.name);
    let witness = Witness::of_shared().await;
    let queue = RabbitQueue::connect(options).await.unwrap();
    for (seconds, level) in [(6, "5s"), (25, "30s"), (36, "30s"), (3600, "300s")] {
        queue.publish(sample(1)).await.unwrap();
        let delivery = next(&queue).await;
        let delay = format!("{base}.delay-{level}");
        let before = witness.ready(&delay).await.unwrap();
        let task = delivery.task.clone();
        delivery
            .retry(task, Duration::from_secs(seconds))
            .await
            .unwrap();
        becomes(Some(before + 1), async || witness.ready(&delay).await).await;
    }
    assert_eq!(witness.ready(&base).await, Some(0));
}

#[tokio::test]
async fn a_retry_that_was_given_up_returns_the_task() {
    let queue = RabbitQueue::connect(shared().await).await.unwrap();
    queue.publish(sample(1)).await.unwrap();
    let delivery = next(&queue).await;
    let task = delivery.task.clone();
    let retry = delivery.retry(task, Duration::from_secs(300));
    tokio::select! {
        biased;
        retried = retry => panic!("confirmed at once: {retried:?}"),
        () = std::future::ready(()) => {}
    }
    let again = next(&queue).await;
    assert!(again.redelivered);
    again.ack().await.unwrap();
}

#[tokio::test]
async fn what_is_in_hand_when_its_worker_dies_is_delivered_to_another() {
    let options = shared().await;
    let dies = tokio::runtime::Runtime::new().unwrap();
    let mine = options.clone();
    let working = dies.spawn(async move {
        let queue = RabbitQueue::connect(mine).await.unwrap();
        queue.publish(sample(1)).await.unwrap();
        // No goodbye of any kind.
        std::mem::forget(next(&queue).await);
    });
    working.await.unwrap();
    let other = RabbitQueue::connect(options).await.unwrap();
    dies.shutdown_background();
    let again = next(&other).await;
    assert_eq!(again.task, sample(1));
    assert!(again.redelivered);
    again.ack().await.unwrap();
}

#[tokio::test]
async fn who_lets_go_leaves_to_others_all_that_it_did_not_receive() {
    let options = shared().await;
    let base = format!("{}.v1", options.name);
    let witness = Witness::of_shared().await;
    let one = RabbitQueue::connect(options.clone()).await.unwrap();
    for number in 0..10 {
        one.publish(sample(number)).await.unwrap();
    }
    let held = next(&one).await;
    // All the others were delivered to it too.
    becomes(Some(0), async || witness.ready(&base).await).await;
    one.let_go().await;
    becomes(Some(9), async || witness.ready(&base).await).await;
    let other = RabbitQueue::connect(options).await.unwrap();
    for _ in 0..8 {
        next(&other).await.ack().await.unwrap();
    }
    other.close().await;
    // What it has in hand is still its own, and it may receive again.
    held.ack().await.unwrap();
    next(&one).await.ack().await.unwrap();
    assert_eq!(one.depth().await.unwrap().total(), 0);
}

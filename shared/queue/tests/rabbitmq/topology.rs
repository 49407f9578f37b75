//! The queues at the broker.

use std::num::NonZeroU16;
use std::time::Duration;

use mirror_queue::conformance::sample;
use mirror_queue::{QueueError, RabbitQueue, TaskQueue as _};

use crate::support::{Witness, becomes, next, shared};

#[tokio::test]
async fn a_queue_that_was_declared_otherwise_is_named_with_the_difference() {
    let options = shared().await;
    let name = format!("{}.v1.delay-5s", options.name);
    Witness::of_shared().await.declare(&name).await;
    let error = RabbitQueue::connect(options).await.unwrap_err();
    let QueueError::Topology { queue, cause, .. } = &error else {
        panic!("refused for another reason: {error}");
    };
    assert_eq!(queue, &name);
    assert!(cause.contains("inequivalent arg 'x-"), "{cause}");
    assert!(error.to_string().contains("delete that queue"), "{error}");
}

#[tokio::test]
async fn a_queue_deleted_under_the_publisher_is_declared_anew_and_the_task_arrives() {
    let options = shared().await;
    let name = format!("{}.v1", options.name);
    let witness = Witness::of_shared().await;
    let queue = RabbitQueue::connect(options).await.unwrap();
    queue.publish(sample(1)).await.unwrap();
    witness.delete(&name).await;
    queue.publish(sample(2)).await.unwrap();
    assert_eq!(next(&queue).await.task, sample(2));
}

#[tokio::test]
async fn a_queue_deleted_under_the_receiver_is_declared_anew() {
    let options = shared().await;
    let name = format!("{}.v1", options.name);
    let queue = RabbitQueue::connect(options.clone()).await.unwrap();
    queue.publish(sample(1)).await.unwrap();
    let held = next(&queue).await;
    Witness::of_shared().await.delete(&name).await;
    let publisher = RabbitQueue::connect(options).await.unwrap();
    publisher.publish(sample(2)).await.unwrap();
    assert_eq!(next(&queue).await.task, sample(2));
    drop(held);
}

#[tokio::test]
async fn a_delay_queue_that_is_gone_is_declared_anew_by_who_counts() {
    let options = shared().await;
    let name = format!("{}.v1.delay-30s", options.name);
    let witness = Witness::of_shared().await;
    let queue = RabbitQueue::connect(options).await.unwrap();
    witness.delete(&name).await;
    assert_eq!(queue.depth().await.unwrap().total(), 0);
    assert_eq!(witness.ready(&name).await, Some(0));
}

#[tokio::test]
async fn mirrors_of_other_names_do_not_meet() {
    let (mine, other) = (shared().await, shared().await);
    let [mine, other] = [mine, other].map(RabbitQueue::connect);
    let (mine, other) = (mine.await.unwrap(), other.await.unwrap());
    mine.publish(sample(1)).await.unwrap();
    other.publish(sample(2)).await.unwrap();
    assert_eq!(next(&mine).await.task, sample(1));
    assert_eq!(next(&other).await.task, sample(2));
}

#[tokio::test]
async fn who_only_publishes_takes_no_task_and_who_receives_no_more_than_allowed() {
    let mut options = shared().await;
    options.prefetch = NonZeroU16::new(5).unwrap();
    let name = format!("{}.v1", options.name);
    let witness = Witness::of_shared().await;
    let queue = RabbitQueue::connect(options).await.unwrap();
    for number in 0..20 {
        queue.publish(sample(number)).await.unwrap();
    }
    let ready = async || witness.ready(&name).await;
    assert_eq!(ready().await, Some(20));
    let held = next(&queue).await;
    becomes(Some(15), ready).await;
    held.ack().await.unwrap();
    becomes(Some(14), ready).await;
    queue.close().await;
    becomes(Some(19), ready).await;
}

#[tokio::test]
async fn what_nobody_takes_goes_to_others() {
    let mut options = shared().await;
    options.hand_over_after = Duration::from_millis(100);
    let busy = RabbitQueue::connect(options.clone()).await.unwrap();
    for number in 1..=3 {
        busy.publish(sample(number)).await.unwrap();
    }
    let _held = next(&busy).await;
    let other = RabbitQueue::connect(options).await.unwrap();
    for _ in 0..2 {
        next(&other).await.ack().await.unwrap();
    }
}

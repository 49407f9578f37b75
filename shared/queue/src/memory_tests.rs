#![allow(clippy::unwrap_used)]

use super::*;
use crate::conformance::sample;
use futures::FutureExt;

mod conformance {
    use super::queue;

    crate::queue_conformance!(queue(1000));
}

fn queue(capacity: usize) -> Arc<dyn TaskQueue> {
    Arc::new(MemoryQueue::new(capacity.try_into().unwrap()))
}

async fn received(queue: &Arc<dyn TaskQueue>) -> Delivery {
    let delivery = queue.receive().now_or_never();
    delivery.expect("a task is ready").unwrap()
}

#[tokio::test]
async fn publishing_waits_for_room_and_goes_on_when_a_task_is_taken() {
    let queue = queue(2);
    queue.publish(sample(1)).await.unwrap();
    queue.publish(sample(2)).await.unwrap();
    let mut third = queue.publish(sample(3));
    assert!((&mut third).now_or_never().is_none());
    assert_eq!(queue.depth().await.unwrap().ready, 2);
    let _held = received(&queue).await;
    third.now_or_never().expect("there is room").unwrap();
    assert_eq!(queue.depth().await.unwrap().ready, 2);
}

#[tokio::test]
async fn a_publish_that_was_given_up_takes_no_room() {
    let queue = queue(1);
    queue.publish(sample(1)).await.unwrap();
    let mut given_up = queue.publish(sample(2));
    assert!((&mut given_up).now_or_never().is_none());
    drop(given_up);
    received(&queue).await.ack().await.unwrap();
    let third = queue.publish(sample(3)).now_or_never();
    third.expect("there is room").unwrap();
    assert_eq!(received(&queue).await.task, sample(3));
}

#[tokio::test(start_paused = true)]
async fn tasks_that_come_back_never_wait_for_room() {
    let queue = queue(1);
    let mut held = Vec::new();
    for number in 1..=3 {
        queue.publish(sample(number)).await.unwrap();
        held.push(received(&queue).await);
    }
    queue.publish(sample(4)).await.unwrap();
    let retried = held.remove(0);
    let task = retried.task.clone();
    let retry = retried.retry(task, Duration::from_secs(300)).now_or_never();
    retry.expect("no wait").unwrap();
    held.remove(0)
        .give_back()
        .now_or_never()
        .expect("no wait")
        .unwrap();
    drop(held);
    assert_eq!(queue.depth().await.unwrap().total(), 4);
    tokio::time::advance(Duration::from_secs(300)).await;
    assert_eq!(queue.depth().await.unwrap().ready, 4);
    for _ in 0..4 {
        received(&queue).await.ack().await.unwrap();
    }
    assert_eq!(queue.depth().await.unwrap(), Depth::default());
}

#[tokio::test(start_paused = true)]
async fn delayed_tasks_come_in_the_order_they_are_due() {
    let queue = queue(10);
    for (number, seconds) in [(1, 30), (2, 5), (3, 30), (4, 1)] {
        queue.publish(sample(number)).await.unwrap();
        let delivery = received(&queue).await;
        let task = delivery.task.clone();
        delivery
            .retry(task, Duration::from_secs(seconds))
            .await
            .unwrap();
    }
    let mut order = Vec::new();
    for _ in 0..4 {
        let delivery = queue.receive().await.unwrap();
        order.push(delivery.task.package.name.clone());
        delivery.ack().await.unwrap();
    }
    assert_eq!(order, ["pkg4", "pkg2", "pkg1", "pkg3"]);
}

#[tokio::test(start_paused = true)]
async fn every_waiting_receiver_learns_of_a_new_due_time() {
    let queue = queue(10);
    queue.publish(sample(1)).await.unwrap();
    let delivery = received(&queue).await;
    let mut leaves = queue.receive();
    let mut stays = queue.receive();
    assert!((&mut leaves).now_or_never().is_none());
    assert!((&mut stays).now_or_never().is_none());
    let task = delivery.task.clone();
    delivery.retry(task, Duration::from_secs(5)).await.unwrap();
    assert!((&mut leaves).now_or_never().is_none());
    drop(leaves);
    assert_eq!(stays.await.unwrap().task, sample(1));
}

#[tokio::test]
async fn a_wake_up_is_passed_on_when_its_receiver_is_gone() {
    let queue = queue(10);
    let mut leaves = queue.receive();
    let mut stays = queue.receive();
    assert!((&mut leaves).now_or_never().is_none());
    assert!((&mut stays).now_or_never().is_none());
    queue.publish(sample(1)).await.unwrap();
    drop(leaves);
    let delivery = (&mut stays).now_or_never().expect("the task is there");
    assert_eq!(delivery.unwrap().task, sample(1));
}

#[tokio::test]
async fn closing_wakes_a_publisher_that_waits_for_room() {
    let queue = queue(1);
    queue.publish(sample(1)).await.unwrap();
    let mut waiting = queue.publish(sample(2));
    assert!((&mut waiting).now_or_never().is_none());
    queue.close().await;
    assert_eq!(waiting.await, Err(QueueError::Closed));
}

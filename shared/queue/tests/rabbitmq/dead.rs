//! What nobody can work on.

use mirror_queue::conformance::sample;
use mirror_queue::{Depth, RabbitQueue, TaskQueue as _};

use crate::support::{Witness, becomes, next, shared};

#[tokio::test]
async fn a_message_that_is_no_task_lies_with_the_dead_with_the_reason_and_blocks_nobody() {
    let options = shared().await;
    let (main, dead) = (
        format!("{}.v1", options.name),
        format!("{}.v1.dead", options.name),
    );
    let witness = Witness::of_shared().await;
    let queue = RabbitQueue::connect(options).await.unwrap();
    witness
        .publish(&main, b"{\"version\": 9, \"x\": \"\n\"}")
        .await;
    witness.publish(&main, b"{\"version\": 9}").await;
    queue.publish(sample(1)).await.unwrap();
    next(&queue).await.ack().await.unwrap();
    becomes(Some(2), async || witness.ready(&dead).await).await;
    let only_the_dead = Depth {
        dead: 2,
        ..Depth::default()
    };
    becomes(only_the_dead, async || queue.depth().await.unwrap()).await;

    let mut letters = queue.dead_letters().await.unwrap();
    let first = letters.next().await.unwrap().unwrap();
    assert_eq!(first.task, None);
    assert!(first.reason.contains("cannot be read"), "{}", first.reason);
    assert!(
        first.start.starts_with("{\\\"version\\\": 9"),
        "{}",
        first.start
    );
    first.ack().await.unwrap();
    let second = letters.next().await.unwrap().unwrap();
    assert!(second.reason.contains("version 9"), "{}", second.reason);
    drop((second, letters));
    becomes(Some(1), async || witness.ready(&dead).await).await;
    let mut letters = queue.dead_letters().await.unwrap();
    letters.next().await.unwrap().unwrap().ack().await.unwrap();
    assert!(letters.next().await.unwrap().is_none());
    becomes(Some(0), async || witness.ready(&dead).await).await;
}

#[tokio::test]
async fn a_task_that_the_broker_puts_aside_lies_with_the_dead_as_it_was() {
    let options = shared().await;
    let (main, dead) = (
        format!("{}.v1", options.name),
        format!("{}.v1.dead", options.name),
    );
    let witness = Witness::of_shared().await;
    let queue = RabbitQueue::connect(options).await.unwrap();
    queue.publish(sample(1)).await.unwrap();
    // As it does with what reaches the limit of deliveries.
    witness.reject_one(&main).await;
    becomes(Some(1), async || witness.ready(&dead).await).await;
    let mut letters = queue.dead_letters().await.unwrap();
    let letter = letters.next().await.unwrap().unwrap();
    assert_eq!(letter.task, Some(sample(1)));
    assert_eq!(letter.reason, "the broker says: rejected");
    letter.ack().await.unwrap();
}

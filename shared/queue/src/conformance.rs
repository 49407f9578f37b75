//! The suite that every driver of [`TaskQueue`] passes: one function a promise, each given a queue
//! that is empty and that nobody else uses. [`queue_conformance!`](crate::queue_conformance) makes
//! a test of each.
#![allow(clippy::unwrap_used)] // a suite of tests: a failed expectation is a failed test

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::error::QueueError;
use crate::queue::{Delivery, Depth, TaskQueue};
use crate::task::{Action, BuildName, Task, TaskFile};

/// How long a promise may take to come true before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// The shortest delay that every driver can keep.
const DELAY: Duration = crate::backoff::LEVELS[0];

/// A test for each promise; `$queue` is an expression for an empty `Arc<dyn TaskQueue>` and may
/// await. Used inside a test module of the driver.
#[macro_export]
macro_rules! queue_conformance {
    ($queue:expr) => {
        $crate::queue_conformance! { $queue;
            a_published_task_arrives_as_it_was_published,
            an_acknowledged_task_never_comes_back,
            a_delivery_dropped_unsettled_comes_back_marked,
            a_task_given_back_comes_back_unchanged_and_marked,
            a_retried_task_comes_back_changed_after_its_delay,
            a_waiting_receiver_gets_a_delayed_task,
            a_delivery_handed_over_is_settled_as_any_other,
            a_delivery_handed_over_and_dropped_comes_back,
            a_cancelled_receive_loses_no_task,
            each_task_goes_to_exactly_one_of_many_receivers,
            closing_wakes_the_waiting_and_refuses_the_next,
            a_delivery_can_be_settled_after_the_close,
            what_was_let_go_of_is_received_again,
        }
    };
    ($queue:expr; $($promise:ident,)*) => {
        $(#[tokio::test]
        async fn $promise() {
            $crate::conformance::$promise($queue).await;
        })*
    };
}

/// A task that differs from others by `number`.
#[must_use]
pub fn sample(number: u8) -> Task {
    let package = BuildName {
        name: format!("pkg{number}"),
        version: "1.0".to_owned(),
        build: "h_0".to_owned(),
    };
    let file = |ext: &str, action| TaskFile {
        file: format!("pkg{number}-1.0-h_0.{ext}"),
        action,
        sha256: Some([number; 32]),
        md5: None,
        size: Some(1000 + u64::from(number)),
        known_sha256: None,
    };
    Task {
        registry: "registry.test/ns".to_owned(),
        channel: "chan/label/dev".to_owned(),
        subdir: "linux-64".to_owned(),
        package,
        plan: 1_790_000_000_000,
        probe: false,
        attempt: 1,
        passed_on: 0,
        overtaken: None,
        allow_unverified: false,
        renew: false,
        annotations: std::collections::BTreeMap::new(),
        source: "https://source.test/chan/linux-64/"
            .parse()
            .expect("a URL written here"),
        files: vec![
            file("conda", Action::Transfer),
            file("tar.bz2", Action::Keep),
        ],
    }
}

/// What arrives is what was published, and is not marked as delivered before.
pub async fn a_published_task_arrives_as_it_was_published(queue: Arc<dyn TaskQueue>) {
    queue.publish(sample(1)).await.unwrap();
    let delivery = next(&queue).await;
    assert_eq!(delivery.task, sample(1));
    assert!(!delivery.redelivered);
    becomes(&queue, counts(0, 0, 1)).await;
    delivery.ack().await.unwrap();
}

/// After the acknowledgement nothing of the task is left.
pub async fn an_acknowledged_task_never_comes_back(queue: Arc<dyn TaskQueue>) {
    queue.publish(sample(1)).await.unwrap();
    next(&queue).await.ack().await.unwrap();
    becomes(&queue, counts(0, 0, 0)).await;
    queue.publish(sample(2)).await.unwrap();
    assert_eq!(next(&queue).await.task, sample(2));
}

/// A worker that dies loses no task.
pub async fn a_delivery_dropped_unsettled_comes_back_marked(queue: Arc<dyn TaskQueue>) {
    queue.publish(sample(1)).await.unwrap();
    drop(next(&queue).await);
    let again = next(&queue).await;
    assert_eq!(again.task, sample(1));
    assert!(again.redelivered);
    again.ack().await.unwrap();
    becomes(&queue, counts(0, 0, 0)).await;
}

/// Giving back counts no attempt.
pub async fn a_task_given_back_comes_back_unchanged_and_marked(queue: Arc<dyn TaskQueue>) {
    queue.publish(sample(1)).await.unwrap();
    next(&queue).await.give_back().await.unwrap();
    becomes(&queue, counts(1, 0, 0)).await;
    let again = next(&queue).await;
    assert_eq!(again.task, sample(1));
    assert!(again.redelivered);
    again.ack().await.unwrap();
}

/// The copy replaces the delivery, no sooner than asked.
pub async fn a_retried_task_comes_back_changed_after_its_delay(queue: Arc<dyn TaskQueue>) {
    queue.publish(sample(1)).await.unwrap();
    let delivery = next(&queue).await;
    let mut changed = delivery.task.clone();
    (changed.attempt, changed.probe) = (2, true);
    let start = tokio::time::Instant::now();
    delivery.retry(changed.clone(), DELAY).await.unwrap();
    becomes(&queue, counts(0, 1, 0)).await;
    becomes(&queue, counts(1, 0, 0)).await;
    let again = next(&queue).await;
    assert!(start.elapsed() >= DELAY, "after {:?}", start.elapsed());
    assert_eq!(again.task, changed);
    assert!(!again.redelivered);
    again.ack().await.unwrap();
    becomes(&queue, counts(0, 0, 0)).await;
}

/// Those who already wait when a task is delayed are woken when it is due.
pub async fn a_waiting_receiver_gets_a_delayed_task(queue: Arc<dyn TaskQueue>) {
    queue.publish(sample(1)).await.unwrap();
    let delivery = next(&queue).await;
    let waiting = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { next(&queue).await }
    });
    tokio::task::yield_now().await;
    let task = delivery.task.clone();
    delivery.retry(task, DELAY).await.unwrap();
    waiting.await.unwrap().ack().await.unwrap();
}

/// Whether the queue has a copy by then is the queue's affair.
pub async fn a_delivery_handed_over_is_settled_as_any_other(queue: Arc<dyn TaskQueue>) {
    for number in 1..=3 {
        queue.publish(sample(number)).await.unwrap();
        let mut delivery = next(&queue).await;
        let task = delivery.task.clone();
        delivery.hand_over(task.clone(), DELAY).await.unwrap();
        match number {
            1 => delivery.ack().await.unwrap(),
            2 => delivery.give_back().await.unwrap(),
            _ => delivery.retry(task, DELAY).await.unwrap(),
        }
        let settling = async {
            while queue.depth().await.unwrap().total() > 0 {
                let next = tokio::time::timeout(DELAY, queue.receive()).await;
                if let Ok(delivery) = next {
                    let delivery = delivery.unwrap();
                    assert_eq!(delivery.task, sample(number));
                    delivery.ack().await.unwrap();
                }
            }
        };
        in_time("the copies to be settled", settling).await;
    }
}

/// A worker that dies later loses no task either.
pub async fn a_delivery_handed_over_and_dropped_comes_back(queue: Arc<dyn TaskQueue>) {
    queue.publish(sample(1)).await.unwrap();
    let mut delivery = next(&queue).await;
    let task = delivery.task.clone();
    delivery.hand_over(task, DELAY).await.unwrap();
    drop(delivery);
    let again = next(&queue).await;
    assert_eq!(again.task, sample(1));
    again.ack().await.unwrap();
    becomes(&queue, counts(0, 0, 0)).await;
}

/// A receive may be dropped at any moment, also while a task arrives.
pub async fn a_cancelled_receive_loses_no_task(queue: Arc<dyn TaskQueue>) {
    for number in 0..20 {
        let receiving = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move {
                let mut receive = queue.receive();
                for _ in 0..number {
                    tokio::select! {
                        biased;
                        received = &mut receive => return Some(received.unwrap()),
                        () = tokio::task::yield_now() => {}
                    }
                }
                None
            }
        });
        queue.publish(sample(number)).await.unwrap();
        let delivery = match receiving.await.unwrap() {
            Some(delivery) => delivery,
            None => next(&queue).await,
        };
        assert_eq!(delivery.task, sample(number));
        delivery.ack().await.unwrap();
    }
    becomes(&queue, counts(0, 0, 0)).await;
}

/// Receivers share the work.
pub async fn each_task_goes_to_exactly_one_of_many_receivers(queue: Arc<dyn TaskQueue>) {
    const TASKS: u8 = 200;
    let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let mut receivers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (queue, sender) = (Arc::clone(&queue), sender.clone());
        receivers.spawn(async move {
            while let Ok(delivery) = queue.receive().await {
                sender.send(delivery.task.stem()).unwrap();
                delivery.ack().await.unwrap();
            }
        });
    }
    for number in 0..TASKS {
        queue.publish(sample(number)).await.unwrap();
    }
    let mut stems = HashSet::new();
    while stems.len() < usize::from(TASKS) {
        let stem = in_time("every task to be received", seen.recv()).await;
        let stem = stem.unwrap();
        assert!(stems.insert(stem.clone()), "{stem} came twice");
    }
    becomes(&queue, counts(0, 0, 0)).await;
    queue.close().await;
    in_time("the receivers to end", receivers.join_all()).await;
    assert!(seen.try_recv().is_err(), "a task came twice");
}

/// Nobody waits for ever on a queue that is closed.
pub async fn closing_wakes_the_waiting_and_refuses_the_next(queue: Arc<dyn TaskQueue>) {
    let waiting = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { queue.receive().await.map(|delivery| delivery.task) }
    });
    tokio::task::yield_now().await;
    queue.close().await;
    let woken = in_time("the receiver to be woken", waiting).await;
    assert_eq!(woken.unwrap(), Err(QueueError::Closed));
    assert_eq!(queue.publish(sample(1)).await, Err(QueueError::Closed));
    assert_eq!(queue.receive().await.err(), Some(QueueError::Closed));
}

/// Shutdown closes first and settles then.
pub async fn a_delivery_can_be_settled_after_the_close(queue: Arc<dyn TaskQueue>) {
    for number in 1..=3 {
        queue.publish(sample(number)).await.unwrap();
    }
    let deliveries = [next(&queue).await, next(&queue).await, next(&queue).await];
    queue.close().await;
    let [first, second, third] = deliveries;
    first.ack().await.unwrap();
    second.give_back().await.unwrap();
    let task = third.task.clone();
    third.retry(task, DELAY).await.unwrap();
}

/// What is in hand stays so, and the rest is there for whoever receives next.
pub async fn what_was_let_go_of_is_received_again(queue: Arc<dyn TaskQueue>) {
    queue.let_go().await;
    for number in 1..=3 {
        queue.publish(sample(number)).await.unwrap();
    }
    let first = next(&queue).await;
    queue.let_go().await;
    becomes(&queue, counts(2, 0, 1)).await;
    let mut left = vec![next(&queue).await, next(&queue).await];
    left.push(first);
    left.sort_by_key(|delivery| delivery.task.stem());
    for (delivery, number) in left.into_iter().zip(1..) {
        assert_eq!(delivery.task, sample(number));
        delivery.ack().await.unwrap();
    }
    becomes(&queue, counts(0, 0, 0)).await;
}

async fn next(queue: &Arc<dyn TaskQueue>) -> Delivery {
    in_time("a task", queue.receive()).await.unwrap()
}

fn counts(ready: u64, delayed: u64, unacknowledged: u64) -> Depth {
    Depth {
        ready,
        delayed,
        unacknowledged,
        dead: 0,
    }
}

async fn becomes(queue: &Arc<dyn TaskQueue>, wanted: Depth) {
    let mut last = Depth::default();
    let watch = async {
        loop {
            last = queue.depth().await.unwrap();
            if last == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let came = tokio::time::timeout(PATIENCE, watch).await.is_ok();
    assert!(came, "the depth stays {last:?}, not {wanted:?}");
}

async fn in_time<T>(what: &str, happens: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, happens).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}

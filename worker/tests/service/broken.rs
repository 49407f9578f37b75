//! A queue whose connection breaks, or that wants long work handed over, as brokers do.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mirror_kit::fake_registry::Kind::UploadPut;
use mirror_kit::fake_registry::{FakeRegistry, When};
use mirror_kit::package::PackageSpec;
use mirror_queue::{Delivery, Depth, MemoryQueue, QueueError, Settle, Task, TaskQueue};
use tokio::time::Instant;

use crate::bench::{Bench, PLAN};

/// A broker as workers see it, over a queue that breaks nothing.
pub(crate) struct Broker {
    queue: Arc<MemoryQueue>,
    state: Arc<State>,
}

#[derive(Default)]
pub(crate) struct State {
    /// Settlings that the queue will not hear of.
    to_lose: AtomicUsize,
    /// Whether deliveries are to be handed over at once.
    hurries: bool,
    handed_over: Mutex<Vec<Task>>,
    /// How often a worker let go of what it did not want.
    pub(crate) let_go: AtomicUsize,
    /// Whether it does not hear how deliveries are settled, nor says that it does not.
    is_silent: bool,
}

impl State {
    pub(crate) fn silent() -> Self {
        Self {
            is_silent: true,
            ..Self::default()
        }
    }
}

struct Settling {
    delivery: Delivery,
    queue: Arc<MemoryQueue>,
    state: Arc<State>,
    handed_over: bool,
}

impl Broker {
    pub(crate) fn before(bench: &mut Bench, state: State) -> Arc<State> {
        let state = Arc::new(state);
        bench.through = Some(Arc::new(Self {
            queue: Arc::clone(&bench.queue),
            state: Arc::clone(&state),
        }));
        state
    }
}

impl Settling {
    /// Whether the connection breaks now; the delivery then goes back as it does.
    fn breaks(&self) -> Result<(), QueueError> {
        let lose = |left: usize| left.checked_sub(1);
        match self
            .state
            .to_lose
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, lose)
        {
            Ok(_) => Err(QueueError::Lost {
                broker: "amqp://test".to_owned(),
            }),
            Err(_) => Ok(()),
        }
    }
}

#[async_trait]
impl Settle for Settling {
    async fn ack(self: Box<Self>) -> Result<(), QueueError> {
        if self.state.is_silent {
            std::future::pending::<()>().await;
        }
        self.breaks()?;
        self.delivery.ack().await
    }

    async fn give_back(self: Box<Self>) -> Result<(), QueueError> {
        self.breaks()?;
        self.delivery.give_back().await
    }

    async fn retry(self: Box<Self>, task: Task, delay: Duration) -> Result<(), QueueError> {
        self.breaks()?;
        self.delivery.retry(task, delay).await
    }

    fn hand_over_due(&self) -> Option<Instant> {
        (self.state.hurries && !self.handed_over).then(Instant::now)
    }

    async fn hand_over(&mut self, copy: Task, _delay: Duration) -> Result<(), QueueError> {
        self.handed_over = true;
        self.state.handed_over.lock().unwrap().push(copy.clone());
        self.queue.publish(copy).await
    }
}

#[async_trait]
impl TaskQueue for Broker {
    fn system(&self) -> &'static str {
        self.queue.system()
    }

    async fn publish(&self, task: Task) -> Result<(), QueueError> {
        self.queue.publish(task).await
    }

    async fn receive(&self) -> Result<Delivery, QueueError> {
        let delivery = self.queue.receive().await?;
        let (task, redelivered) = (delivery.task.clone(), delivery.redelivered);
        let trace = delivery.trace.clone();
        let settling = Settling {
            delivery,
            queue: Arc::clone(&self.queue),
            state: Arc::clone(&self.state),
            handed_over: false,
        };
        Ok(Delivery::new(task, redelivered, trace, Box::new(settling)))
    }

    async fn let_go(&self) {
        self.state.let_go.fetch_add(1, Ordering::SeqCst);
    }

    async fn depth(&self) -> Result<Depth, QueueError> {
        self.queue.depth().await
    }

    async fn close(&self) {
        self.queue.close().await;
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").finish_non_exhaustive()
    }
}

fn losing(count: usize) -> State {
    State {
        to_lose: AtomicUsize::new(count),
        ..State::default()
    }
}

#[tokio::test]
async fn an_acknowledgement_that_was_lost_stops_no_worker_and_repeats_no_work() {
    let mut bench = Bench::with_folder();
    let state = Broker::before(&mut bench, losing(2));
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    let other = bench.make(&PackageSpec::new("other", "1", "0"));
    bench.publish(PLAN, &[&zlib]).await;
    bench.publish(PLAN, &[&other]).await;
    bench.work_off(8).await;
    assert_eq!(state.to_lose.load(Ordering::SeqCst), 0);
    assert!(bench.is_done(&zlib).await && bench.is_done(&other).await);
    assert_eq!(bench.activity.downloaded(), zlib.size + other.size);
}

#[tokio::test]
async fn a_delay_that_was_lost_stops_no_worker() {
    let mut bench = Bench::with_folder();
    let state = Broker::before(&mut bench, losing(1));
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    let task = bench.publish(PLAN, &[&zlib]).await;
    bench.claim(&task, PLAN, Duration::from_secs(3600)).await;
    let delayed = bench.work_until(8, |depth| depth.delayed == 1).await;
    delayed.unwrap();
    assert_eq!(state.to_lose.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_task_that_takes_long_is_handed_over_while_the_work_on_it_goes_on() {
    let fake = FakeRegistry::start();
    let mut bench = Bench::with_registry(&fake);
    let hurries = State {
        hurries: true,
        ..State::default()
    };
    let state = Broker::before(&mut bench, hurries);
    let zlib = bench.make(&PackageSpec::new("zlib", "1.3.1", "h0_1"));
    let mut wanted = bench.publish(PLAN, &[&zlib]).await;
    wanted.probe = true;
    let put = fake.hold(When::kind(UploadPut).nth(1));
    let running = bench.start(8, Duration::from_secs(60));
    put.held().await;
    // Its copy waits for another worker, which meets the claim.
    let met = bench.work_until(8, |depth| depth.delayed == 1).await;
    met.unwrap();
    assert_eq!(*state.handed_over.lock().unwrap(), [wanted]);
    put.release();
    running.stop().await.unwrap();
    assert!(bench.is_done(&zlib).await);
    assert_eq!(bench.activity.downloaded(), zlib.size);
}

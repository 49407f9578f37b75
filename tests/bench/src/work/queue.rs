//! How fast tasks are queued at a broker, each confirmed, beside a loop that publishes the same bytes and does nothing else.

use std::time::Instant;

use anyhow::Result;
use futures::TryStreamExt as _;
use futures::stream::{self, StreamExt as _};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use mirror_kit::servers::RabbitMq;
use mirror_queue::rabbitmq::{Address, Options};
use mirror_queue::{Action, BuildName, RabbitQueue, Task, TaskFile, TaskQueue as _};
use mirror_runtime::Secret;

use super::Found;
use crate::bench::{Bench, per_second};
use crate::report::{Row, Target, count};
use crate::stats::in_turn;

const FULL: usize = 50_000;
const QUICK: usize = 500;
/// On their way to the broker at once, for both.
const AT_ONCE: usize = 1000;
/// Delivery mode of a message that a broker keeps on disk.
const PERSISTENT: u8 = 2;

pub(super) async fn measure(bench: &Bench) -> Result<Found> {
    let tasks = bench.scaled(FULL, QUICK);
    let broker = RabbitMq::launch().await?;
    let url = broker.url();
    let ours = async || ours(&url, tasks).await;
    let bare = async || bare(&url, tasks).await;
    let pairs = in_turn(bench.rounds(), ours, bare).await?;
    let bytes = task().encode()?.len();
    Ok(vec![
        Row::compared(format!("queue {} tasks", count(tasks)), "tasks/s", &pairs)
            .target(Target::RatioAtLeast(0.5))
            .note(format!(
                "through the program's own driver; beside it a bare loop that publishes the same {bytes} bytes into an equal quorum queue, \
                 {AT_ONCE} unconfirmed at once both"
            )),
    ]
    .into())
}

/// What a task of one file is.
fn task() -> Task {
    Task {
        registry: "ghcr.io/organisation".to_owned(),
        channel: "conda-forge".to_owned(),
        subdir: "linux-64".to_owned(),
        package: BuildName {
            name: "package".to_owned(),
            version: "1.2.3".to_owned(),
            build: "py312h0123456_0".to_owned(),
        },
        plan: 1_790_000_000_000,
        probe: false,
        attempt: 1,
        passed_on: 0,
        overtaken: None,
        allow_unverified: false,
        renew: false,
        annotations: std::collections::BTreeMap::new(),
        source: "https://channel.test/conda-forge/linux-64/"
            .parse()
            .expect("a URL written here"),
        files: vec![TaskFile {
            file: "package-1.2.3-py312h0123456_0.conda".to_owned(),
            action: Action::Transfer,
            sha256: Some([0xa5; 32]),
            md5: Some([0x5a; 16]),
            size: Some(1_234_567),
            known_sha256: None,
        }],
    }
}

/// A queue of that name, new if nobody had it before.
async fn queue(url: &str, name: &str) -> Result<RabbitQueue> {
    let mut options = Options::new(Address::parse(&Secret::new(url))?);
    options.name = name.to_owned();
    Ok(RabbitQueue::connect(options).await?)
}

async fn ours(url: &str, tasks: usize) -> Result<f64> {
    let queue = queue(url, "ours").await?;
    let started = Instant::now();
    let publishing = stream::iter(0..tasks).map(|_| queue.publish(task()));
    let mut published = publishing.buffer_unordered(AT_ONCE);
    while published.try_next().await?.is_some() {}
    Ok(per_second(tasks, started.elapsed()))
}

async fn bare(url: &str, tasks: usize) -> Result<f64> {
    let name = "bare.v1";
    // Declared as ours are.
    let _declared = queue(url, "bare").await?;
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    let body = task().encode()?;
    let started = Instant::now();
    let publishing = stream::iter(0..tasks).map(|_| async {
        let (options, properties) = (
            BasicPublishOptions::default(),
            BasicProperties::default().with_delivery_mode(PERSISTENT),
        );
        let sent = channel.basic_publish("".into(), name.into(), options, &body, properties);
        sent.await?.await
    });
    let mut published = publishing.buffer_unordered(AT_ONCE);
    while published.try_next().await?.is_some() {}
    Ok(per_second(tasks, started.elapsed()))
}

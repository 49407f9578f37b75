//! Transfers that take longer than the broker waits for an acknowledgement.

use std::time::Duration;

use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::servers::RabbitMqOptions;

use crate::support::{LONG, own_with, troubles};
use crate::wire::Wire;

const SLOW: &str = "bulk-00007-1.0-h0_0.conda";

#[tokio::test]
async fn a_task_longer_than_the_brokers_patience_is_handed_over_and_done_once() {
    let options = RabbitMqOptions {
        consumer_timeout: Some(Duration::from_secs(5)),
        ..RabbitMqOptions::default()
    };
    let cluster = own_with(&options).await;
    let url = cluster.servers.queue.clone();
    let source = &cluster.stage.source;
    source.fault(SLOW, Fault::Stall { after: 1_000 }, Times::First(1));
    let workers = [(); 2].map(|()| {
        let worker = cluster.worker().args(["--workers", "2"]);
        let worker = worker.args(["--hand-over-after", "2s"]);
        worker.deadline(LONG).spawn()
    });
    let coordinator = cluster.mirror().deadline(LONG).spawn();
    source.held().await;
    // Who held a message from now on is thrown out, twice: the worker, if it had, would be by now.
    let wire = Wire::to(&url).await;
    wire.keep_too_long().await;
    wire.keep_too_long().await;
    source.release();
    coordinator.wait().await.assert_code(0);
    for worker in workers {
        worker.term();
        let worker = worker.wait().await;
        worker.assert_code(0);
        assert_eq!(troubles(&worker), 0, "{}", worker.to_text());
    }
    assert_eq!(cluster.stage.downloads_of(SLOW), 1);
    cluster.assert_complete().await;
}

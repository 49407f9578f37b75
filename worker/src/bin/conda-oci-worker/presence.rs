//! Tells Redis that the worker is there and what it does, for `conda-oci status`.

use std::time::Duration;

use mirror_ledger::RedisWorkers;
use mirror_worker::Activity;
use mirror_worker::presence::{Presence, TransferNow};

use crate::health::Health;

/// How often it says so; who is silent for three times as long is no longer there.
const EVERY: Duration = Duration::from_secs(5);
/// Files that are named.
const NAMED: usize = 4;

/// Says so until it is dropped.
pub(crate) async fn announce(
    workers: &RedisWorkers,
    name: &str,
    slots: usize,
    health: &Health,
    activity: &Activity,
) {
    loop {
        let what = presence(slots, health, activity);
        let what = serde_json::to_string(&what).expect("texts and numbers only");
        // A Redis that is away is met, and reported, by those who need it.
        if let Err(error) = workers.announce(name, &what, EVERY * 3).await {
            tracing::debug!(%error, "cannot say that this worker is there");
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn presence(slots: usize, health: &Health, activity: &Activity) -> Presence {
    let files = activity.in_flight(usize::MAX);
    Presence {
        slots,
        in_flight: files.len(),
        done: activity.done(),
        failed: activity.failed(),
        waits: health.ready().err(),
        files: files
            .into_iter()
            .take(NAMED)
            .map(|file| TransferNow {
                file: file.file,
                done: file.done,
                total: file.total,
            })
            .collect(),
    }
}

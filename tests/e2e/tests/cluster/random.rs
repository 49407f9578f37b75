//! `kill -9` of workers at random moments of one long run, at steps of theirs and at requests; the moments are drawn with
//! a fixed seed.

use std::path::PathBuf;

use futures::FutureExt as _;
use futures::future::select_all;
use mirror_e2e::cluster::Cluster;
use mirror_e2e::finished::Finished;
use mirror_kit::channel::{Channel, bulk_of};
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::fake_registry::{Hold, When};
use mirror_kit::process::{Run, Running};

use crate::support::{LONG, completes, stopped};

const KILLS: usize = 20;

/// Eighty builds of thirty packages.
fn eighty(dir: PathBuf) -> anyhow::Result<Channel> {
    bulk_of(dir, 30, 80, 4_000)
}

fn three_slots(cluster: &Cluster) -> Run {
    cluster.worker().args(["--workers", "3"]).deadline(LONG)
}

fn worker(cluster: &Cluster) -> Running {
    three_slots(cluster).spawn()
}

/// A worker that will not come far.
fn doomed(cluster: &Cluster, random: &mut fastrand::Rng) -> Running {
    const POINTS: [&str; 6] = [
        "mid-download",
        "before-upload",
        "after-upload",
        "before-manifest",
        "after-manifest",
        "before-ack",
    ];
    let point = random.choice(&POINTS).unwrap();
    let run = three_slots(cluster).kill_at_nth(point, random.u32(1..=3));
    run.spawn()
}

#[tokio::test]
async fn twenty_kills_of_workers_at_random_steps_undo_nothing_that_was_finished() {
    let cluster = Cluster::new(eighty).await;
    let mut random = fastrand::Rng::with_seed(20_261_126);
    let coordinator = cluster.mirror().deadline(LONG).spawn();
    let mut finished = Finished::default();
    let mut dying: Vec<_> = (0..3)
        .map(|_| doomed(&cluster, &mut random).wait().boxed())
        .collect();
    for _ in 0..KILLS {
        // One that does not come to its point ends at its deadline, and the test with it.
        let (killed, _, others) = select_all(dying).await;
        killed.assert_killed();
        finished.note(&cluster.stage);
        finished.assert_not_downloaded_since(&cluster.stage);
        dying = others;
        dying.push(doomed(&cluster, &mut random).wait().boxed());
    }
    drop(dying);
    let last = worker(&cluster);
    completes(&cluster, coordinator, last, &finished).await;
}

#[tokio::test]
async fn twenty_kills_of_workers_at_random_requests_undo_nothing_that_was_finished() {
    let cluster = Cluster::new(eighty).await;
    let mut random = fastrand::Rng::with_seed(20_261_125);
    let mut workers = vec![worker(&cluster), worker(&cluster), worker(&cluster)];
    let mut coordinator = cluster.mirror().deadline(LONG).spawn();
    let mut finished = Finished::default();
    for kill in 0..KILLS {
        let hold = comes_to_a_moment(&cluster, &mut coordinator, &mut random).await;
        let killed = workers.remove(random.usize(0..workers.len()));
        killed.kill9();
        killed.wait().await.assert_killed();
        drop(hold);
        cluster.stage.fake().clear_faults();
        cluster.stage.source.heal();
        cluster.stage.source.release();
        finished.note(&cluster.stage);
        finished.assert_not_downloaded_since(&cluster.stage);
        assert!(
            !coordinator.stdout().contains("finished in"),
            "over after {kill} kills"
        );
        workers.push(worker(&cluster));
    }
    coordinator.wait().await.assert_code(0);
    for worker in workers {
        stopped(worker).await;
    }
    cluster.assert_complete().await;
    finished.assert_not_downloaded_since(&cluster.stage);
}

/// Waits until the registry or the channel holds the nth request from now. The registry goes on holding it.
async fn comes_to_a_moment(
    cluster: &Cluster,
    coordinator: &mut Running,
    random: &mut fastrand::Rng,
) -> Option<Hold> {
    let (registry, source) = (cluster.stage.fake(), &cluster.stage.source);
    let moment = random.u64(1..=12);
    let nth = When::writes().nth(moment);
    let bytes = random.u64(0..4_000);
    let before = source.count(|request| request.fault.is_some());
    let hold = match random.u8(0..4) {
        0 => Some(registry.hold(nth)),
        1 => Some(registry.hold_answer(nth)),
        2 => Some(registry.hold_in_body(nth, bytes)),
        _ => {
            let nth = Times::Nth(usize::try_from(moment / 6 + 1).unwrap());
            source.fault("", Fault::Stall { after: bytes }, nth);
            None
        }
    };
    let is_there = || match &hold {
        Some(hold) => hold.count() > 0,
        None => source.count(|request| request.fault.is_some()) > before,
    };
    coordinator
        .until("to see a request held, or to finish", |stdout, _| {
            is_there() || stdout.contains("finished in")
        })
        .await;
    hold
}

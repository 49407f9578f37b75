//! `kill -9` at random moments of runs over a hundred files, the same moments every time. After each kill the indexes are
//! exact; nothing that was finished is ever downloaded again; one more run completes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;

use mirror_e2e::finished::Finished;
use mirror_e2e::stage::Stage;
use mirror_kit::channel::{Channel, bulk_of};
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::fake_registry::When;

/// A hundred builds of thirty packages.
fn hundred(dir: PathBuf) -> anyhow::Result<Channel> {
    bulk_of(dir, 30, 100, 4_000)
}

/// Tries, each ended by a kill or by having nothing left to do.
const TRIES: usize = 80;

#[tokio::test]
async fn twenty_kills_at_random_requests_undo_nothing_that_was_finished() {
    let mut stage = Stage::registry(hundred).await;
    let mut random = fastrand::Rng::with_seed(20_261_123);
    let (mut finished, mut kills) = (Finished::default(), 0);
    for _ in 0..TRIES {
        if kills == 20 {
            break;
        }
        let killed = killed_at_some_request(&stage, &mut random).await;
        finished.note(&stage);
        finished.assert_not_downloaded_since(&stage);
        match killed {
            true => kills += 1,
            false => renew(&mut stage, &mut random),
        }
    }
    assert_eq!(kills, 20, "the runs were over too soon for their kills");
    stage.run().run().await.assert_code(0);
    stage.assert_complete();
    finished.assert_not_downloaded_since(&stage);
}

/// Starts a run and kills it when the registry or the channel holds its nth request; false if it came to its end before.
async fn killed_at_some_request(stage: &Stage, random: &mut fastrand::Rng) -> bool {
    let registry = stage.fake();
    let moment = random.u64(1..=90);
    let nth = When::any().nth(moment);
    let bytes = random.u64(0..4_000);
    let hold = match random.u8(0..4) {
        0 => Some(registry.hold(nth)),
        1 => Some(registry.hold_answer(nth)),
        2 => Some(registry.hold_in_body(nth, bytes)),
        _ => {
            let nth = Times::Nth(usize::try_from(moment / 6 + 1).unwrap());
            stage.source.fault("", Fault::Stall { after: bytes }, nth);
            None
        }
    };
    let before = stage.source.count(|request| request.fault.is_some());
    let is_there = || match &hold {
        Some(hold) => hold.count() > 0,
        None => stage.source.count(|request| request.fault.is_some()) > before,
    };
    let mut running = stage.run().spawn();
    let over = |stdout: &str| stdout.contains("finished in");
    running
        .until("to be held, or to finish", |stdout, _| {
            is_there() || over(stdout)
        })
        .await;
    running.kill9();
    let ended = running.wait().await;
    registry.clear_faults();
    stage.source.heal();
    if ended.signal.is_none() {
        ended.assert_code(0);
        stage.assert_complete();
    }
    ended.signal.is_some()
}

/// Other bytes for some files, so that the next run has something to do.
fn renew(stage: &mut Stage, random: &mut fastrand::Rng) {
    for _ in 0..12 {
        let file = random.choice(&stage.channel.files).unwrap();
        let file = file.file_name.clone();
        stage.channel.replace(&file).unwrap();
    }
}

#[tokio::test]
async fn kills_at_random_steps_of_a_folder_mirror_undo_nothing_that_was_finished() {
    const POINTS: [&str; 13] = [
        "while-queueing",
        "mid-download",
        "before-upload",
        "after-upload",
        "before-manifest",
        "after-manifest",
        "before-ack",
        "folder-blob-before-rename",
        "folder-index-before-rename",
        "folder-index-after-rename",
        "between-shards",
        "between-index-blobs",
        "after-latest",
    ];
    let mut stage = Stage::folder(hundred).await;
    let mut random = fastrand::Rng::with_seed(20_261_124);
    let (mut finished, mut kills) = (Finished::default(), 0);
    for _ in 0..TRIES {
        if kills == 20 {
            break;
        }
        let point = *random.choice(&POINTS).unwrap();
        let run = stage.run().kill_at_nth(point, random.u32(1..=15));
        let ended = run.run().await;
        finished.note(&stage);
        finished.assert_not_downloaded_since(&stage);
        if ended.signal.is_some() {
            ended.assert_killed();
            kills += 1;
        } else {
            ended.assert_code(0);
            stage.assert_complete();
            renew(&mut stage, &mut random);
        }
    }
    assert_eq!(kills, 20, "the runs were over too soon for their kills");
    stage.run().run().await.assert_code(0);
    stage.assert_complete();
    finished.assert_not_downloaded_since(&stage);
}

//! A coordinator, workers, RabbitMQ and Redis.

use mirror_e2e::cluster::Cluster;
use mirror_kit::channel::bulk;
use mirror_kit::fake_channel::{Fault, Times};
use mirror_kit::process::Run;

use crate::support::{assert_described, assert_says, file_of, json, object, subdir, until};

const BUILDS: usize = 6;

async fn cluster() -> Cluster {
    Cluster::new(|dir| bulk(dir, BUILDS, 3_000)).await
}

/// A command with the options of the cluster's mirror.
fn command(cluster: &Cluster, name: &str) -> Run {
    let run = cluster.stage.command_in(name, &cluster.stage.home);
    run.args(cluster.servers.options())
}

fn status(cluster: &Cluster) -> impl Fn() -> Run + '_ {
    || command(cluster, "status")
}

async fn all_is_queued(cluster: &Cluster) {
    let all = u32::try_from(BUILDS).unwrap();
    cluster
        .servers
        .until("all to be queued", |depths| depths.ready == all)
        .await;
}

#[tokio::test]
async fn workers_of_a_paused_mirror_begin_nothing_until_it_is_resumed() {
    let cluster = cluster().await;
    let mut coordinator = cluster.mirror().spawn();
    all_is_queued(&cluster).await;
    let paused = command(&cluster, "pause").run().await;
    paused.assert_code(0);
    assert_says(&paused.stdout, &["paused (linux-64)", "conda-oci resume"]);
    let worker = cluster.worker().spawn();
    let all = u32::try_from(BUILDS).unwrap();
    cluster
        .servers
        .until("all to be put aside", |depths| depths.delayed == all)
        .await;
    coordinator
        .until("to say so", |_, said| said.contains("paused"))
        .await;
    assert_eq!(cluster.stage.downloads().len(), 0, "something was begun");
    let seen = json(command(&cluster, "status")).await;
    assert_eq!(subdir(&seen, "linux-64")["paused"], true, "{seen:#}");
    assert_eq!(seen["queue"]["delayed"], BUILDS, "{seen:#}");

    let resumed = json(command(&cluster, "resume")).await;
    assert_eq!(resumed["action"], "resume", "{resumed:#}");
    coordinator.wait().await.assert_code(0);
    worker.term();
    worker.wait().await.assert_code(0);
    cluster.assert_complete().await;
}

#[tokio::test]
async fn a_cancelled_run_ends_and_leaves_no_task() {
    let cluster = cluster().await;
    let idle = command(&cluster, "cancel").run().await;
    idle.assert_code(0);
    assert_says(&idle.stdout, &["nothing is under way"]);
    let coordinator = cluster.mirror().spawn();
    all_is_queued(&cluster).await;
    // Of the whole mirror: also noarch, which this run has not begun.
    let to = format!("{}/ns", cluster.stage.fake().url());
    let cancel = Run::in_home(&cluster.stage.home)
        .args(["cancel", "-c", &cluster.stage.source.url()])
        .args(["--registry", &to, "--state", &cluster.servers.state]);
    let cancelled = json(cancel).await;
    assert_eq!(cancelled["subdirs"][0], "linux-64", "{cancelled:#}");
    let ended = coordinator.wait().await;
    ended.assert_code(2);
    assert_says(&ended.stderr, &["linux-64: cancelled", "conda-oci publish"]);
    let noarch = cluster.stage.subdir("noarch");
    let log = cluster.stage.log();
    assert!(!log.contains(&noarch), "noarch was begun:\n{log}");
    let seen = json(command(&cluster, "status")).await;
    assert_eq!(subdir(&seen, "linux-64")["state"], "cancelled", "{seen:#}");

    cluster.servers.assert_drained().await;
    assert_eq!(cluster.stage.downloads().len(), 0, "something was begun");

    let worker = cluster.worker().spawn();
    cluster.mirror().run().await.assert_code(0);
    worker.term();
    worker.wait().await.assert_code(0);
    cluster.assert_complete().await;
}

#[tokio::test]
async fn the_status_of_a_run_has_its_numbers_its_workers_and_what_they_do() {
    let cluster = cluster().await;
    let file = file_of(&cluster.stage.channel);
    let stall = Fault::Stall { after: 1_000 };
    cluster.stage.source.fault(&file, stall, Times::First(1));
    let coordinator = cluster.mirror().spawn();
    let worker = cluster.worker().spawn();
    // Other tests have workers on the same Redis.
    let transfers = |seen: &serde_json::Value| {
        let listed = seen["workers"]["listed"].as_array().unwrap();
        let files = listed
            .iter()
            .flat_map(|worker| worker["files"].as_array().unwrap());
        files
            .filter(|at_work| at_work["file"] == file.as_str())
            .count()
    };
    let running = until("one file to be left", status(&cluster), |seen| {
        subdir(seen, "linux-64")["files"]["done"] == BUILDS - 1 && transfers(seen) == 1
    })
    .await;
    assert_described(&running);
    let linux = subdir(&running, "linux-64");
    assert_eq!(linux["state"], "running", "{running:#}");
    assert_eq!(linux["files"]["planned"], BUILDS, "{running:#}");
    assert_eq!(linux["files"]["left"], 1, "{running:#}");
    assert_says(linux["run"].as_str().unwrap(), &["conda-oci process"]);
    assert!(
        linux["bytes_per_second"].as_f64().unwrap() > 0.0,
        "{running:#}"
    );
    assert!(linux["seconds_left"].is_u64(), "{running:#}");
    assert_eq!(running["queue"]["ready"], 0, "{running:#}");

    let text = command(&cluster, "status").run().await;
    text.assert_code(0);
    assert_says(
        &text.stdout,
        &["linux-64  running", &file, "run: conda-oci process"],
    );
    let mut watch = command(&cluster, "status").arg("--watch").spawn();
    let line = "5/6 files";
    watch
        .until("to write a line each time", |output, _| {
            output.lines().filter(|one| one.contains(line)).count() >= 2
        })
        .await;
    watch.interrupt();
    let watched = watch.wait().await;
    assert_eq!(watched.signal, Some(2), "{}", watched.to_text());
    assert_eq!(watched.stderr, "", "{}", watched.to_text());

    cluster.stage.source.release();
    coordinator.wait().await.assert_code(0);
    worker.term();
    worker.wait().await.assert_code(0);
    let finished = json(command(&cluster, "status")).await;
    assert_described(&finished);
    let linux = subdir(&finished, "linux-64");
    assert_eq!(linux["state"], "finished", "{finished:#}");
    assert_eq!(linux["files"]["done"], BUILDS, "{finished:#}");
    assert_eq!(transfers(&finished), 0, "{finished:#}");
}

#[tokio::test]
async fn what_is_enqueued_is_counted_though_no_run_follows_it() {
    let cluster = cluster().await;
    cluster.enqueue().run().await.assert_code(0);
    let queued = json(command(&cluster, "status")).await;
    let linux = subdir(&queued, "linux-64");
    assert_eq!(linux["state"], "unfollowed", "{queued:#}");
    assert_eq!(linux["files"]["left"], BUILDS, "{queued:#}");
    let worker = cluster.worker().spawn();
    until("all to be counted", status(&cluster), |seen| {
        subdir(seen, "linux-64")["files"]["done"] == BUILDS
    })
    .await;
    worker.term();
    worker.wait().await.assert_code(0);
}

#[tokio::test]
async fn a_failure_of_a_worker_is_put_back_for_the_next_run() {
    let cluster = cluster().await;
    let file = file_of(&cluster.stage.channel);
    let source = &cluster.stage.source;
    source.fault(&file, Fault::status(404), Times::Always);
    let worker = cluster.worker().spawn();
    cluster.mirror().run().await.assert_code(1);
    source.heal();
    let listed = json(command(&cluster, "failures")).await;
    assert_eq!(listed["failures"][0]["file"], file.as_str(), "{listed:#}");
    let retried = command(&cluster, "retry")
        .args([&file, "--json"])
        .run()
        .await;
    retried.assert_code(0);
    let retried = object(&retried);
    let next = retried["next"].as_str().unwrap();
    // The broker's address has a password.
    assert_says(next, &["conda-oci mirror", r#"--queue "$CONDA_OCI_QUEUE""#]);
    assert_says(next, &["--state redis://", &cluster.servers.queue_name]);
    cluster.mirror().run().await.assert_code(0);
    worker.term();
    worker.wait().await.assert_code(0);
    cluster.assert_complete().await;
}

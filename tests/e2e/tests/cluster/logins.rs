//! A registry that wants a login: each process has its own, and tasks carry none. What they do carry is what the user
//! wants on every manifest.

use mirror_e2e::cluster::{Cluster, Servers};
use mirror_e2e::readiness::{free_port, unready};
use mirror_e2e::secrets::assert_no_secret;
use mirror_e2e::stage::Stage;
use mirror_kit::channel::standard;
use mirror_kit::fake_registry::{Auth, Options};
use mirror_kit::process::Run;

use crate::support::stopped;

const USER: &str = "robot";
const PASSWORD: &str = "hunter2-correct-horse";
const SOURCE: &str = "org.opencontainers.image.source";
const URL: &str = "https://github.com/me/mirror";

async fn guarded() -> Cluster {
    let options = Options {
        auth: Auth::bearer(USER, PASSWORD),
        ..Options::default()
    };
    let stage = Stage::registry_with(options, standard).await;
    Cluster::around(stage, Servers::shared().await)
}

fn logged_in(run: Run) -> Run {
    run.env("ORAS_USER", USER).env("ORAS_PASS", PASSWORD)
}

/// With everything logged.
fn traced(run: Run) -> Run {
    run.env("RUST_LOG", "trace")
}

#[tokio::test]
async fn coordinator_and_workers_log_in_by_themselves_and_annotations_travel_with_the_tasks() {
    let cluster = guarded().await;
    let registry = cluster.stage.fake().url();
    let by_variables = traced(logged_in(cluster.worker().args(["--registry", &registry])));
    let by_file = traced(cluster.worker().args(["--registry", &registry]));
    let file = tempfile::NamedTempFile::new().unwrap();
    let host = cluster.stage.fake().addr();
    let login =
        format!(r#"{{"auths": {{"{host}": {{"username": "{USER}", "password": "{PASSWORD}"}}}}}}"#);
    std::fs::write(file.path(), login).unwrap();
    let by_file = by_file.env("REGISTRY_AUTH_FILE", file.path());
    let workers = [by_variables, by_file].map(Run::spawn);

    let annotation = format!("{SOURCE}={URL}");
    let run = traced(logged_in(cluster.mirror().args([
        "--annotation",
        &annotation,
        "--debug",
    ])));
    let finished = run.run().await;
    finished.assert_code(0);
    assert_no_secret(&finished);
    for worker in workers {
        let ended = stopped(worker).await;
        assert!(ended.stderr.contains("TRACE"), "nothing was traced");
        assert_no_secret(&ended);
    }
    cluster.stage.assert_complete();
    assert_eq!(cluster.servers.depths().await.dead, 0);

    let view = cluster.stage.view();
    for repository in view.repositories() {
        for tag in view.tags(&repository) {
            let manifest = view.manifest_json(&repository, &tag).unwrap();
            assert_eq!(manifest["annotations"][SOURCE], URL, "{repository}:{tag}");
        }
    }
}

#[tokio::test]
async fn a_worker_that_is_refused_at_once_gives_its_task_back_uncounted_and_takes_no_more() {
    let cluster = guarded().await;
    let port = free_port();
    // With a single attempt, one that counted would leave its build given up.
    let worker = || cluster.worker().args(["--attempts", "1"]);
    let stranger = worker().args(["--listen", &format!("127.0.0.1:{port}"), "--workers", "1"]);
    let stranger = stranger.spawn();
    let coordinator = logged_in(cluster.mirror()).spawn();
    unready(port, &stranger, "takes no tasks").await;

    let registry = cluster.stage.fake().url();
    let member = logged_in(worker().args(["--registry", &registry])).spawn();
    coordinator.wait().await.assert_code(0);
    cluster.stage.assert_complete();
    let ended = stopped(stranger).await;
    let refusals = ended.stderr.matches("refused the first thing").count();
    assert_eq!(refusals, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("ORAS_USER"), "{}", ended.stderr);
    stopped(member).await;
    assert_eq!(cluster.servers.depths().await.dead, 0);
}

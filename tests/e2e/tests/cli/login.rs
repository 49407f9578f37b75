//! Who may push, and that no secret is ever shown.

use std::collections::BTreeSet;

use mirror_e2e::mirror::{Report, mirror};
use mirror_e2e::secrets::{SECRETS, assert_no_secret};
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::fake_registry::{Anonymous, Auth, Bearer, Options};
use mirror_kit::process::{Home, Run};
use mirror_kit::servers::{DockerRegistry, DockerRegistryOptions};

use crate::support::{downloads, four_packages};

const USER: &str = "robot";
const PASSWORD: &str = "hunter2-correct-horse";
const WRONG: &str = "hunter2-wrong-horse";

/// Every way in which a registry may ask for a login.
fn auths() -> Vec<Auth> {
    let bearer = |anonymous| {
        Auth::Bearer(Bearer {
            user: Some((USER.to_owned(), PASSWORD.to_owned())),
            anonymous,
            refuse_unknown_repositories: anonymous == Anonymous::Pull,
            ..Bearer::default()
        })
    };
    vec![
        Auth::basic(USER, PASSWORD),
        Auth::Basic {
            user: (USER.to_owned(), PASSWORD.to_owned()),
            anonymous: Anonymous::Pull,
        },
        bearer(Anonymous::Pull),
        bearer(Anonymous::Nothing),
    ]
}

async fn guarded(auth: &Auth) -> Stage {
    let options = Options {
        auth: auth.clone(),
        ..Options::default()
    };
    Stage::registry_with(options, four_packages).await
}

fn with_login(run: Run, password: &str) -> Run {
    run.env("ORAS_USER", USER).env("ORAS_PASS", password)
}

#[tokio::test]
async fn without_a_login_the_run_becomes_a_dry_run_and_says_so() {
    for auth in auths() {
        let stage = guarded(&auth).await;
        let report = Report::in_home(&stage.home);
        let finished = stage.run().arg("--report").arg(report.path()).run().await;
        finished.assert_code(2);
        for part in [
            "wants a login",
            "ORAS_USER",
            "ORAS_PASS",
            "nothing was downloaded",
        ] {
            assert!(
                finished.stderr.contains(part),
                "{auth:?}: no {part}\n{}",
                finished.to_text()
            );
        }
        let plan = finished
            .stdout
            .lines()
            .find(|line| line.starts_with("linux-64"));
        let words: Vec<&str> = plan.unwrap().split_whitespace().collect();
        assert_eq!(words[1..3], ["4", "4"], "{auth:?}: {}", finished.to_text());
        assert_eq!(downloads(&stage.source), 0, "{auth:?}");
        assert_eq!(
            stage.fake().repositories(),
            Vec::<String>::new(),
            "{auth:?}"
        );
        let summary = report.read()["summary"].clone();
        assert_eq!(summary["dry_run"], true);
        assert!(summary["login_needed"].is_string(), "{summary:#}");
    }
}

#[tokio::test]
async fn that_a_login_is_needed_is_an_error_on_standard_error_in_every_mode() {
    let stage = guarded(&Auth::bearer(USER, PASSWORD)).await;
    for mode in [
        &[][..],
        &["--json"],
        &["--quiet"],
        &["--quiet", "--json"],
        &["--quiet", "--log-format", "json"],
    ] {
        let finished = stage.run().args(mode).run().await;
        finished.assert_code(2);
        let said = finished.stderr.matches("wants a login").count();
        assert_eq!(said, 1, "{mode:?}: {}", finished.to_text());
        assert!(
            !finished.stdout.contains("wants a login"),
            "{mode:?}: it is said twice"
        );
    }
}

#[tokio::test]
async fn with_the_right_login_all_is_mirrored() {
    for auth in auths() {
        let stage = guarded(&auth).await;
        with_login(stage.run(), PASSWORD).run().await.assert_code(0);
        stage.assert_complete();
    }
}

#[tokio::test]
async fn a_login_given_after_a_refusal_goes_on_where_it_stopped() {
    let stage = guarded(&Auth::bearer(USER, PASSWORD)).await;
    stage.run().run().await.assert_code(2);
    with_login(stage.run(), PASSWORD).run().await.assert_code(0);
    stage.assert_complete();
}

#[tokio::test]
async fn a_wrong_login_is_said_before_anything_is_downloaded() {
    for auth in auths() {
        let stage = guarded(&auth).await;
        let finished = with_login(stage.run(), WRONG).run().await;
        finished.assert_code(2);
        for part in ["ORAS_USER", "401"] {
            assert!(
                finished.stderr.contains(part),
                "{auth:?}: no {part}\n{}",
                finished.to_text()
            );
        }
        assert_eq!(downloads(&stage.source), 0, "{auth:?}");
        assert_eq!(
            stage.fake().repositories(),
            Vec::<String>::new(),
            "{auth:?}"
        );
    }
}

#[tokio::test]
async fn no_secret_is_shown_however_much_is_logged() {
    for auth in auths() {
        for password in [PASSWORD, WRONG] {
            let stage = guarded(&auth).await;
            let run = with_login(stage.run(), password).arg("--debug");
            let finished = run.env("RUST_LOG", "trace").run().await;
            let code = if password == PASSWORD { 0 } else { 2 };
            finished.assert_code(code);
            assert!(finished.stderr.contains("TRACE"), "nothing was traced");
            assert_no_secret(&finished);
        }
    }
}

#[tokio::test]
async fn secrets_stay_out_of_everything_that_is_written() {
    let stage = guarded(&Auth::bearer(USER, PASSWORD)).await;
    let report = Report::in_home(&stage.home);
    let run = with_login(stage.run(), PASSWORD)
        .arg("--report")
        .arg(report.path());
    run.run().await.assert_code(0);
    let mut folders = vec![stage.home.path().to_owned()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            seen += 1;
            let bytes = std::fs::read(&path).unwrap();
            for secret in SECRETS {
                let found = bytes
                    .windows(secret.len())
                    .any(|part| part == secret.as_bytes());
                assert!(!found, "{secret} stands in {}", path.display());
            }
        }
    }
    assert!(seen >= 2, "the ledger and the report");
}

#[tokio::test]
async fn a_real_registry_with_basic_login_takes_the_right_one_only() {
    let options = DockerRegistryOptions {
        login: Some((USER, PASSWORD)),
        ..DockerRegistryOptions::default()
    };
    let registry = DockerRegistry::launch_with(&options).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let channel = four_packages(folder.path().join("channel")).unwrap();
    let home = Home::new();
    let to = format!("{}/{NAMESPACE}", registry.url());
    let run = || mirror(&home, channel.dir.display().to_string(), &to).args(["-s", "linux-64"]);

    let finished = run().run().await;
    finished.assert_code(2);
    assert!(
        finished.stderr.contains("wants a login"),
        "{}",
        finished.to_text()
    );
    let finished = with_login(run(), WRONG).run().await;
    finished.assert_code(2);
    assert!(
        finished.stderr.contains("ORAS_USER"),
        "{}",
        finished.to_text()
    );
    assert_no_secret(&finished);

    with_login(run(), PASSWORD).run().await.assert_code(0);
    let url = format!(
        "{}/v2/{NAMESPACE}/channel/linux-64/zlib/tags/list",
        registry.url()
    );
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .get(url)
        .basic_auth(USER, Some(PASSWORD))
        .send()
        .await
        .unwrap();
    let list: serde_json::Value = answer.json().await.unwrap();
    let tags = list["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag.as_str().unwrap());
    assert_eq!(
        tags.collect::<BTreeSet<_>>(),
        BTreeSet::from(["1.2.13-h0_0", "1.3.1-h0_0"])
    );
}

#[tokio::test]
async fn an_open_registry_is_not_shown_the_login() {
    let stage = Stage::registry(four_packages).await;
    with_login(stage.run(), PASSWORD).run().await.assert_code(0);
    let shown = stage.fake().log().select(|entry| entry.authorized);
    assert!(shown.is_empty(), "{shown:#?}");
}

//! Registries that are read from: each is shown its own login, and never the one of the registry that is pushed to.

use std::path::Path;

use mirror_e2e::mirror::{command, mirror};
use mirror_e2e::secrets::assert_no_secret;
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::fake_registry::{Auth, FakeRegistry, Options};
use mirror_kit::process::{Home, Run};

use crate::support::{PASSWORD, USER, docker_config, some_packages, write};

/// The password of the registry that is pushed to.
const OWN: &str = "hunter2-own";

fn guarded_by(password: &str) -> Options {
    Options {
        auth: Auth::basic(USER, password),
        ..Options::default()
    }
}

fn oras(run: Run, password: &str) -> Run {
    run.env("ORAS_USER", USER).env("ORAS_PASS", password)
}

/// A mirror that wants the login `USER` and `PASSWORD` of whoever reads it.
async fn mirrored() -> Stage {
    let stage = Stage::registry_with(guarded_by(PASSWORD), some_packages).await;
    oras(stage.run(), PASSWORD).run().await.assert_code(0);
    stage.fake().log().clear();
    stage
}

/// A run from that mirror into a registry that wants another password.
fn copy(home: &Home, from: &Stage, to: &FakeRegistry) -> Run {
    let channel = format!(
        "oci+http://{}/{NAMESPACE}/{}",
        from.fake().addr(),
        from.channel.name
    );
    let run = mirror(home, channel, format!("{}/own", to.url())).arg("--debug");
    oras(run, OWN).env("RUST_LOG", "trace")
}

#[tokio::test]
async fn a_source_is_shown_its_own_login_and_no_other() {
    let from = mirrored().await;
    let to = FakeRegistry::start_with(guarded_by(OWN));
    let home = Home::new();

    let finished = copy(&home, &from, &to).run().await;
    finished.assert_code(2);
    assert!(
        finished.stderr.contains("ORAS_SOURCE_USER"),
        "{}",
        finished.to_text()
    );
    let shown = from.fake().log().select(|entry| entry.authorized);
    assert!(shown.is_empty(), "{shown:#?}");

    let key = from.fake().addr().to_string();
    write(&home, ".docker/config.json", &docker_config(&key, PASSWORD));
    let finished = copy(&home, &from, &to).run().await;
    finished.assert_code(0);
    assert_no_secret(&finished);

    // What is given outright goes before the file's.
    let given = |password: &str| {
        let run = copy(&home, &from, &to).env("ORAS_SOURCE_USER", USER);
        run.env("ORAS_SOURCE_PASS", password)
    };
    given("hunter2-wrong").run().await.assert_code(2);
    write(
        &home,
        ".docker/config.json",
        &docker_config(&key, "hunter2-old"),
    );
    let finished = given(PASSWORD).run().await;
    finished.assert_code(0);
    assert_no_secret(&finished);
}

#[tokio::test]
async fn on_the_host_that_is_pushed_to_the_login_given_for_it_goes_before_a_files() {
    let stage = mirrored().await;
    let home = Home::new();
    let key = stage.fake().addr().to_string();
    write(
        &home,
        ".docker/config.json",
        &docker_config(&key, "hunter2-old"),
    );
    let channel = format!("oci+http://{key}/{NAMESPACE}/{}", stage.channel.name);
    let to = format!("{}/copy", stage.fake().url());
    let run = mirror(&home, channel, to);
    oras(run, PASSWORD).run().await.assert_code(0);
}

#[tokio::test]
async fn pull_cache_finds_the_login_wherever_a_mirror_does() {
    let stage = mirrored().await;
    let pull = |home: &Home, cache: &Path| {
        let to = format!("{}/{NAMESPACE}", stage.fake().url());
        let run = command("pull-cache", home, &stage.channel.name, to);
        run.arg("--cache-dir").arg(cache).arg("--all")
    };
    let key = stage.fake().addr().to_string();
    for place in ["option", "file"] {
        let (home, cache) = (Home::new(), tempfile::tempdir().unwrap());
        pull(&home, cache.path()).run().await.assert_code(2);
        let run = match place {
            "option" => pull(&home, cache.path())
                .args(["--username", USER, "--password-stdin"])
                .stdin(format!("{PASSWORD}\n")),
            _ => {
                write(&home, ".docker/config.json", &docker_config(&key, PASSWORD));
                pull(&home, cache.path())
            }
        };
        let finished = run.run().await;
        finished.assert_code(0);
        assert_no_secret(&finished);
        let large = cache.path().join(&stage.channel.name).join("linux-64");
        assert!(large.join("large-1.0-h0_0.conda").is_file(), "{place}");
    }
}

#[tokio::test]
async fn verify_and_push_cache_take_the_login_as_options() {
    let stage = mirrored().await;
    let given = |run: Run| {
        let run = run.args(["--username", USER, "--password-stdin"]);
        run.stdin(format!("{PASSWORD}\n"))
    };
    let to = format!("{}/{NAMESPACE}", stage.fake().url());
    let home = Home::new();
    let verify = || command("verify", &home, &stage.channel.name, &to);
    verify().run().await.assert_code(2);
    given(verify()).run().await.assert_code(0);
    let push = || {
        let run = command("push-cache", &home, &stage.channel.name, &to);
        let folder = stage.channel.dir.parent().unwrap();
        run.arg("--push-all").arg("--cache-dir").arg(folder)
    };
    push().run().await.assert_code(2);
    given(push()).run().await.assert_code(0);
}

//! Where the login at the registry comes from, in which order, and that it goes nowhere else.

use std::os::unix::fs::PermissionsExt as _;

use mirror_e2e::secrets::assert_no_secret;
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::fake_registry::{Auth, Options};
use mirror_kit::process::{Finished, Run};

use crate::support::{PASSWORD, USER, docker_config, some_packages, write};

const WRONG: &str = "hunter2-wrong-horse";

async fn guarded() -> Stage {
    let options = Options {
        auth: Auth::basic(USER, PASSWORD),
        ..Options::default()
    };
    Stage::registry_with(options, some_packages).await
}

fn host(stage: &Stage) -> String {
    stage.fake().addr().to_string()
}

/// With everything logged.
async fn traced(run: Run) -> Finished {
    let finished = run.arg("--debug").env("RUST_LOG", "trace").run().await;
    assert!(finished.stderr.contains("TRACE"), "nothing was traced");
    assert_no_secret(&finished);
    finished
}

#[tokio::test]
async fn each_place_gives_the_login_and_the_one_before_it_wins() {
    let stage = guarded().await;
    let key = host(&stage);
    let (right, wrong) = (docker_config(&key, PASSWORD), docker_config(&key, WRONG));
    // From the last place to the first: what was there before is wrong from then on.
    let podman = "config/containers/auth.json";
    write(&stage.home, podman, &right);
    traced(stage.run()).await.assert_code(0);
    write(&stage.home, podman, &wrong);
    write(&stage.home, ".docker/config.json", &right);
    traced(stage.run()).await.assert_code(0);
    write(&stage.home, ".docker/config.json", &wrong);
    let named = write(&stage.home, "named.json", &right);
    let named = |run: Run| run.env("REGISTRY_AUTH_FILE", &named);
    traced(named(stage.run())).await.assert_code(0);
    write(&stage.home, "named.json", &wrong);
    let oras =
        |run: Run, password: &str| named(run).env("ORAS_USER", USER).env("ORAS_PASS", password);
    traced(oras(stage.run(), PASSWORD)).await.assert_code(0);
    let given = oras(stage.run(), WRONG).args(["--username", USER, "--password-stdin"]);
    traced(given.stdin(format!("{PASSWORD}\n")))
        .await
        .assert_code(0);
    stage.assert_complete();
    // And each of them was wrong indeed.
    traced(oras(stage.run(), WRONG)).await.assert_code(2);
    traced(named(stage.run())).await.assert_code(2);
    traced(stage.run()).await.assert_code(2);
}

#[tokio::test]
async fn a_login_for_the_namespace_goes_before_that_of_the_host() {
    let stage = guarded().await;
    let host = host(&stage);
    let login = |password: &str| format!(r#"{{"username": "{USER}", "password": "{password}"}}"#);
    let config = format!(
        r#"{{"auths": {{"{host}": {}, "{host}/{NAMESPACE}": {}}}}}"#,
        login(WRONG),
        login(PASSWORD)
    );
    write(&stage.home, ".docker/config.json", &config);
    traced(stage.run()).await.assert_code(0);
}

#[tokio::test]
async fn credential_helpers_are_asked_for_the_host_alone() {
    for setting in ["credsStore", "credHelpers"] {
        let stage = guarded().await;
        let host = host(&stage);
        let script = format!(
            "#!/bin/sh\nread -r asked || true\necho \"$asked\" >> \"$HOME/asked\"\n\
             [ \"$asked\" = {host} ] || {{ echo credentials not found in native keychain; exit 1; }}\n\
             echo '{{\"Username\": \"{USER}\", \"Secret\": \"{PASSWORD}\"}}'\n"
        );
        let helper = write(&stage.home, "bin/docker-credential-tests", &script);
        std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
        let config = match setting {
            "credsStore" => r#"{"credsStore": "tests"}"#.to_owned(),
            _ => format!(r#"{{"credHelpers": {{"{host}": "tests"}}}}"#),
        };
        write(&stage.home, ".docker/config.json", &config);
        let path = format!(
            "{}:{}",
            helper.parent().unwrap().display(),
            std::env::var("PATH").unwrap()
        );
        traced(stage.run().env("PATH", path)).await.assert_code(0);
        stage.assert_complete();
        let asked = std::fs::read_to_string(stage.home.path().join("asked")).unwrap();
        assert!(asked.lines().all(|asked| asked == host), "{asked}");

        // One that fails shows nothing of what it prints, and the registry wants a login then.
        std::fs::write(
            &helper,
            "#!/bin/sh\necho hunter2; echo hunter2 >&2; exit 1\n",
        )
        .unwrap();
        let path = helper.parent().unwrap().display().to_string() + ":/usr/bin:/bin";
        let finished = traced(stage.run().env("PATH", path)).await;
        finished.assert_code(2);
        for part in ["docker-credential-tests", "wants a login"] {
            assert!(
                finished.stderr.contains(part),
                "no {part}: {}",
                finished.to_text()
            );
        }
    }
}

#[tokio::test]
async fn a_login_for_another_registry_is_not_shown() {
    let stage = guarded().await;
    write(
        &stage.home,
        ".docker/config.json",
        &docker_config("ghcr.io", PASSWORD),
    );
    let finished = traced(stage.run()).await;
    finished.assert_code(2);
    assert!(
        finished.stderr.contains("docker login"),
        "{}",
        finished.to_text()
    );
    let shown = stage.fake().log().select(|entry| entry.authorized);
    assert!(shown.is_empty(), "{shown:#?}");
}

#[tokio::test]
async fn one_login_is_not_shown_to_two_registries() {
    let (one, other) = (guarded().await, guarded().await);
    let channel = one.source.url();
    let config = format!(
        "[[mirror]]\nchannel = \"{channel}\"\nregistry = \"{}/a\"\n[[mirror]]\nname = \"b\"\nchannel = \"{channel}\"\nregistry = \"{}/b\"\n",
        one.fake().url(),
        other.fake().url()
    );
    let config = write(&one.home, "mirrors.toml", &config);
    let run = Run::in_home(&one.home)
        .args(["mirror", "--config"])
        .arg(config);
    let finished = run
        .env("ORAS_USER", USER)
        .env("ORAS_PASS", PASSWORD)
        .run()
        .await;
    finished.assert_code(2);
    assert!(
        finished.stderr.contains("one login"),
        "{}",
        finished.to_text()
    );
    for stage in [&one, &other] {
        assert_eq!(stage.fake().log().total(), 0);
    }
}

#[tokio::test]
async fn half_a_login_is_told() {
    let stage = guarded().await;
    let finished = stage.run().args(["--username", USER]).run().await;
    finished.assert_code(2);
    assert!(
        finished.stderr.contains("--password-stdin"),
        "{}",
        finished.to_text()
    );
    let named = write(&stage.home, "named.json", "hunter2 is no JSON");
    let finished = stage.run().env("REGISTRY_AUTH_FILE", named).run().await;
    finished.assert_code(2);
    assert_no_secret(&finished);
    assert!(
        finished.stderr.contains("named.json"),
        "{}",
        finished.to_text()
    );
}

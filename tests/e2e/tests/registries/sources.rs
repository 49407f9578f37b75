//! Private channels: the logins of rattler's store, each to its own host.

use mirror_e2e::secrets::assert_no_secret;
use mirror_e2e::stage::Stage;
use mirror_kit::fake_channel::{Fault, Times};

use crate::support::{some_packages, write};

/// What a channel on `127.0.0.1` is shown with this entry of `RATTLER_AUTH_FILE`.
async fn shown(entry: &str, key: &str) -> (Stage, Vec<(String, Option<String>)>) {
    let stage = Stage::registry(some_packages).await;
    let file = write(
        &stage.home,
        "auth.json",
        &format!(r#"{{"{key}": {entry}}}"#),
    );
    let run = stage.run().env("RATTLER_AUTH_FILE", file);
    let finished = run.arg("--debug").env("RUST_LOG", "trace").run().await;
    assert_no_secret(&finished);
    let requests = stage.source.requests().into_iter();
    let shown = requests.map(|request| {
        let header = request.header("authorization").map(str::to_owned);
        (request.path.clone(), header)
    });
    let shown = shown.collect();
    (stage, shown)
}

#[tokio::test]
async fn bearer_and_basic_go_with_every_request() {
    for (entry, header) in [
        (r#"{"BearerToken": "hunter2"}"#, "Bearer hunter2"),
        (
            r#"{"BasicHTTP": {"username": "me", "password": "hunter2"}}"#,
            "Basic bWU6aHVudGVyMg==",
        ),
    ] {
        let (stage, shown) = shown(entry, "127.0.0.1").await;
        assert!(!shown.is_empty());
        for (path, given) in shown {
            assert_eq!(given.as_deref(), Some(header), "{path}");
        }
        stage.assert_complete();
    }
}

#[tokio::test]
async fn a_conda_token_goes_into_the_path() {
    let (_, shown) = shown(r#"{"CondaToken": "hunter2"}"#, "127.0.0.1").await;
    assert!(!shown.is_empty());
    for (path, given) in shown {
        assert!(path.starts_with("/t/hunter2/"), "{path}");
        assert_eq!(given, None);
    }
}

#[tokio::test]
async fn what_is_for_another_host_stays_here_also_along_a_redirect() {
    let (stage, shown) = shown(r#"{"BearerToken": "hunter2"}"#, "conda.example").await;
    assert!(shown.iter().all(|(_, given)| given.is_none()), "{shown:?}");
    stage.assert_complete();

    let stage = Stage::registry(some_packages).await;
    let elsewhere = Stage::registry(some_packages).await;
    let file = "large-1.0-h0_0.conda";
    let there = elsewhere.source.url_of(&format!("linux-64/{file}"));
    let there = there.replace("127.0.0.1", "localhost");
    let fault = Fault::Redirect { to: there };
    stage.source.fault(file, fault, Times::Always);
    let auth = write(
        &stage.home,
        "auth.json",
        r#"{"127.0.0.1": {"BearerToken": "hunter2"}}"#,
    );
    let run = stage.run().env("RATTLER_AUTH_FILE", auth);
    run.run().await.assert_code(0);
    let redirected = elsewhere.source.requests();
    assert_eq!(redirected.len(), 1);
    assert_eq!(redirected[0].header("authorization"), None);
}

#[tokio::test]
async fn a_store_that_was_named_and_is_none_is_told() {
    let stage = Stage::registry(some_packages).await;
    let file = write(&stage.home, "auth.json", r#"{"127.0.0.1": {"hunter2": 1}}"#);
    let finished = stage.run().env("RATTLER_AUTH_FILE", file).run().await;
    finished.assert_code(2);
    assert_no_secret(&finished);
    assert!(
        finished.stderr.contains("auth.json"),
        "{}",
        finished.to_text()
    );
}

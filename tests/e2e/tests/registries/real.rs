//! Debian's docker-registry with each login it knows, with and without TLS.

use std::io::Write as _;

use mirror_e2e::mirror::mirror;
use mirror_e2e::secrets::assert_no_secret;
use mirror_e2e::stage::NAMESPACE;
use mirror_kit::process::{Finished, Home, Run};
use mirror_kit::servers::{DockerRegistry, DockerRegistryOptions, TokenServer};
use mirror_kit::tls::TestCa;

use crate::support::{PASSWORD, USER, some_packages};

struct Real {
    registry: DockerRegistry,
    home: Home,
    folder: tempfile::TempDir,
}

impl Real {
    async fn with(options: &DockerRegistryOptions<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        some_packages(folder.path().join("channel")).unwrap();
        Self {
            registry: DockerRegistry::launch_with(options).await.unwrap(),
            home: Home::new(),
            folder,
        }
    }

    fn run(&self) -> Run {
        let channel = self.folder.path().join("channel").display().to_string();
        let to = format!("{}/{NAMESPACE}", self.registry.url());
        let run = mirror(&self.home, channel, to).args(["-s", "linux-64", "--debug"]);
        run.env("RUST_LOG", "trace")
    }

    async fn logged_in(&self, password: &str, more: &[&str]) -> Finished {
        let run = self.run().args(more).env("ORAS_USER", USER);
        let finished = run.env("ORAS_PASS", password).run().await;
        assert_no_secret(&finished);
        finished
    }
}

#[tokio::test]
async fn tokens_of_a_real_registry_are_asked_for_and_shown() {
    let tokens = TokenServer::start(USER, PASSWORD).await.unwrap();
    let real = Real::with(&DockerRegistryOptions {
        tokens: Some(&tokens),
        ..DockerRegistryOptions::default()
    })
    .await;
    real.logged_in("hunter2-wrong-horse", &[])
        .await
        .assert_code(2);
    let finished = real.logged_in(PASSWORD, &[]).await;
    finished.assert_code(0);
    assert!(finished.stderr.contains("token"), "{}", finished.to_text());
    let again = real.logged_in(PASSWORD, &[]).await;
    again.assert_code(0);
}

#[tokio::test]
async fn over_tls_a_private_authority_has_to_be_named() {
    let ca = TestCa::new();
    let real = Real::with(&DockerRegistryOptions {
        login: Some((USER, PASSWORD)),
        tls: Some(&ca),
        ..DockerRegistryOptions::default()
    })
    .await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(ca.pem().as_bytes()).unwrap();
    let file = file.path().to_str().unwrap();

    let finished = real.logged_in(PASSWORD, &[]).await;
    finished.assert_code(2);
    for part in ["certificate", "--ca-file", "SSL_CERT_FILE"] {
        assert!(
            finished.stderr.contains(part),
            "no {part}: {}",
            finished.to_text()
        );
    }
    real.logged_in(PASSWORD, &["--ca-file", file])
        .await
        .assert_code(0);
    let trusted = real.run().env("SSL_CERT_FILE", file).env("ORAS_USER", USER);
    trusted
        .env("ORAS_PASS", PASSWORD)
        .run()
        .await
        .assert_code(0);

    let blind = real
        .logged_in(PASSWORD, &["--insecure-skip-tls-verify"])
        .await;
    blind.assert_code(0);
    assert!(
        blind.stderr.contains("is not checked"),
        "{}",
        blind.to_text()
    );
}

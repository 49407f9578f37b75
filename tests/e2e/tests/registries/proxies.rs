//! Behind a proxy: a registry whose name only the proxy knows is reached through it and not otherwise.

use std::io::Write as _;

use mirror_e2e::mirror::mirror;
use mirror_e2e::secrets::assert_no_secret;
use mirror_e2e::stage::{NAMESPACE, Stage};
use mirror_kit::forward_proxy::{ForwardProxy, Tunnel};
use mirror_kit::process::Run;
use mirror_kit::tls::{TEST_HOST, TestCa, TlsProxy};

use crate::support::some_packages;

struct Behind {
    stage: Stage,
    proxy: ForwardProxy,
    ca: tempfile::NamedTempFile,
    _tls: TlsProxy,
}

impl Behind {
    async fn new() -> Self {
        let (stage, ca) = (Stage::registry(some_packages).await, TestCa::new());
        let tls = TlsProxy::start(&ca, stage.fake().addr()).await.unwrap();
        let proxy = ForwardProxy::start([(registry(), tls.addr())])
            .await
            .unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(ca.pem().as_bytes()).unwrap();
        Self {
            stage,
            proxy,
            ca: file,
            _tls: tls,
        }
    }

    /// The channel is reached without the proxy.
    fn run(&self) -> Run {
        let to = format!("{TEST_HOST}/{NAMESPACE}");
        let run = mirror(&self.stage.home, self.stage.source.url(), to);
        let run = run
            .args(["--subdir", "linux-64", "--ca-file"])
            .arg(self.ca.path());
        run.env("NO_PROXY", "127.0.0.1")
    }

    fn address(&self, login: &str) -> String {
        format!("http://{login}{}", self.proxy.addr())
    }
}

fn registry() -> String {
    format!("{TEST_HOST}:443")
}

#[tokio::test]
async fn every_request_to_the_registry_goes_through_it_with_the_login_that_its_address_has() {
    let behind = Behind::new().await;
    let run = behind.run().args(["--debug"]).env("RUST_LOG", "trace");
    let run = run.env("HTTPS_PROXY", behind.address("me:hunter2@"));
    let finished = run.run().await;
    finished.assert_code(0);
    behind.stage.assert_complete();
    let tunnels = behind.proxy.tunnels();
    let expected = Tunnel {
        to: registry(),
        login: Some("Basic bWU6aHVudGVyMg==".to_owned()),
    };
    assert!(!tunnels.is_empty());
    assert!(
        tunnels.iter().all(|tunnel| *tunnel == expected),
        "{tunnels:?}"
    );
    assert_no_secret(&finished);
}

#[tokio::test]
async fn what_no_proxy_names_is_not_asked_of_it() {
    let behind = Behind::new().await;
    let run = behind.run().env("HTTPS_PROXY", behind.address(""));
    let run = run.env("NO_PROXY", format!("127.0.0.1,{TEST_HOST}"));
    let finished = run.run().await;
    finished.assert_code(2);
    assert_eq!(behind.proxy.tunnels(), []);
}

#[tokio::test]
async fn a_proxy_that_does_not_know_the_registry_is_named_as_what_to_check() {
    let behind = Behind::new().await;
    let nobody = ForwardProxy::start([]).await.unwrap();
    let address = format!("http://me:hunter2@{}", nobody.addr());
    let finished = behind.run().env("HTTPS_PROXY", address).run().await;
    finished.assert_code(2);
    assert!(!nobody.tunnels().is_empty());
    assert!(
        finished.stderr.contains("HTTPS_PROXY"),
        "{}",
        finished.to_text()
    );
    assert_no_secret(&finished);
}

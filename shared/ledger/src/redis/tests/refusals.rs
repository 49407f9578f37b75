//! What stands between us and a Redis, said so that somebody can act on it, without a secret.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mirror_kit::servers::{RedisOptions as Launch, RedisServer};
use mirror_kit::tls::TestCa;
use mirror_runtime::{Disposed, Disposition};
use tracing_subscriber::fmt::MakeWriter;

use super::connect;
use crate::conformance::{done, failed};
use crate::error::LedgerError;
use crate::ledger::Outcomes;
use crate::redis::{RedisConnection, RedisOptions};

const PASSWORD: &str = "hunter2-of-redis";

fn hasty(url: &str) -> RedisOptions {
    RedisOptions {
        patience: Duration::from_millis(300),
        ..RedisOptions::new(url)
    }
}

async fn refused(options: RedisOptions) -> LedgerError {
    let error = RedisConnection::connect(options).await.unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(!said.contains("hunter2"), "{said}");
    error
}

#[tokio::test]
async fn a_wrong_password_is_told_at_once_and_never_shown() {
    let options = Launch {
        password: Some(PASSWORD),
        ..Launch::default()
    };
    let server = RedisServer::launch_with(&options).await.unwrap();
    for login in ["", ":hunter2-wrong@", "somebody:hunter2-wrong@"] {
        let url = format!("redis://{login}{}", server.addr());
        // With all the patience there is: it does not wait for it.
        let error = refused(RedisOptions::new(url)).await;
        assert!(
            matches!(error, LedgerError::RedisRefused { .. }),
            "{error:?}"
        );
        assert_eq!(error.disposition(), Disposition::Local);
    }
    let connection = connect(&server.url()).await;
    let ledger = connection.ledger("r", "c");
    let shown = format!(
        "{connection:?} {ledger:?} {:?}",
        RedisOptions::new(server.url())
    );
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn an_address_that_is_none_or_nobodys_is_named_without_its_secret() {
    for url in [
        "http://u:hunter2@h",
        "u:hunter2@h",
        "redis://u:hunter2@h:port",
        "redis://u:hunter2@h/db",
        "",
    ] {
        let error = refused(hasty(url)).await;
        assert!(
            matches!(error, LedgerError::RedisAddress { .. }),
            "{url}: {error:?}"
        );
    }
    let error = refused(hasty("redis://u:hunter2@127.0.0.1:1")).await;
    let said = error.to_string();
    assert!(
        said.contains("127.0.0.1:1") && said.contains("refused"),
        "{said}"
    );
    assert_eq!(error.disposition(), Disposition::Retry);
}

#[tokio::test]
async fn a_private_authority_is_trusted_if_it_is_given_and_only_then() {
    let ca = TestCa::new();
    let options = Launch {
        tls: Some(&ca),
        password: Some(PASSWORD),
        ..Launch::default()
    };
    let server = RedisServer::launch_with(&options).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let with = |ca_file| RedisOptions {
        ca_file,
        ..RedisOptions::new(server.url())
    };
    let connection = RedisConnection::connect(with(file("ca.pem", ca.pem()))).await;
    let ledger = connection.unwrap().ledger("r", "c");
    assert!(ledger.begin_plan("noarch").await.unwrap() > 0);

    let stranger = TestCa::new();
    for untrusting in [None, file("stranger.pem", stranger.pem())] {
        let error = refused(with(untrusting)).await;
        assert!(
            matches!(error, LedgerError::RedisUntrusted { .. }),
            "{error:?}"
        );
    }
    let missing = Some(folder.path().join("missing.pem"));
    for useless in [file("none.pem", "no certificate"), missing] {
        let error = refused(with(useless)).await;
        assert!(
            matches!(error, LedgerError::RedisCertificates { .. }),
            "{error:?}"
        );
    }
    let plain = RedisServer::launch().await.unwrap();
    let error = refused(RedisOptions {
        url: mirror_runtime::Secret::new(plain.url()),
        ..with(file("ca.pem", ca.pem()))
    });
    assert!(matches!(error.await, LedgerError::RedisAddress { .. }));
}

#[tokio::test]
async fn a_full_redis_says_what_to_do() {
    let options = Launch {
        directives: &[("maxmemory", "3mb")],
        ..Launch::default()
    };
    let server = RedisServer::launch_with(&options).await.unwrap();
    let ledger = connect(&server.url()).await.ledger("r", "c");
    let mut written = 0;
    let error = loop {
        let files = (0..500)
            .map(|n| (format!("{written}-{n}"), failed()))
            .collect();
        match ledger.adopt("linux-64", 5, files).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 100, "3 MB hold everything");
    };
    assert!(matches!(error, LedgerError::RedisFull { .. }), "{error:?}");
    assert!(error.to_string().contains("maxmemory"), "{error}");
    assert_eq!(error.disposition(), Disposition::Retry);
    // Questions are still answered.
    let names = [String::from("0-0")];
    assert!(ledger.get_many("linux-64", &names).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn rows_that_somebody_else_wrote_are_named() {
    let server = RedisServer::launch().await.unwrap();
    let ledger = connect(&server.url()).await.ledger("r", "c");
    for (key, ours) in [("build:a-1-0", "claim"), ("state", "subdir state")] {
        let key = format!("conda-oci:{{r|c|noarch}}:{key}");
        server.cli(&["SET", &key, "theirs"]).unwrap();
        let met = match ours {
            "claim" => crate::Claims::claim(&ledger, "noarch", "a-1-0", 1, "w", Duration::ZERO)
                .await
                .unwrap_err(),
            _ => ledger.subdir_state("noarch").await.unwrap_err(),
        };
        assert!(matches!(met, LedgerError::RedisAnswer { .. }), "{met:?}");
        assert!(met.to_string().contains(ours), "{met}");
    }
    let high = ledger.adopt("noarch", u64::MAX, vec![("f".to_owned(), done(1))]);
    assert_eq!(high.await, Err(LedgerError::PlanTooHigh(u64::MAX)));
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    fn lines(&self, with: &str) -> usize {
        let bytes = self.0.lock().unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("hunter2"), "{text}");
        text.lines().filter(|line| line.contains(with)).count()
    }
}

#[tokio::test]
async fn eviction_is_warned_about_once_and_an_outage_costs_two_lines() {
    let log = Log::default();
    let logging = tracing_subscriber::fmt().with_writer(log.clone()).finish();
    let _logging = tracing::subscriber::set_default(logging);
    for (policy, warnings) in [("noeviction", 0), ("allkeys-lru", 1)] {
        let options = Launch {
            password: Some(PASSWORD),
            directives: &[("maxmemory-policy", policy)],
            ..Launch::default()
        };
        let mut server = RedisServer::launch_with(&options).await.unwrap();
        let ledger = connect(&server.url()).await.ledger("r", "c");
        let away = log.lines("Redis is away");
        server.stop();
        let (id, started) = tokio::join!(ledger.pulse("noarch"), async {
            // It was tried, in vain, and more than once.
            crate::conformance::eventually("the loss to be told", async || {
                (log.lines("Redis is away") > away).then_some(())
            })
            .await;
            server.start().await
        });
        assert!(started.is_ok() && id.is_ok());
        assert_eq!(log.lines("maxmemory_policy"), warnings, "{policy}");
        assert_eq!(log.lines("Redis is away"), away + 1);
        assert_eq!(log.lines("Redis is back"), away + 1);
    }
}

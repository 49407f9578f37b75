//! Coming together with a broker, or not.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mirror_kit::servers::{RabbitMq, RabbitMqOptions};
use mirror_kit::tls::TestCa;
use mirror_queue::conformance::sample;
use mirror_queue::rabbitmq::Options;
use mirror_queue::{QueueError, RabbitQueue, TaskQueue as _};

use crate::support::{next, options};

fn file(folder: &Path, name: &str, text: &str) -> Option<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    Some(path)
}

async fn refusal(options: Options) -> String {
    match RabbitQueue::connect(options).await.unwrap_err() {
        error @ QueueError::Refused { .. } => error.to_string(),
        other => panic!("refused for another reason: {other}"),
    }
}

#[tokio::test]
async fn over_tls_only_a_broker_of_the_given_authority_is_spoken_to() {
    let (ours, other) = (TestCa::new(), TestCa::new());
    let tls = RabbitMqOptions {
        tls: Some(&ours),
        ..RabbitMqOptions::default()
    };
    let broker = RabbitMq::launch_with(&tls).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&broker.tls_url());
    options.ca_file = file(folder.path(), "ours.pem", ours.pem());
    let queue = RabbitQueue::connect(options.clone()).await.unwrap();
    queue.publish(sample(1)).await.unwrap();
    next(&queue).await.ack().await.unwrap();

    options.ca_file = file(folder.path(), "other.pem", other.pem());
    assert!(refusal(options.clone()).await.contains("certificate"));
    options.ca_file = None;
    assert!(refusal(options.clone()).await.contains("certificate"));
    options.ca_file = file(folder.path(), "none.pem", "no certificate");
    let error = RabbitQueue::connect(options.clone()).await.unwrap_err();
    assert!(error.to_string().contains("none.pem"), "{error}");
    options.ca_file = Some(folder.path().join("missing.pem"));
    let error = RabbitQueue::connect(options).await.unwrap_err();
    assert!(error.to_string().contains("missing.pem"), "{error}");
}

#[tokio::test]
async fn a_wrong_password_or_virtual_host_is_refused_at_once_and_not_repeated() {
    let addr = RabbitMq::shared().await.unwrap().addr();
    for url in [
        format!("amqp://guest:hunter2@{addr}/%2f"),
        format!("amqp://guest:guest@{addr}/nowhere"),
    ] {
        let mut options = options(&url);
        options.connect_patience = Duration::MAX;
        let shown = format!("{options:?}");
        let said = refusal(options).await;
        for secret in ["hunter2", "guest:"] {
            assert!(!said.contains(secret), "{said}");
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(said.contains(&addr.to_string()), "{said}");
    }
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_named_when_patience_ends() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut options = options(&format!("amqp://guest:hunter2@{nobody}"));
    options.connect_patience = Duration::from_millis(300);
    let error = RabbitQueue::connect(options).await.unwrap_err();
    assert!(matches!(error, QueueError::Unavailable { .. }), "{error:?}");
    let said = format!("{error} {error:?}");
    assert!(
        said.contains(&nobody.to_string()) && said.contains("refused"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
}

//! Connections that end otherwise than the client expects, and whose certificates are believed.

use std::io::Write as _;
use std::sync::Arc;

use mirror_kit::fake_registry::{FakeRegistry, Kind};
use mirror_kit::tls::{TestCa, TlsProxy};
use mirror_oci::registry::{Address, Registry, RegistryOptions, Trust};
use mirror_oci::{Presence, Pushed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{Notes, REPOSITORY, blob};

fn registry(url: &str, trust: Trust, notes: &Arc<Notes>) -> Registry {
    let Address::Registry(address) = url.parse().unwrap() else {
        panic!("a URL is the address of a registry");
    };
    let options = RegistryOptions {
        trust,
        ..RegistryOptions::default()
    };
    Registry::new(&address, options, Arc::clone(notes) as _).unwrap()
}

fn believing(ca: &TestCa) -> (Trust, tempfile::NamedTempFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(ca.pem().as_bytes()).unwrap();
    let trust = Trust {
        ca_file: Some(file.path().to_owned()),
        skip_verification: false,
    };
    (trust, file)
}

#[tokio::test]
async fn a_connection_that_the_server_closes_after_each_answer_costs_no_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            // One request, one answer that promises to stay open, and the end.
            let mut request = [0; 4096];
            let _ = connection.read(&mut request).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n";
            let _ = connection.write_all(answer).await;
        }
    });
    let registry = registry(&url, Trust::default(), &Arc::default());
    let (digest, body) = blob("content");
    for _ in 0..50 {
        let pushed = registry.push_blob(REPOSITORY, &digest, &body, Presence::Unknown);
        assert_eq!(pushed.await.unwrap(), Pushed::Present);
    }
}

#[tokio::test]
async fn a_private_authority_is_believed_where_it_is_named_and_any_where_nobody_looks() {
    let (fake, ca) = (FakeRegistry::start(), TestCa::new());
    let proxy = TlsProxy::start(&ca, fake.addr()).await.unwrap();
    let url = format!("https://{}", proxy.addr());
    let (digest, _) = blob("content");
    let asked = async |trust| {
        registry(&url, trust, &Arc::default())
            .blob_size(REPOSITORY, &digest)
            .await
    };
    assert!(asked(Trust::default()).await.is_err());
    let (other, _kept) = believing(&TestCa::new());
    assert!(asked(other).await.is_err());
    assert_eq!(fake.log().total(), 0);
    let (ours, _kept) = believing(&ca);
    assert_eq!(asked(ours).await.unwrap(), None);
    let blind = Trust {
        ca_file: None,
        skip_verification: true,
    };
    assert_eq!(asked(blind).await.unwrap(), None);
    assert_eq!(fake.log().count(Kind::BlobHead), 2);
}

#[tokio::test]
async fn a_file_without_certificates_is_named() {
    let Address::Registry(address) = "registry.example".parse().unwrap() else {
        panic!("a host is a registry's address");
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    let options = RegistryOptions {
        trust: Trust {
            ca_file: Some(file.path().to_owned()),
            skip_verification: false,
        },
        ..RegistryOptions::default()
    };
    let error = Registry::new(&address, options, Arc::<Notes>::default()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("--ca-file") && text.contains("no certificate"),
        "{text}"
    );
}

//! ENHANCE_YOUR_CALM: HTTP/2's way to ask for patience is no broken connection.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mirror_kit::calm::CalmServer;
use mirror_kit::tls::TestCa;
use mirror_oci::Digest;
use mirror_oci::registry::{Address, Registry, RegistryError, RegistryOptions, Trust};
use mirror_runtime::{Disposed as _, Disposition};

use crate::support::{Notes, REPOSITORY};

/// Asks once for a blob; what came of it, and for how long the host was parked each time, at least and at most.
async fn asked(server: &CalmServer, ca: &TestCa) -> (Result<Option<u64>, RegistryError>, usize) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(ca.pem().as_bytes()).unwrap();
    let url = format!("https://{}", server.addr());
    let Address::Registry(address) = url.parse().unwrap() else {
        panic!("a URL is the address of a registry");
    };
    let options = RegistryOptions {
        trust: Trust {
            ca_file: Some(file.path().to_owned()),
            skip_verification: false,
        },
        ..RegistryOptions::default()
    };
    let notes = Arc::<Notes>::default();
    let registry = Registry::new(&address, options, Arc::clone(&notes) as _).unwrap();
    let before = SystemTime::now();
    let answer = registry
        .blob_size(REPOSITORY, &Digest::of(b"content"))
        .await;
    let parked = notes.parked();
    for (host, until) in &parked {
        assert_eq!(host, registry.host());
        assert!(
            *until >= before + Duration::from_secs(5),
            "parked too briefly"
        );
    }
    (answer, parked.len())
}

#[tokio::test]
async fn the_host_is_parked_and_the_request_goes_on_over_another_connection() {
    let ca = TestCa::new();
    let server = CalmServer::start(&ca, 2).await.unwrap();
    let (answer, parked) = asked(&server, &ca).await;
    assert_eq!(answer.unwrap(), None);
    assert_eq!(parked, 2);
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn who_never_calms_down_throttles_and_counts_no_try() {
    let ca = TestCa::new();
    let server = CalmServer::start(&ca, usize::MAX).await.unwrap();
    let (answer, parked) = asked(&server, &ca).await;
    let error = answer.unwrap_err();
    assert!(
        matches!(error.disposition(), Disposition::Throttled { .. }),
        "{error:?}"
    );
    // As many pleas as one request waits out, and the last.
    assert_eq!((parked, server.requests()), (6, 6));
}

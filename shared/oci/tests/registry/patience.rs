//! Every way in which a registry asks to be left alone for a while.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mirror_kit::fake_registry::Kind::{Token, UploadPost, UploadPut};
use mirror_kit::fake_registry::{Auth, FakeRegistry, Fault, Options, When};
use mirror_oci::registry::RegistryError;
use mirror_oci::{Presence, Pushed};
use mirror_runtime::{Disposed as _, Disposition, HostBudget as _, MemoryHostBudget};

use crate::support::{Notes, PASSWORD, REPOSITORY, USER, asked, blob, client_with};

/// Pushes with a budget that only takes notes, and checks for how many seconds the registry's host
/// was parked each time.
async fn push(fake: &FakeRegistry, pauses: &[u64]) -> Result<Pushed, RegistryError> {
    let notes = Arc::new(Notes::default());
    let registry = client_with(fake, Some(PASSWORD), Arc::<Notes>::clone(&notes));
    let (digest, body) = blob("content");
    let before = SystemTime::now();
    let pushed = registry
        .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
        .await;
    let after = SystemTime::now();
    let parked = notes.parked();
    assert_eq!(parked.len(), pauses.len(), "{parked:?}");
    for ((host, until), pause) in parked.into_iter().zip(pauses) {
        assert_eq!(host, registry.host());
        let pause = Duration::from_secs(*pause);
        assert!(
            before + pause <= until && until <= after + pause,
            "{pause:?}"
        );
    }
    pushed
}

#[tokio::test]
async fn a_429_parks_the_host_for_all_and_the_request_goes_on_after_it() {
    let fake = FakeRegistry::start();
    fake.fault(When::kind(UploadPost).nth(1), Fault::too_many_requests(1));
    let budget = Arc::new(MemoryHostBudget::default());
    let registry = Arc::new(client_with(
        &fake,
        None,
        Arc::<MemoryHostBudget>::clone(&budget),
    ));
    let host = registry.host().to_owned();
    let pushing = tokio::spawn(async move {
        let (digest, body) = blob("content");
        registry
            .push_blob(REPOSITORY, &digest, &body, Presence::Absent)
            .await
    });
    let until = loop {
        if let Some(until) = budget.parked_until(&host).await {
            break until;
        }
        assert!(!pushing.is_finished(), "nobody was parked");
        tokio::task::yield_now().await;
    };
    assert_eq!(pushing.await.unwrap().unwrap(), Pushed::Sent);
    assert!(SystemTime::now() >= until);
    assert_eq!(asked(&fake), [UploadPost, UploadPost, UploadPut]);
}

#[tokio::test]
async fn every_form_of_a_short_pause_is_granted_and_then_the_request_goes_on() {
    let html = format!(
        "<html>You have exceeded a secondary rate limit{}",
        "x".repeat(100_000)
    );
    let by_its_clock = [
        ("date", "Mon, 07 Jan 2030 00:00:00 GMT"),
        ("retry-after", "Mon, 07 Jan 2030 00:00:20 GMT"),
    ];
    let cases = [
        (Fault::too_many_requests(7), 7),
        (Fault::too_many_requests(0), 1),
        (Fault::answer(429, &by_its_clock, ""), 20),
        (Fault::status(429), 30),
        (Fault::ghcr_too_many_requests("10.305464ms"), 1),
        (Fault::ghcr_too_many_requests("1m0s"), 60),
        (Fault::secondary_rate_limit(), 60),
        (Fault::answer(403, &[], &html), 60),
        (Fault::answer(403, &[("retry-after", "5")], &html), 5),
        (Fault::answer(503, &[("retry-after", "3")], ""), 3),
    ];
    for (fault, pause) in cases {
        let fake = FakeRegistry::start();
        let case = format!("{fault:?}");
        fake.fault(When::kind(UploadPost).nth(1), fault);
        let pushed = push(&fake, &[pause]).await;
        assert_eq!(pushed.unwrap(), Pushed::Sent, "{case}");
        // A plea is no failure: nothing is looked for, the same request is made again.
        assert_eq!(asked(&fake), [UploadPost, UploadPost, UploadPut], "{case}");
    }
}

#[tokio::test]
async fn a_503_that_names_no_time_is_a_fault_like_others() {
    let fake = FakeRegistry::start();
    fake.fault(When::kind(UploadPost).nth(1), Fault::status(503));
    let pushed = push(&fake, &[]).await;
    assert_eq!(pushed.unwrap(), Pushed::Sent);
}

#[tokio::test]
async fn a_pause_of_more_than_a_minute_is_given_to_the_caller_to_wait_out() {
    for fault in [
        Fault::too_many_requests(61),
        Fault::ghcr_too_many_requests("1m1s"),
    ] {
        let fake = FakeRegistry::start();
        fake.fault(When::any(), fault);
        let before = SystemTime::now();
        let error = push(&fake, &[61]).await.unwrap_err();
        let Disposition::Throttled { until } = error.disposition() else {
            panic!("{error:?}");
        };
        assert!(until >= before + Duration::from_secs(61));
        assert_eq!(fake.log().total(), 1);
    }
}

#[tokio::test]
async fn a_registry_that_asks_again_and_again_is_left_to_the_caller() {
    let fake = FakeRegistry::start();
    fake.fault(When::any(), Fault::ghcr_too_many_requests("2s"));
    let error = push(&fake, &[2; 6]).await.unwrap_err();
    assert!(matches!(error, RegistryError::Throttled { .. }));
    assert!(error.to_string().contains("2000/minute"), "{error}");
}

#[tokio::test]
async fn a_refusal_is_no_plea() {
    let fake = FakeRegistry::start();
    fake.fault(When::any(), Fault::denied());
    let error = push(&fake, &[]).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Denied);
}

#[tokio::test]
async fn the_token_endpoint_may_ask_for_patience_too() {
    let fake = FakeRegistry::start_with(Options {
        auth: Auth::bearer(USER, PASSWORD),
        ..Options::default()
    });
    fake.fault(When::kind(Token).nth(1), Fault::too_many_requests(4));
    assert_eq!(push(&fake, &[4]).await.unwrap(), Pushed::Sent);
    fake.fault(When::kind(Token), Fault::too_many_requests(3600));
    let pushed = push(&fake, &[3600]).await;
    assert!(matches!(pushed, Err(RegistryError::Throttled { .. })));
}

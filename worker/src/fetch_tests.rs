#![allow(clippy::unwrap_used)]
use super::*;
use crate::activity::Activity;
use crate::source::MirrorLogins;
use mirror_channel::source::{FetchOptions, Fetcher};
use mirror_oci::registry::Trust;
use mirror_runtime::MemoryHostBudget;
use std::sync::Arc;

#[test]
fn a_download_is_too_slow_by_what_came_and_not_by_what_may_come() {
    let hour = Duration::from_secs(3600);
    assert!(!PACE.is_too_slow(PACE.grace, 0));
    assert!(PACE.is_too_slow(PACE.grace + Duration::from_secs(1), 1));
    assert!(PACE.is_too_slow(hour, 3600), "a byte a second");
    assert!(!PACE.is_too_slow(hour, 3600 * PACE.slowest));
    assert!(
        PACE.is_too_slow(2 * hour, 3600 * PACE.slowest),
        "it dried up"
    );
}

#[tokio::test]
async fn a_file_of_unknown_size_that_comes_too_slowly_is_given_up_and_gives_its_room_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slow-1-0.conda");
    std::fs::write(&path, [7; 5_000]).unwrap();
    let url = Url::from_file_path(&path).unwrap();
    let budget = Arc::<MemoryHostBudget>::default();
    let fetcher = Fetcher::new(
        FetchOptions::default(),
        Arc::<MemoryHostBudget>::clone(&budget) as _,
    );
    let sources = Sources::new(
        Arc::new(fetcher),
        MirrorLogins::default(),
        Trust::default(),
        budget,
    );
    // As large as the default: the time must not depend on it.
    let spool = Spool::open(dir.path().join("spool"), 20_000_000_000).unwrap();
    let wanted = Wanted {
        file: "slow-1-0.conda".parse().unwrap(),
        sha256: Some([7; 32]),
        md5: None,
        size: None,
    };
    let progress = Arc::<Activity>::default().begin("slow-1-0.conda", None);
    let impatient = Pace {
        grace: Duration::ZERO,
        slowest: u64::MAX,
    };
    let download = Download {
        sources: &sources,
        spool: &spool,
        url: &url,
        wanted: &wanted,
        allow_unverified: false,
        progress: &progress,
    };
    let fetched = fetch_once(download, impatient, |_| Meanwhile::nothing()).await;
    let error = fetched.err().unwrap();
    assert!(matches!(error, TransferError::TooSlow { .. }), "{error}");
    assert!(error.is_transient(), "another edge may be faster");
    spool.reserve(None).await.unwrap();
}

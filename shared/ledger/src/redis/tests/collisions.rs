//! Two files whose short hashes are the same are never taken for each other.

use mirror_kit::servers::RedisServer;

use super::server_with_ledger;
use crate::conformance::{failed, settlement, texts};
use crate::ledger::{Outcomes, Settled};
use crate::outcome::{FileOutcome, Recorded, Wanted};
use crate::redis::RedisLedger;
use crate::redis::place::Placement;

/// All files of a subdir have one bucket and one field.
async fn colliding() -> (RedisServer, RedisLedger) {
    let (server, mut ledger) = server_with_ledger().await;
    ledger.placement = Placement {
        buckets: 1,
        field: 0,
    };
    (server, ledger)
}

async fn look(ledger: &RedisLedger, file: &str) -> Option<Recorded> {
    let found = ledger.get_many("linux-64", &texts(&[file])).await.unwrap();
    found.into_iter().next().unwrap()
}

fn by_sha256(sha256: [u8; 32]) -> Wanted {
    Wanted {
        sha256: Some(sha256),
        ..Wanted::default()
    }
}

#[tokio::test]
async fn a_file_is_never_believed_done_because_another_is() {
    let (_server, ledger) = colliding().await;
    let (sha256, md5, size) = ([1; 32], [2; 16], 3);
    for with_md5 in [None, Some(md5)] {
        let done = FileOutcome::Done {
            sha256,
            md5: with_md5,
            size,
        };
        let files = [("a-1-0.conda", done.clone())];
        let settled = ledger.settle(settlement(5, &files)).await.unwrap();
        assert_eq!(settled, Settled::Accepted);
        let own = look(&ledger, "a-1-0.conda").await.unwrap();
        assert_eq!(own.outcome, done);

        // Even with the very bytes under another name: its tag is another.
        let other = look(&ledger, "b-1-0.conda").await.unwrap().outcome;
        assert!(!other.is_done_as(&by_sha256(sha256)));
        let by_md5 = Wanted {
            md5: Some(md5),
            size: Some(size),
            ..Wanted::default()
        };
        assert!(!other.is_done_as(&by_md5));
        let by_size = Wanted {
            size: Some(size),
            ..Wanted::default()
        };
        assert_eq!(with_md5.is_none(), other.is_done_as(&by_size));
    }
}

#[tokio::test]
async fn the_later_of_two_is_known_and_the_earlier_is_not() {
    let (_server, ledger) = colliding().await;
    let done = FileOutcome::Done {
        sha256: [1; 32],
        md5: None,
        size: 3,
    };
    for file in ["a", "b"] {
        let files = [(file, done.clone())];
        ledger.settle(settlement(5, &files)).await.unwrap();
    }
    let (a, b) = (look(&ledger, "a").await, look(&ledger, "b").await);
    assert_eq!(b.unwrap().outcome, done);
    assert!(!a.unwrap().outcome.is_done_as(&by_sha256([1; 32])));
}

#[tokio::test]
async fn failures_keep_their_whole_names() {
    let (_server, ledger) = colliding().await;
    let done = FileOutcome::Done {
        sha256: [9; 32],
        md5: None,
        size: 3,
    };
    ledger
        .settle(settlement(5, &[("a", done.clone())]))
        .await
        .unwrap();
    // The failure is about the sha256 that the other file has; that file's outcome does not keep it out.
    let files = [("b", failed()), ("c", failed())];
    ledger.settle(settlement(5, &files)).await.unwrap();
    assert_eq!(look(&ledger, "a").await.unwrap().outcome, done);
    assert_eq!(look(&ledger, "b").await.unwrap().outcome, failed());
    assert_eq!(ledger.count_failures("linux-64").await.unwrap(), 2);

    ledger
        .settle(settlement(6, &[("d", done.clone())]))
        .await
        .unwrap();
    assert_eq!(look(&ledger, "b").await.unwrap().outcome, failed());
    assert_eq!(ledger.count_failures("linux-64").await.unwrap(), 2);
}

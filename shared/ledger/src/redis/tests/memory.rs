//! What a done file takes.

use super::server_with_ledger;
use crate::ledger::Outcomes;
use crate::outcome::FileOutcome;

/// The benchmark has the million.
const FILES: u64 = 200_000;

#[tokio::test]
async fn a_done_file_takes_at_most_100_bytes() {
    let (server, ledger) = server_with_ledger().await;
    let before = server.info("used_memory").unwrap();
    for start in (0..FILES).step_by(10_000) {
        let named = (start..start + 10_000).map(|n| {
            let mut sha256 = [0; 32];
            sha256[..8].copy_from_slice(&n.to_be_bytes());
            // One in ten has a record without a sha256.
            let md5 = n.is_multiple_of(10).then_some([7; 16]);
            let size = 10_000_000 + n;
            let done = FileOutcome::Done { sha256, md5, size };
            (format!("package-{n}-1.2.3-py312h{n:07x}_0.conda"), done)
        });
        let named: Vec<_> = named.collect();
        ledger
            .adopt("linux-64", 1_790_000_000_000, named)
            .await
            .unwrap();
    }
    let bytes = (server.info("used_memory").unwrap() - before) / FILES;
    assert!((50..=100).contains(&bytes), "{bytes} bytes a file");
}

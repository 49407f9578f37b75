//! Looks at parked hosts from outside.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use mirror_runtime::HostBudget as _;

use super::{connect, server_with_ledger};

#[tokio::test]
async fn a_look_at_a_parked_host_says_how_long_and_why_and_takes_no_share() {
    let (server, _ledger) = server_with_ledger().await;
    let connection = connect(&server.url()).await;
    assert_eq!(connection.parked("h:5000").await.unwrap(), None);
    let until = SystemTime::now() + Duration::from_secs(600);
    let budget = connection.host_budget("w", HashMap::new());
    budget.park("h:5000", until, "429: slow down").await;
    let parked = connection.parked("h:5000").await.unwrap().unwrap();
    assert_eq!(parked.why, "429: slow down");
    assert!(parked.left_ms > 300_000 && parked.left_ms <= 600_000);
    assert_eq!(connection.parked("other").await.unwrap(), None);
    let asked = server.cli(&["EXISTS", "conda-oci:{budget|h:5000}:workers"]);
    assert_eq!(asked.unwrap(), "0");
}

//! The broker goes away, and comes back with or without what it had.

use crate::support::{BROKER, LONG, Midst, own, says, times};

#[tokio::test]
async fn a_broker_that_dies_in_the_midst_and_comes_back_loses_nothing() {
    let mut cluster = own().await;
    let mut midst = Midst::of(&cluster).await;
    cluster.servers.broker().stop();
    midst.all_say(BROKER[0]).await;
    // What was in hand ends while nobody can acknowledge it.
    midst.go_one_step(&cluster.stage).await;
    cluster.servers.broker().start().await.unwrap();
    midst.all_say(BROKER[1]).await;
    midst.go_on();
    let ended = midst.ends(&cluster).await;
    ended.assert_all_say_once(BROKER);
    let downloads = cluster.stage.downloads();
    assert!(downloads.values().all(|count| *count == 1), "{downloads:?}");
}

#[tokio::test]
async fn a_coordinator_that_is_stopped_while_the_broker_is_away_ends_in_order_and_the_next_one_goes_on()
 {
    let mut cluster = own().await;
    let mut midst = Midst::of(&cluster).await;
    cluster.servers.broker().stop();
    midst.all_say(BROKER[0]).await;
    midst.coordinator.interrupt();
    midst.coordinator.wait().await.assert_code(130);
    cluster.servers.broker().start().await.unwrap();
    let midst = Midst {
        coordinator: cluster.mirror().deadline(LONG).spawn(),
        ..midst
    };
    midst.go_on();
    let ended = midst.ends(&cluster).await;
    // The lease was given back.
    assert_eq!(times(&ended.coordinator, "somebody has the lease"), 0);
}

#[tokio::test]
async fn what_a_broker_lost_with_its_data_is_queued_again() {
    let mut cluster = own().await;
    let mut midst = Midst::of(&cluster).await;
    cluster.servers.broker().stop();
    midst.all_say(BROKER[0]).await;
    midst.go_one_step(&cluster.stage).await;
    cluster.servers.broker().start_empty().await.unwrap();
    midst.go_on();
    says(&mut midst.coordinator, "queued again").await;
    let ended = midst.ends(&cluster).await;
    ended.assert_all_say_once(BROKER);
    assert_eq!(times(&ended.coordinator, "queued again"), 1);
    let downloads = cluster.stage.downloads();
    assert!(downloads.values().all(|count| *count == 1), "{downloads:?}");
}

//! Broker and Redis lose everything at once: nobody but the registry remembers.

use crate::support::{BROKER, FORGOT, Midst, own, says, times};

#[tokio::test]
async fn a_flushed_redis_and_a_lost_broker_at_once_cost_no_finished_file() {
    let mut cluster = own().await;
    let mut midst = Midst::of(&cluster).await;
    cluster.servers.broker().stop();
    cluster.servers.redis().flush().unwrap();
    midst.all_say(BROKER[0]).await;
    cluster.servers.broker().start_empty().await.unwrap();
    midst.all_say(BROKER[1]).await;
    says(&mut midst.coordinator, FORGOT).await;
    midst.go_on();
    let ended = midst.ends(&cluster).await;
    ended.assert_all_say_once(BROKER);
    assert_eq!(times(&ended.coordinator, FORGOT), 1);
}

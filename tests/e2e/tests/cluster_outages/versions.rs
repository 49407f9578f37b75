//! Messages of other versions. There is one version so far, so no message of an earlier one; what a later version of the
//! program may send is tested: fields that this one does not know, and messages that it cannot read.

use mirror_e2e::cluster::{Cluster, Servers};
use mirror_e2e::stage::Stage;
use mirror_kit::servers::RabbitMq;
use serde_json::{Value, json};

use crate::support::{BUILDS, LONG, forty, times, worker};
use crate::wire::Wire;

#[tokio::test]
async fn unknown_fields_do_no_harm_and_a_message_of_the_future_blocks_nobody() {
    let cluster = Cluster::around(Stage::registry(forty).await, Servers::shared().await);
    let coordinator = cluster.mirror().deadline(LONG).spawn();
    let queued = |depths: mirror_e2e::cluster::Depths| depths.ready as usize == BUILDS;
    cluster
        .servers
        .until("everything to be queued", queued)
        .await;

    let wire = Wire::to(&RabbitMq::shared().await.unwrap().url()).await;
    let queue = format!("{}.v1", cluster.servers.queue_name);
    let taken = wire.take_all(&queue).await;
    assert_eq!(taken.len(), BUILDS);
    let mut future: Option<Value> = None;
    for message in taken {
        let mut task: Value = serde_json::from_slice(&message.data).unwrap();
        assert_eq!(task["version"], 1);
        task["weather"] = json!({"of": ["tomorrow"]});
        task["files"][0]["colour"] = json!("green");
        if future.is_none() {
            // Among the first, for all others to come after it.
            let mut first = task.clone();
            first["version"] = json!(2);
            wire.put(&queue, first.to_string().as_bytes()).await;
            future = Some(first);
        }
        wire.put(&queue, task.to_string().as_bytes()).await;
    }
    let worker = worker(&cluster).spawn();
    let coordinator = coordinator.wait().await;
    coordinator.assert_code(0);
    worker.term();
    let worker = worker.wait().await;
    worker.assert_code(0);
    assert_eq!(times(&worker, "no task of ours"), 1, "{}", worker.to_text());

    // The worker put it aside, and the coordinator took note of it: what it was and why it is none.
    let notes: Vec<_> = coordinator
        .stderr
        .lines()
        .filter(|line| line.contains("a message in the queue was no task of ours"))
        .collect();
    let [note] = notes[..] else {
        panic!("{}", coordinator.to_text());
    };
    assert!(note.contains("version 2"), "{note}");
    let name = future.unwrap()["package"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(note.contains(&name), "{note}");
    assert_eq!(cluster.servers.depths().await.dead, 0);
    let downloads = cluster.stage.downloads();
    assert!(downloads.values().all(|count| *count == 1), "{downloads:?}");
    cluster.assert_complete().await;
}

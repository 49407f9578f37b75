//! Two coordinators of one mirror: the lease lets one of them work, and one that lost it publishes nothing.

use mirror_e2e::cluster::Cluster;
use mirror_kit::channel::{Listing, standard};
use mirror_kit::fake_registry::{Hold, Kind, When};
use mirror_kit::package::{Fill, PackageSpec};
use mirror_kit::process::{Finished, Home, Running};

use crate::support::{LONG, stopped, until};

#[tokio::test]
async fn beside_a_living_one_the_second_is_refused_and_names_it() {
    let cluster = Cluster::new(standard).await;
    let hold = cluster
        .stage
        .fake()
        .hold(When::kind(Kind::ManifestPut).nth(3));
    let worker = cluster.worker().deadline(LONG).spawn();
    let first = cluster.mirror().deadline(LONG).spawn();
    hold.held().await;
    let owner = format!("process {} on ", first.id().unwrap());
    let second = cluster.mirror_in(&Home::new()).run().await;
    second.assert_code(2);
    assert!(
        second.stderr.contains(&owner),
        "{owner}: {}",
        second.to_text()
    );
    let index = cluster.stage.subdir("linux-64");
    assert!(cluster.stage.view().index(&index).is_none());
    hold.release();
    first.wait().await.assert_code(0);
    stopped(worker).await;
    cluster.assert_complete().await;
}

/// A cluster whose first coordinator was put to sleep right before `latest` of linux-64 moves, when all was transferred.
struct Asleep {
    cluster: Cluster,
    worker: Running,
    first: Running,
    hold: Hold,
}

impl Asleep {
    async fn new() -> Self {
        // The first look is before the plan, the second one right before it moves.
        Self::at("latest", 2).await
    }

    /// At the nth look at a tag of the index.
    async fn at(tag: &str, nth: u64) -> Self {
        let mut cluster = Cluster::new(standard).await;
        let look = When::kind(Kind::ManifestGet).reference(tag);
        let look = look.repository_ending("linux-64/repodata.json").nth(nth);
        let hold = cluster.stage.fake().hold_answer(look);
        let worker = cluster.worker().deadline(LONG).spawn();
        let first = cluster.mirror().deadline(LONG).spawn();
        hold.held().await;
        first.freeze();
        // What it would publish is no longer what is right.
        let spec = PackageSpec::new("fresh", "1.0", "h0_0").payload(5_000, Fill::Random);
        let channel = &mut cluster.stage.channel;
        channel.add(spec, Listing::indexed()).unwrap();
        channel.remove("odd-1.0-0.conda").unwrap();
        Self {
            cluster,
            worker,
            first,
            hold,
        }
    }

    /// The first one goes on where it was, and ends.
    async fn awake(self) -> (Cluster, Running, Finished) {
        self.hold.release();
        self.first.thaw();
        let ended = self.first.wait().await;
        (self.cluster, self.worker, ended)
    }
}

fn latest(cluster: &Cluster) -> Option<String> {
    let repository = format!("{}/repodata.json", cluster.stage.subdir("linux-64"));
    let manifest = cluster.stage.view().manifest(&repository, "latest");
    manifest.map(|manifest| manifest.digest)
}

#[tokio::test]
async fn one_that_slept_while_another_took_over_publishes_nothing() {
    let asleep = Asleep::new().await;
    let fresh = When::kind(Kind::ManifestPut).repository_ending("/fresh");
    let busy = asleep.cluster.stage.fake().hold(fresh);
    let second = asleep
        .cluster
        .mirror_in(&Home::new())
        .deadline(LONG)
        .spawn();
    let owner = format!("process {} on ", second.id().unwrap());
    until("the second one to be at work", || busy.count() > 0).await;
    let (cluster, worker, first) = asleep.awake().await;
    first.assert_code(2);
    assert!(
        first.stderr.contains(&owner),
        "{owner}: {}",
        first.to_text()
    );
    assert_eq!(latest(&cluster), None, "{}", first.to_text());
    busy.release();
    second.wait().await.assert_code(0);
    stopped(worker).await;
    cluster.assert_complete().await;
}

#[tokio::test]
async fn one_that_slept_until_another_was_done_does_not_publish_over_it() {
    does_not_publish_over_another(Asleep::new().await).await;
}

/// Nothing is asked of the registry between the look at the lease and what the lease protects.
#[tokio::test]
async fn nor_does_one_that_slept_in_its_very_last_look() {
    // Before the plan, before the index is made, before `latest` moves.
    does_not_publish_over_another(Asleep::at("local", 3).await).await;
}

async fn does_not_publish_over_another(asleep: Asleep) {
    let second = asleep.cluster.mirror_in(&Home::new()).deadline(LONG);
    second.run().await.assert_code(0);
    let published = latest(&asleep.cluster);
    assert!(published.is_some());
    let (cluster, worker, first) = asleep.awake().await;
    first.assert_code(2);
    assert_eq!(latest(&cluster), published, "{}", first.to_text());
    stopped(worker).await;
    cluster.assert_complete().await;
    // Nor did it make the next run believe anything else.
    let written = cluster.stage.written();
    cluster.mirror().run().await.assert_code(0);
    assert_eq!(cluster.stage.written(), written);
}

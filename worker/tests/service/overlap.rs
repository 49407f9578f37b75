//! Large files: sent to a registry and looked into while they still come, and never whole before they are known to be
//! right.

use std::time::Duration;

use mirror_kit::fake_channel::{FakeChannel, Fault as ChannelFault, Times};
use mirror_kit::fake_registry::Kind::{BlobHead, ManifestPut, UploadDelete, UploadPost, UploadPut};
use mirror_kit::fake_registry::{Entry, FakeRegistry, Fault, When};
use mirror_kit::package::{Fill, Format, MadePackage, PackageSpec};
use mirror_ledger::FailureKind;
use url::Url;

use crate::bench::{Bench, PLAN, SUBDIR};

const REPOSITORY: &str = "ns/chan/linux-64/large";
/// Smaller than the package by more than any buffer on the way holds.
const MOST: u64 = 9 << 20;

/// A large package in a channel over http whose server keeps the last byte of the first download back.
struct Scene {
    fake: FakeRegistry,
    bench: Bench,
    channel: FakeChannel,
    package: MadePackage,
}

impl Scene {
    async fn of(format: Format) -> Self {
        Self::with(format, 10 << 20).await
    }

    async fn with(format: Format, bytes: u64) -> Self {
        let fake = FakeRegistry::start();
        let mut bench = Bench::with_registry(&fake);
        let spec = PackageSpec::new("large", "1", "0").format(format);
        let package = bench.make(&spec.payload(bytes, Fill::Random));
        let folder = bench.dir.path().join("channel");
        let channel = FakeChannel::start(folder).await.unwrap();
        bench.source = Url::parse(&channel.url_of(&format!("{SUBDIR}/"))).unwrap();
        let after = package.size - 1;
        let stall = ChannelFault::Stall { after };
        channel.fault(&package.file_name, stall, Times::First(1));
        bench.publish(PLAN, &[&package]).await;
        Self {
            fake,
            bench,
            channel,
            package,
        }
    }

    /// Writes one wrong byte into the package. What is being sent of the right one goes on from that.
    fn damage(&self) {
        let mut bytes = std::fs::read(self.path()).unwrap();
        bytes[5 << 20] ^= 1;
        self.replace(&bytes);
    }

    fn replace(&self, bytes: &[u8]) {
        let new = self.bench.dir.path().join("new");
        std::fs::write(&new, bytes).unwrap();
        std::fs::rename(new, self.path()).unwrap();
    }

    fn path(&self) -> std::path::PathBuf {
        self.bench.path(&self.package.file_name)
    }

    fn downloads(&self) -> usize {
        let name = &self.package.file_name;
        self.channel
            .count(|request| request.path.ends_with(name.as_str()))
    }

    /// The PUTs of the package itself, in order.
    fn puts(&self) -> Vec<Entry> {
        let whole = Some(self.package.size);
        self.fake
            .log()
            .select(|entry| entry.kind == UploadPut && entry.content_length == whole)
    }

    /// How often the registry was asked to forget an upload, and how many it still has.
    fn forgotten_and_open(&self) -> (usize, usize) {
        let forgotten = self.fake.log().count(UploadDelete);
        (forgotten, self.fake.open_uploads())
    }

    fn is_stored(&self) -> bool {
        let digest = format!("sha256:{}", self.package.sha256);
        self.fake.blob(REPOSITORY, &digest).is_some()
    }
}

#[tokio::test]
async fn a_large_file_is_sent_while_it_comes_and_its_end_when_it_is_verified() {
    let scene = Scene::of(Format::Conda).await;
    let most = scene.fake.hold_in_body(When::kind(UploadPut).nth(1), MOST);
    let running = scene.bench.start(1, Duration::ZERO);
    most.held().await;
    assert_eq!(scene.puts()[0].received, MOST);
    most.release();
    scene.channel.held().await;
    assert!(scene.puts()[0].received < scene.package.size);
    assert!(!scene.is_stored());
    scene.channel.release();
    scene.bench.work_off(1).await;
    running.stop().await.unwrap();
    assert!(scene.bench.is_done(&scene.package).await);
    assert!(scene.bench.holds(&scene.package).await);
    assert_eq!((scene.downloads(), scene.puts().len()), (1, 1));
    assert_eq!(
        scene.fake.log().count(BlobHead),
        0,
        "it was known to be new"
    );
}

#[tokio::test]
async fn a_file_found_wrong_while_it_is_sent_leaves_nothing_and_comes_anew() {
    for format in [Format::Conda, Format::TarBz2] {
        let scene = Scene::of(format).await;
        let right = std::fs::read(scene.path()).unwrap();
        scene.damage();
        let begun = scene.fake.hold_in_body(When::kind(UploadPut).nth(1), 1);
        let running = scene.bench.start(1, Duration::ZERO);
        begun.held().await;
        begun.release();
        scene.channel.held().await;
        scene.replace(&right);
        scene.channel.release();
        scene.bench.work_off(1).await;
        running.stop().await.unwrap();
        assert!(scene.bench.is_done(&scene.package).await);
        assert!(scene.bench.holds(&scene.package).await);
        assert_eq!(scene.downloads(), 2);
        let puts = scene.puts();
        assert_eq!(puts.len(), 2, "{}", scene.fake.log().to_text());
        assert_eq!(puts[0].answered, None, "it was cut off");
        assert!(puts[0].received < scene.package.size);
        assert_eq!(scene.forgotten_and_open(), (1, 0));
    }
}

#[tokio::test]
async fn an_upload_is_given_up_with_its_file_though_the_registry_reads_no_more_of_it() {
    let scene = Scene::of(Format::Conda).await;
    let right = std::fs::read(scene.path()).unwrap();
    scene.damage();
    let begun = scene.fake.hold_in_body(When::kind(UploadPut).nth(1), 1);
    let running = scene.bench.start(1, Duration::ZERO);
    begun.held().await;
    scene.channel.held().await;
    scene.replace(&right);
    scene.channel.release();
    scene.bench.work_off(1).await;
    running.stop().await.unwrap();
    assert!(scene.bench.holds(&scene.package).await);
    assert_eq!(scene.forgotten_and_open(), (1, 0));
}

#[tokio::test]
async fn wrong_bytes_are_reported_as_such_though_their_upload_failed_first() {
    for format in [Format::Conda, Format::TarBz2] {
        let scene = Scene::of(format).await;
        scene.channel.heal();
        scene.damage();
        scene.fake.fault(When::kind(UploadPost), Fault::status(500));
        scene.bench.work_off(1).await;
        let failure = scene.bench.failure(&scene.package).await;
        assert_eq!(failure.kind, FailureKind::Retry);
        let cause = failure.cause.to_string();
        assert!(cause.contains("its record says"), "{cause}");
        assert!(!scene.is_stored());
    }
}

#[tokio::test]
async fn of_a_file_that_is_not_large_nothing_is_sent_before_it_is_verified() {
    let scene = Scene::with(Format::Conda, 7 << 20).await;
    scene.damage();
    let running = scene.bench.start(1, Duration::ZERO);
    scene.channel.held().await;
    scene.channel.release();
    scene.bench.work_off(1).await;
    running.stop().await.unwrap();
    assert_eq!(scene.downloads(), 3);
    let log = scene.fake.log();
    assert_eq!(log.count(UploadPost), 0, "{}", log.to_text());
}

#[tokio::test]
async fn an_upload_that_breaks_off_while_the_file_comes_is_made_again_without_another_download() {
    let scene = Scene::of(Format::Conda).await;
    let first = When::kind(UploadPut).nth(1);
    scene.fake.fault(first.clone(), Fault::cut_after(2_000_000));
    let begun = scene.fake.hold_in_body(first, 1_000_000);
    let running = scene.bench.start(1, Duration::ZERO);
    begun.held().await;
    begun.release();
    scene.channel.held().await;
    scene.channel.release();
    scene.bench.work_off(1).await;
    running.stop().await.unwrap();
    assert!(scene.bench.is_done(&scene.package).await);
    assert!(scene.is_stored());
    assert_eq!((scene.downloads(), scene.puts().len()), (1, 2));
    assert_eq!(scene.forgotten_and_open(), (1, 0));
    let log = scene.fake.log();
    // The registry did not have to say that the blob it was to name is not there.
    assert_eq!(log.count(ManifestPut), 1, "{}", log.to_text());
}

#[tokio::test]
async fn an_upload_whose_answer_is_lost_while_the_file_comes_is_looked_for_and_not_made_again() {
    let scene = Scene::of(Format::Conda).await;
    let first = When::kind(UploadPut).nth(1);
    scene.fake.fault(first.clone(), Fault::CutAnswer);
    let begun = scene.fake.hold_in_body(first, 1);
    let running = scene.bench.start(1, Duration::ZERO);
    begun.held().await;
    begun.release();
    scene.channel.held().await;
    scene.channel.release();
    scene.bench.work_off(1).await;
    running.stop().await.unwrap();
    assert!(scene.bench.is_done(&scene.package).await);
    assert!(scene.is_stored());
    assert_eq!((scene.downloads(), scene.puts().len()), (1, 1));
    assert_eq!(scene.fake.log().count(ManifestPut), 1);
}

#[tokio::test]
async fn a_registry_that_forgets_no_upload_keeps_nobody_from_the_next_try() {
    for fault in [Fault::status(405), Fault::status(401), Fault::CutAnswer] {
        let scene = Scene::of(Format::Conda).await;
        let first = When::kind(UploadPut).nth(1);
        scene.fake.fault(first, Fault::cut_after(2_000_000));
        scene.fake.fault(When::kind(UploadDelete), fault);
        scene.channel.heal();
        scene.bench.work_off(1).await;
        assert!(scene.bench.is_done(&scene.package).await);
        assert!(scene.is_stored());
        assert_eq!(scene.forgotten_and_open().0, 1);
    }
}

#[tokio::test]
async fn a_large_file_that_is_no_package_fails_for_good_and_is_named_nowhere() {
    let fake = FakeRegistry::start();
    let bench = Bench::with_registry(&fake);
    for format in [Format::Conda, Format::TarBz2] {
        let spec = PackageSpec::new("large", "1", "0").format(format);
        let mut page = bench.make(&spec);
        let html = vec![b'<'; 10 << 20];
        std::fs::write(bench.path(&page.file_name), &html).unwrap();
        page.sha256 = mirror_oci::Digest::of(&html).hex();
        page.size = html.len() as u64;
        bench.publish(PLAN, &[&page]).await;
        bench.work_off(8).await;
        let failure = bench.failure(&page).await;
        assert_eq!(failure.kind, FailureKind::Permanent);
        let cause = failure.cause.to_string();
        assert!(cause.contains("not a readable conda package"), "{cause}");
        assert_eq!(bench.manifest(&page).await, None);
    }
}

#[tokio::test]
async fn stopped_while_a_file_comes_and_goes_nothing_of_it_counts_and_the_next_try_completes() {
    for format in [Format::Conda, Format::TarBz2] {
        let scene = Scene::of(format).await;
        let begun = scene.fake.hold_in_body(When::kind(UploadPut).nth(1), 1);
        let running = scene.bench.start(8, Duration::ZERO);
        begun.held().await;
        running.stop().await.unwrap();
        assert_eq!(scene.bench.depth().await.ready, 1);
        assert_eq!(scene.bench.outcome(&scene.package).await, None);
        begun.release();
        scene.bench.work_off(8).await;
        assert!(scene.bench.is_done(&scene.package).await);
        let puts = scene.puts();
        assert_eq!((puts.len(), puts[0].answered), (2, None));
    }
}

//! Copying a blob out of a registry: what arrives is what its descriptor says, or an error.

use futures::future::join_all;
use mirror_kit::fake_registry::Kind::BlobGet;
use mirror_kit::fake_registry::{FakeRegistry, Fault, When};
use mirror_oci::manifest::Descriptor;
use mirror_oci::{Destination, DestinationError, Digest};
use mirror_runtime::{Disposed as _, Disposition};
use tempfile::{NamedTempFile, TempDir};

use crate::support::{REPOSITORY, stranger};

const CONTENT: &[u8] = b"some content";
const MAX: u64 = CONTENT.len() as u64;

struct Setup {
    fake: FakeRegistry,
    destination: Destination,
    blob: Descriptor,
    dir: TempDir,
}

impl Setup {
    fn new() -> Self {
        let fake = FakeRegistry::start();
        fake.put_blob(REPOSITORY, CONTENT);
        let destination = Destination::Registry(Box::new(stranger(&fake)));
        let blob = Descriptor::titled(
            "application/octet-stream",
            Digest::of(CONTENT),
            CONTENT.len() as u64,
            "x",
        );
        Self {
            fake,
            destination,
            blob,
            dir: tempfile::tempdir().unwrap(),
        }
    }

    async fn fetch(&self) -> Result<NamedTempFile, DestinationError> {
        self.destination
            .fetch_blob(REPOSITORY, &self.blob, MAX, self.dir.path())
            .await
    }

    fn holds(&self, other: &'static [u8]) {
        let digest = self.blob.digest.to_string();
        assert!(self.fake.corrupt_blob(REPOSITORY, &digest, other));
    }

    fn left_behind(&self) -> usize {
        std::fs::read_dir(self.dir.path()).unwrap().count()
    }
}

#[tokio::test]
async fn a_blob_is_copied_whole() {
    let setup = Setup::new();
    let file = setup.fetch().await.unwrap();
    assert_eq!(std::fs::read(file.path()).unwrap(), CONTENT);
    drop(file);
    assert_eq!(setup.left_behind(), 0);
}

#[tokio::test]
async fn a_download_that_breaks_is_begun_anew() {
    let setup = Setup::new();
    setup
        .fake
        .fault(When::kind(BlobGet).nth(1), Fault::cut_after(4));
    setup
        .fake
        .fault(When::kind(BlobGet).nth(2), Fault::status(500));
    let file = setup.fetch().await.unwrap();
    assert_eq!(std::fs::read(file.path()).unwrap(), CONTENT);
    drop(file);
    assert_eq!(setup.left_behind(), 0, "the broken copy stayed");
}

#[tokio::test]
async fn a_blob_that_is_not_what_its_descriptor_says_is_refused_and_left_nowhere() {
    let others: [&[u8]; 3] = [b"some CONTENT", b"some", b"some content and more"];
    join_all(others.map(async |other| {
        let setup = Setup::new();
        setup.holds(other);
        let error = setup.fetch().await.unwrap_err();
        assert_eq!(error.disposition(), Disposition::Retry);
        let text = error.to_string();
        assert!(text.contains(&setup.blob.digest.to_string()), "{text}");
        assert!(text.contains(REPOSITORY), "{text}");
        assert_eq!(setup.left_behind(), 0);
    }))
    .await;
}

#[tokio::test]
async fn a_blob_beyond_the_limit_is_not_asked_for() {
    let mut setup = Setup::new();
    setup.blob.size = MAX + 1;
    let error = setup.fetch().await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Permanent, "{error}");
    assert!(error.to_string().contains("at most 12"), "{error}");
    assert_eq!(setup.fake.log().total(), 0);
    assert_eq!(setup.left_behind(), 0);
}

#[tokio::test]
async fn a_blob_that_is_not_there_is_told_at_once() {
    let setup = Setup::new();
    let digest = setup.blob.digest.to_string();
    assert!(setup.fake.delete_blob(REPOSITORY, &digest));
    let error = setup.fetch().await.unwrap_err();
    assert!(error.is_blob_unknown(), "{error}");
    assert_eq!(setup.fake.log().count(BlobGet), 1);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_our_own_fault() {
    let setup = Setup::new();
    let error = setup
        .destination
        .fetch_blob(REPOSITORY, &setup.blob, MAX, &setup.dir.path().join("none"))
        .await
        .unwrap_err();
    assert_eq!(error.disposition(), Disposition::Local, "{error}");
}

//! Promises of the folder as a whole, on a real file system.

#![allow(clippy::unwrap_used)]

mod refusals;
mod skopeo;
mod writers;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::io::AsyncReadExt as _;

use super::*;
use crate::layout;
use crate::manifest::{Descriptor, Manifest};

const REPOSITORY: &str = "channel/linux-64/zlib";

fn folder() -> (tempfile::TempDir, Folder) {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(&dir.path().join("mirror")).unwrap();
    (dir, folder)
}

fn body(content: &str) -> Body {
    Body::from(content.as_bytes().to_vec())
}

/// A manifest with one layer of this content; its blobs are put.
async fn artifact(folder: &Folder, repository: &str, content: &str) -> Bytes {
    let (manifest, layer) = manifest(content);
    let config = Body::from(layout::CONFIG_BYTES.to_vec());
    folder
        .put_blob(repository, &Digest::of(layout::CONFIG_BYTES), &config)
        .await
        .unwrap();
    folder
        .put_blob(repository, &layer, &body(content))
        .await
        .unwrap();
    manifest
}

fn manifest(content: &str) -> (Bytes, Digest) {
    let digest = Digest::of(content.as_bytes());
    let layer = Descriptor::titled(
        layout::PACKAGE_CONDA,
        digest,
        content.len() as u64,
        "x.conda",
    );
    (
        Manifest::new(vec![layer], BTreeMap::new()).to_bytes(),
        digest,
    )
}

/// Every tag leads to a manifest whose blobs all have their content; returns the tags.
async fn assert_whole(folder: &Folder, repository: &str) -> Vec<String> {
    let tags = folder.tags(repository).await.unwrap();
    for tag in &tags {
        let stored = folder.manifest(repository, tag).await.unwrap().expect(tag);
        let manifest = Manifest::from_bytes(&stored.bytes).unwrap();
        assert_eq!(Digest::of(&stored.bytes), stored.digest);
        for blob in std::iter::once(&manifest.config).chain(&manifest.layers) {
            let content = read(folder, repository, &blob.digest).await.unwrap();
            assert_eq!(
                (Digest::of(&content), content.len() as u64),
                (blob.digest, blob.size)
            );
        }
    }
    tags
}

async fn read(folder: &Folder, repository: &str, digest: &Digest) -> Option<Vec<u8>> {
    let (size, mut file) = folder.open_blob(repository, digest).await.unwrap()?;
    let mut content = Vec::new();
    file.read_to_end(&mut content).await.unwrap();
    assert_eq!(size, content.len() as u64);
    Some(content)
}

/// Everything below `dir` that is a file, but the lock.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with(".lock") {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn what_is_put_is_read_back_also_by_a_fresh_reader() {
    let (dir, folder) = folder();
    assert_eq!(folder.tags(REPOSITORY).await.unwrap(), Vec::<String>::new());
    assert_eq!(folder.manifest(REPOSITORY, "1-0").await.unwrap(), None);
    let bytes = artifact(&folder, REPOSITORY, "content").await;
    let digest = folder
        .put_manifest(REPOSITORY, "1-0", &bytes)
        .await
        .unwrap();
    let reader = Folder::open_source(&dir.path().join("mirror")).unwrap();
    for reference in ["1-0".to_owned(), digest.to_string()] {
        let stored = reader
            .manifest(REPOSITORY, &reference)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((stored.digest, &stored.bytes), (digest, &bytes));
    }
    let layer = Digest::of(b"content");
    assert_eq!(reader.blob_size(REPOSITORY, &layer).await.unwrap(), Some(7));
    assert_eq!(
        reader
            .blob_size(REPOSITORY, &Digest::of(b"other"))
            .await
            .unwrap(),
        None
    );
    assert_eq!(assert_whole(&reader, REPOSITORY).await, ["1-0"]);
    let layout = fs::read_to_string(
        dir.path()
            .join("mirror")
            .join(REPOSITORY)
            .join("oci-layout"),
    )
    .unwrap();
    assert_eq!(layout, r#"{"imageLayoutVersion":"1.0.0"}"#);
}

#[tokio::test]
async fn a_repository_may_lie_inside_another() {
    let (_dir, folder) = folder();
    let (outer, inner) = ("c/noarch/repodata.json", "c/noarch/repodata.json/shards");
    for repository in [inner, outer] {
        let bytes = artifact(&folder, repository, repository).await;
        folder
            .put_manifest(repository, "latest", &bytes)
            .await
            .unwrap();
    }
    for repository in [inner, outer] {
        assert_eq!(assert_whole(&folder, repository).await, ["latest"]);
        assert!(
            read(&folder, repository, &Digest::of(repository.as_bytes()))
                .await
                .is_some()
        );
    }
}

#[tokio::test]
async fn a_stretch_of_a_large_file_is_stored_and_put_again_is_present() {
    let (dir, folder) = folder();
    let spool = dir.path().join("spool");
    let content: Vec<u8> = (0..5_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    fs::write(&spool, &content).unwrap();
    let stretch = Body::File {
        path: Arc::new(spool),
        offset: 10,
        len: 4_500_000,
    };
    let digest = Digest::of(&content[10..4_500_010]);
    assert_eq!(
        folder
            .put_blob(REPOSITORY, &digest, &stretch)
            .await
            .unwrap(),
        Put::Written
    );
    assert_eq!(
        folder
            .put_blob(REPOSITORY, &digest, &stretch)
            .await
            .unwrap(),
        Put::Present
    );
    assert_eq!(
        read(&folder, REPOSITORY, &digest).await.unwrap(),
        &content[10..4_500_010]
    );
}

#[tokio::test]
async fn a_damaged_blob_is_written_again_and_a_damaged_manifest_counts_as_missing() {
    let (dir, folder) = folder();
    let bytes = artifact(&folder, REPOSITORY, "content").await;
    let digest = folder
        .put_manifest(REPOSITORY, "1-0", &bytes)
        .await
        .unwrap();
    let blobs = dir
        .path()
        .join("mirror")
        .join(REPOSITORY)
        .join("blobs/sha256");
    for damaged in [digest, Digest::of(b"content")] {
        let path = blobs.join(damaged.hex());
        let len = fs::metadata(&path).unwrap().len();
        fs::write(&path, vec![0; usize::try_from(len).unwrap()]).unwrap();
    }
    assert_eq!(folder.manifest(REPOSITORY, "1-0").await.unwrap(), None);
    artifact(&folder, REPOSITORY, "content").await;
    folder
        .put_manifest(REPOSITORY, "1-0", &bytes)
        .await
        .unwrap();
    assert_eq!(assert_whole(&folder, REPOSITORY).await, ["1-0"]);
}

#[tokio::test]
async fn entries_that_others_wrote_are_kept() {
    let (dir, folder) = folder();
    let bytes = artifact(&folder, REPOSITORY, "ours").await;
    let index = dir
        .path()
        .join("mirror")
        .join(REPOSITORY)
        .join("index.json");
    let foreign = format!(
        r#"{{"digest": "{}", "size": 5, "platform": {{"os": "x"}}}}"#,
        Digest::of(b"their")
    );
    fs::write(
        &index,
        format!(r#"{{"schemaVersion":2,"manifests":[{foreign}],"annotations":{{"a":"b"}}}}"#),
    )
    .unwrap();
    folder
        .put_manifest(REPOSITORY, "1-0", &bytes)
        .await
        .unwrap();
    let text = fs::read_to_string(&index).unwrap();
    assert!(
        text.contains(&foreign) && text.contains(r#""annotations":{"a":"b"}"#),
        "{text}"
    );
    // A change made behind our back is seen, not overwritten from memory.
    fs::write(&index, text.replace("\"1-0\"", "\"theirs\"")).unwrap();
    folder
        .put_manifest(REPOSITORY, "2-0", &bytes)
        .await
        .unwrap();
    assert_eq!(assert_whole(&folder, REPOSITORY).await, ["2-0", "theirs"]);
}

#[tokio::test]
async fn torn_temporary_files_are_ignored_and_the_stale_ones_removed() {
    let (dir, folder) = folder();
    let repository = dir.path().join("mirror").join(REPOSITORY);
    let bytes = artifact(&folder, REPOSITORY, "content").await;
    folder
        .put_manifest(REPOSITORY, "1-0", &bytes)
        .await
        .unwrap();
    let hours_ago = SystemTime::now() - Duration::from_secs(2 * 3600);
    let mut expected = files(&repository);
    for place in [repository.clone(), repository.join("blobs/sha256")] {
        fs::write(place.join(".tmp-young"), "torn").unwrap();
        expected.push(place.join(".tmp-young"));
        fs::write(place.join(".tmp-old"), "torn").unwrap();
        let old = fs::File::options()
            .write(true)
            .open(place.join(".tmp-old"))
            .unwrap();
        old.set_modified(hours_ago).unwrap();
    }
    // A new process: the old one has looked for leftovers already.
    let folder = Folder::open(&dir.path().join("mirror")).unwrap();
    assert_eq!(assert_whole(&folder, REPOSITORY).await, ["1-0"]);
    folder
        .put_manifest(REPOSITORY, "1-0", &bytes)
        .await
        .unwrap();
    let mut left = files(&repository);
    left.sort();
    expected.sort();
    assert_eq!(left, expected);
}

#[tokio::test]
async fn a_batch_is_tagged_whole_or_not_at_all() {
    let (_dir, folder) = folder();
    let mut batch = Vec::new();
    for nth in 0..100 {
        let bytes = artifact(&folder, REPOSITORY, &format!("shard {nth}")).await;
        batch.push((format!("tag{nth:03}"), bytes));
    }
    let mut refused = batch.clone();
    refused.push(("missing".to_owned(), manifest("never put").0));
    assert!(
        folder
            .put_manifests(REPOSITORY, refused)
            .await
            .unwrap_err()
            .is_blob_unknown()
    );
    assert!(folder.tags(REPOSITORY).await.unwrap().is_empty());
    let digests = folder
        .put_manifests(REPOSITORY, batch.clone())
        .await
        .unwrap();
    assert!(
        digests
            .iter()
            .zip(&batch)
            .all(|(digest, (_, bytes))| *digest == Digest::of(bytes))
    );
    let tags = assert_whole(&folder, REPOSITORY).await;
    assert!(tags.iter().eq(batch.iter().map(|(tag, _)| tag)));
    assert!(
        folder
            .put_manifests(REPOSITORY, Vec::new())
            .await
            .unwrap()
            .is_empty()
    );
}

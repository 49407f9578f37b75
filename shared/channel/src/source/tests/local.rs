//! Channels in a local folder.

use std::fs;
use std::path::Path;

use mirror_runtime::disposition::{Disposed, Disposition};
use tempfile::TempDir;
use url::Url;

use super::{IndexAnswer, SourceError, at_most, fetched, fetcher, read, zst};
use crate::source::IndexFile;

fn url(path: impl AsRef<Path>) -> Url {
    Url::from_file_path(path).unwrap()
}

async fn index(channel: &TempDir, condition: Option<&str>) -> Result<IndexAnswer, SourceError> {
    let spool = channel.path().join("spool");
    fs::create_dir_all(&spool).unwrap();
    let subdir = url(channel.path());
    let (fetcher, _) = fetcher();
    fetcher
        .index(
            &subdir,
            IndexFile::Current,
            condition,
            &spool,
            &at_most(1000),
        )
        .await
}

#[tokio::test]
async fn files_with_any_name_are_read_with_their_length() {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "a-1!2+3-0.conda",
        "with space.conda",
        "50%25#?.conda",
        "ä-1-0.tar.bz2",
    ] {
        let path = dir.path().join(name);
        fs::write(&path, name).unwrap();
        let opened = fetcher().0.open(&url(&path)).await.unwrap();
        assert_eq!(opened.len, Some(name.len() as u64));
        assert_eq!(
            read(&fetcher().0, &url(&path)).await.unwrap(),
            name.as_bytes()
        );
    }
}

#[tokio::test]
async fn only_regular_files_are_opened() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("folder");
    fs::create_dir(&folder).unwrap();
    for path in [&*folder, Path::new("/dev/zero")] {
        let error = fetcher().0.open(&url(path)).await.unwrap_err();
        assert!(error.to_string().contains("regular file"), "{error}");
    }
    for path in [dir.path().join("none"), Path::new("/dev/null").join("none")] {
        let error = fetcher().0.open(&url(path)).await.unwrap_err();
        assert!(matches!(error, SourceError::NotFound { .. }), "{error}");
    }
    let remote = Url::parse("file://elsewhere/x").unwrap();
    let error = fetcher().0.open(&remote).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Permanent, "{error}");
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_read_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, vec![7; 1_000_000]).unwrap();
    let opened = fetcher().0.open(&url(&path)).await.unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(10)
        .unwrap();
    let chunks: Vec<_> = futures::StreamExt::collect(opened.bytes).await;
    let last = chunks.into_iter().last().unwrap().unwrap_err();
    assert!(matches!(last, SourceError::Interrupted { .. }), "{last}");
}

#[tokio::test]
async fn an_index_is_unchanged_until_its_file_is_another() {
    let channel = tempfile::tempdir().unwrap();
    let path = channel.path().join("repodata.json");
    fs::write(&path, "{\"a\": 1}").unwrap();
    let (document, validator) = fetched(index(&channel, None).await.unwrap());
    assert_eq!(document, "{\"a\": 1}");
    let same = index(&channel, Some(&validator)).await.unwrap();
    assert!(matches!(same, IndexAnswer::Unchanged), "{same:?}");

    // Replaced by one of the same size and time, as copying tools do.
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let replacement = channel.path().join("new");
    fs::write(&replacement, "{\"a\": 2}").unwrap();
    let file = fs::File::options().write(true).open(&replacement).unwrap();
    file.set_modified(modified).unwrap();
    fs::rename(&replacement, &path).unwrap();
    let (document, validator) = fetched(index(&channel, Some(&validator)).await.unwrap());
    assert_eq!(document, "{\"a\": 2}");

    // The compressed form appears: it is another form, so it is read, whatever the time.
    fs::write(channel.path().join("repodata.json.zst"), zst(b"{\"a\": 3}")).unwrap();
    let (document, _) = fetched(index(&channel, Some(&validator)).await.unwrap());
    assert_eq!(document, "{\"a\": 3}");
}

#[tokio::test]
async fn a_folder_without_an_index_has_none() {
    let channel = tempfile::tempdir().unwrap();
    let answer = index(&channel, None).await.unwrap();
    assert!(matches!(answer, IndexAnswer::Missing), "{answer:?}");
}

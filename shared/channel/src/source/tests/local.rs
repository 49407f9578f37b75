//! Channels in a local folder.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use mirror_runtime::disposition::{Disposed, Disposition};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{IndexAnswer, SourceError, at_most, fetched, fetcher, read, zst};
use crate::source::index::Form;
use crate::source::{IndexFile, folder, spool};

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

#[tokio::test]
async fn an_index_of_another_length_than_when_it_was_opened_is_an_error() {
    let channel = tempfile::tempdir().unwrap();
    let path = channel.path().join("repodata.json");
    fs::write(&path, "{\"a\": 1}").unwrap();
    for len in [4, 12] {
        let url = url(&path);
        let found = folder::find(&url).await.unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(len).unwrap();
        let error = spool::unpacked_file(&url, Form::Json, found, channel.path(), 1000).await;
        let error = error.unwrap_err();
        assert!(matches!(error, SourceError::Interrupted { .. }), "{error}");
        fs::write(&path, "{\"a\": 1}").unwrap();
    }
}

#[tokio::test]
async fn a_folders_index_that_nobody_waits_for_is_read_no_further() {
    let channel = tempfile::tempdir().unwrap();
    let path = channel.path().join("repodata.json");
    fs::write(&path, "{\"a\": 1}").unwrap();
    let stop = CancellationToken::new();
    let url = url(&path);
    let found = folder::find(&url).await.unwrap();
    let mut whole = found.reader(&url, stop.clone()).await;
    let mut byte = [0];
    assert_eq!(whole.read(&mut byte).unwrap(), 1);
    stop.cancel();
    assert!(whole.read(&mut byte).is_err());
}

#[tokio::test]
async fn a_large_index_arrives_whole_and_never_over_its_limit() {
    let channel = tempfile::tempdir().unwrap();
    let path = channel.path().join("repodata.json");
    let url = url(&path);
    for (words, spaces) in [(40_000, 0), (1_200_000, 3), (40_000, 500_000)] {
        let mut document = String::from("{");
        (0..words).for_each(|word| write!(document, "{word} ").unwrap());
        document.push('}');
        document.extend(std::iter::repeat_n(' ', spaces));
        fs::write(&path, &document).unwrap();
        let len = document.len() as u64;
        for limit in [len, len - 1, len / 2, 0] {
            let found = folder::find(&url).await.unwrap();
            let spooled =
                spool::unpacked_file(&url, Form::Json, found, channel.path(), limit).await;
            match spooled {
                Ok((file, bytes)) => {
                    assert_eq!((bytes, limit), (len, len));
                    assert!(fs::read(file.path()).unwrap() == document.as_bytes());
                }
                Err(SourceError::TooLarge { limit: over, .. }) => {
                    assert!(over == limit && limit < len);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

//! Many writers at once: tasks of one process, several processes, and one that is killed.
//!
//! The other processes are this test program, started anew for the one test and told by
//! environment variables to be a writer.

use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::*;

const ROOT: &str = "CONDA_OCI_TEST_WRITER_ROOT";
const NAME: &str = "CONDA_OCI_TEST_WRITER_NAME";
const PATIENCE: Duration = Duration::from_secs(120);

/// Root and name if this process is to be a writer.
fn role() -> Option<(PathBuf, String)> {
    Some((std::env::var_os(ROOT)?.into(), std::env::var(NAME).ok()?))
}

struct Writer(Child);

impl Writer {
    /// Runs the test `test` of this module in a process of its own.
    fn start(test: &str, root: &Path, name: &str) -> Self {
        let (_, module) = module_path!().split_once("::").unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                &format!("{module}::{test}"),
                "--test-threads",
                "1",
            ])
            .env(ROOT, root)
            .env(NAME, name)
            .stdout(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_come_while_another_is_written_share_the_next_rewrite() {
    let (_dir, folder) = folder();
    let mut batch = Vec::new();
    for nth in 0..50 {
        batch.push((
            format!("t{nth:02}"),
            artifact(&folder, REPOSITORY, &format!("content {nth}")).await,
        ));
    }
    let repository = Repository::new(&folder.shared.root, REPOSITORY).unwrap();
    let lock = index_file::lock(&repository).unwrap();
    let puts: Vec<_> = batch
        .into_iter()
        .map(|(tag, bytes)| {
            let folder = folder.clone();
            tokio::spawn(async move { folder.put_manifest(REPOSITORY, &tag, &bytes).await })
        })
        .collect();
    until("one holds the turn and all others wait", async || {
        folder.shared.commits.waiting(REPOSITORY) == 49
    })
    .await;
    drop(lock);
    for put in puts {
        put.await.unwrap().unwrap();
    }
    assert_eq!(assert_whole(&folder, REPOSITORY).await.len(), 50);
    until("the turn is over", async || folder.shared.commits.is_idle()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_blob_put_by_many_at_once_is_there_once() {
    let (dir, folder) = folder();
    let digest = Digest::of(b"shared");
    let puts = (0..32).map(|_| {
        let folder = folder.clone();
        tokio::spawn(async move {
            folder
                .put_blob(REPOSITORY, &digest, &body("shared"))
                .await
                .unwrap()
        })
    });
    let puts = futures::future::join_all(puts.collect::<Vec<_>>()).await;
    assert!(puts.into_iter().any(|put| put.unwrap() == Put::Written));
    let files = files(&dir.path().join("mirror"));
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(read(&folder, REPOSITORY, &digest).await.unwrap(), b"shared");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_lose_none_of_each_others_tags() {
    const EACH: usize = 40;
    if let Some((root, name)) = role() {
        let folder = Folder::open(&root).unwrap();
        for nth in 0..EACH {
            let bytes = artifact(&folder, REPOSITORY, &format!("{name} {nth}")).await;
            folder
                .put_manifest(REPOSITORY, &format!("{name}-{nth}"), &bytes)
                .await
                .unwrap();
        }
        return;
    }
    let (_dir, folder) = folder();
    let names = ["a", "b", "c", "d"];
    let test = "several_processes_lose_none_of_each_others_tags";
    let mut writers: Vec<_> = names
        .iter()
        .map(|name| Writer::start(test, &folder.shared.root, name))
        .collect();
    for writer in &mut writers {
        until("a writer ends", async || {
            writer.0.try_wait().unwrap().is_some()
        })
        .await;
        assert!(writer.0.wait().unwrap().success());
    }
    let mut expected: Vec<_> = names
        .iter()
        .flat_map(|name| (0..EACH).map(move |nth| format!("{name}-{nth}")))
        .collect();
    expected.sort();
    assert_eq!(assert_whole(&folder, REPOSITORY).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_writer_leaves_a_whole_repository_and_no_lock() {
    if let Some((root, name)) = role() {
        let folder = Folder::open(&root).unwrap();
        // An end for the case that nobody is left to kill it.
        for nth in 0..2_000 {
            let bytes = artifact(
                &folder,
                REPOSITORY,
                &format!("{name} {nth} {}", "x".repeat(100_000)),
            )
            .await;
            folder
                .put_manifest(REPOSITORY, &format!("{name}-{nth}"), &bytes)
                .await
                .unwrap();
        }
        return;
    }
    let (_dir, folder) = folder();
    for (round, more) in [1, 7, 20, 33].into_iter().enumerate() {
        let before = folder.tags(REPOSITORY).await.unwrap().len();
        let name = format!("w{round}");
        let test = "a_killed_writer_leaves_a_whole_repository_and_no_lock";
        let writer = Writer::start(test, &folder.shared.root, &name);
        until("the writer has tagged", async || {
            folder.tags(REPOSITORY).await.unwrap().len() >= before + more
        })
        .await;
        // Killed at whatever instruction it is at (SIGKILL).
        drop(writer);
        let tags = assert_whole(&folder, REPOSITORY).await;
        assert!(tags.len() >= before + more);
        let bytes = artifact(&folder, REPOSITORY, &name).await;
        folder
            .put_manifest(REPOSITORY, &format!("after-{name}"), &bytes)
            .await
            .unwrap();
        assert_eq!(folder.tags(REPOSITORY).await.unwrap().len(), tags.len() + 1);
    }
}

//! The bare loop: the requests of a mirror and nothing else.
//!
//! They go in the order in which the mirror must send them: the blobs of a build at once (POST, then
//! PUT), its manifest after them, the config mounted once a repository. Nothing is asked, checked,
//! remembered or tried again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use futures::future::try_join_all;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use reqwest::{Body, Client, Response, StatusCode, Url};
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio_util::io::ReaderStream;

use crate::replay::{Blob, Build, Replay, Source};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &[u8] = b"{}";
const CONFIG_DIGEST: &str =
    "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
/// Read at once from a file that is sent.
const CHUNK: usize = 256 << 10;

/// Pushes everything below `<registry>/v2/<namespace>/`, `at_once` builds at a time. Says how long it took.
///
/// # Errors
/// If the registry refuses anything.
pub(crate) async fn send(
    replay: &Replay,
    client: &Client,
    registry: &str,
    namespace: &str,
    at_once: usize,
) -> Result<Duration> {
    let repositories = replay.builds.iter().map(|build| build.repository.clone());
    let sender = Arc::new(Sender {
        client: client.clone(),
        base: format!("{registry}/v2/{namespace}"),
        home: format!("{namespace}/{}/repodata.json", replay.subdir),
        configs: repositories.map(|name| (name, OnceCell::new())).collect(),
    });
    let builds: Arc<[Build]> = replay.builds.clone().into();
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    // As the mirror does, to learn whether it may push.
    let home = format!("{registry}/v2/{}", sender.home);
    push(client, &home, &config()).await?;
    // Tasks of their own, so that all cores take part.
    let mut slots = JoinSet::new();
    for _ in 0..at_once {
        let (sender, builds, next) = (Arc::clone(&sender), Arc::clone(&builds), Arc::clone(&next));
        slots.spawn(async move {
            while let Some(build) = builds.get(next.fetch_add(1, Ordering::Relaxed)) {
                sender.build(build).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = slots.join_next().await {
        ended??;
    }
    Ok(started.elapsed())
}

struct Sender {
    client: Client,
    /// The address of the namespace.
    base: String,
    /// The repository that the config is mounted from.
    home: String,
    configs: HashMap<String, OnceCell<()>>,
}

impl Sender {
    async fn build(&self, build: &Build) -> Result<()> {
        let repository = format!("{}/{}", self.base, build.repository);
        let blobs = build.blobs.iter();
        let blobs = blobs.map(|blob| push(&self.client, &repository, blob));
        futures::try_join!(self.config(&build.repository), try_join_all(blobs))?;
        let put = self
            .client
            .put(format!("{repository}/manifests/{}", build.tag))
            .header(CONTENT_TYPE, MANIFEST)
            .body(build.manifest.clone());
        expect(put.send().await?, StatusCode::CREATED).await?;
        Ok(())
    }

    async fn config(&self, repository: &str) -> Result<()> {
        let cell = self.configs.get(repository);
        let mount = async || {
            let address = format!("{}/{repository}/blobs/uploads/", self.base);
            let query = [("mount", CONFIG_DIGEST), ("from", &self.home)];
            let post = self.client.post(address).query(&query).send().await?;
            expect(post, StatusCode::CREATED).await?;
            anyhow::Ok(())
        };
        let cell = cell.context("each repository was listed")?;
        cell.get_or_try_init(mount).await?;
        Ok(())
    }
}

fn config() -> Blob {
    Blob {
        digest: CONFIG_DIGEST.to_owned(),
        size: CONFIG.len() as u64,
        source: Source::Memory(Bytes::from_static(CONFIG)),
        file: None,
    }
}

/// One monolithic upload into the repository at this address: POST, PUT.
///
/// # Errors
/// If the registry refuses it, or the bytes cannot be had.
pub(crate) async fn push(client: &Client, repository: &str, blob: &Blob) -> Result<()> {
    let post = client
        .post(format!("{repository}/blobs/uploads/"))
        .send()
        .await?;
    let post = expect(post, StatusCode::ACCEPTED).await?;
    let location = post
        .headers()
        .get(LOCATION)
        .context("an upload has a location")?;
    let mut url: Url = post.url().join(location.to_str()?)?;
    url.query_pairs_mut().append_pair("digest", &blob.digest);
    let body = match &blob.source {
        Source::Memory(bytes) => Body::from(bytes.clone()),
        Source::File(path) => {
            let file = tokio::fs::File::open(path).await?;
            Body::wrap_stream(ReaderStream::with_capacity(file, CHUNK))
        }
        Source::Url(url) => {
            let answer = expect(client.get(url).send().await?, StatusCode::OK).await?;
            Body::wrap_stream(answer.bytes_stream())
        }
    };
    let put = client
        .put(url)
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(CONTENT_LENGTH, blob.size)
        .body(body);
    expect(put.send().await?, StatusCode::CREATED).await?;
    Ok(())
}

/// The answer, if it is this; otherwise what it said.
async fn expect(answer: Response, wanted: StatusCode) -> Result<Response> {
    if answer.status() == wanted {
        return Ok(answer);
    }
    let (url, status) = (answer.url().clone(), answer.status());
    let said: Value = answer.json().await.unwrap_or_default();
    bail!("{url} answered {status}: {said}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeMap;

    use mirror_kit::channel::bulk_of;
    use mirror_kit::fake_registry::{FakeRegistry, Kind};

    use crate::bench::{Bench, NAMESPACE};

    /// Writes to package repositories, by kind and repository.
    fn writes(registry: &FakeRegistry) -> BTreeMap<(Kind, String), usize> {
        let mut counted = registry.log().counters();
        counted.retain(|(kind, repository), _| {
            kind.is_write() && !repository.contains("repodata.json")
        });
        counted
    }

    #[tokio::test]
    async fn the_bare_loop_sends_the_writes_of_a_mirror_no_more_and_no_less() {
        let dir = tempfile::tempdir().unwrap();
        let channel = bulk_of(dir.path().join("bulk"), 3, 12, 5_000).unwrap();
        let channel = channel.dir.display().to_string();
        let worker = mirror_kit::process::worker_binary().to_owned();
        let bench = Bench::new(mirror_kit::process::binary().to_owned(), worker, true).unwrap();
        let (ours, bare) = (FakeRegistry::start(), FakeRegistry::start());
        let home = bench.home().unwrap();
        let to = format!("{}/{NAMESPACE}", ours.url());
        bench
            .mirror(home.path(), &channel, &to)
            .run()
            .await
            .unwrap();
        let (replay, _folder) = bench.replay(&channel, "bulk").await.unwrap();
        send(&replay, &bench.client, &bare.url(), NAMESPACE, 4)
            .await
            .unwrap();
        let sent = writes(&bare);
        // For each build POST and PUT of three blobs and a manifest, for each name a mount.
        assert_eq!(
            sent.values().sum::<usize>(),
            12 * 7 + 3,
            "{}",
            bare.log().to_text()
        );
        assert_eq!(sent, writes(&ours), "{}", ours.log().to_text());
        let bytes = |registry: &FakeRegistry| -> u64 {
            let entries = registry
                .log()
                .select(|entry| entry.kind == Kind::ManifestPut);
            let packages = entries
                .iter()
                .filter(|entry| !entry.path.contains("repodata.json"));
            packages.map(|entry| entry.received).sum()
        };
        assert_eq!(bytes(&bare), bytes(&ours));
    }
}

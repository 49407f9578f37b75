//! Distance: a TCP proxy before a registry that lets every answer arrive later, and counts requests.
//!
//! It knows of HTTP/1.1 only how a request begins, so it costs next to no CPU, and bodies of any size
//! pass it at full speed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

/// Read at once from either side.
const CHUNK: usize = 64 << 10;
/// Chunks of one connection on their way.
const ON_THE_WAY: usize = 256;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
}

impl Seen {
    /// Whether it puts the manifest of a package.
    pub(crate) fn is_package_manifest(&self) -> bool {
        self.method == "PUT"
            && self.path.contains("/manifests/")
            && !self.path.contains("/repodata.json/")
    }

    /// Whether it puts the manifest of a shard.
    pub(crate) fn is_shard_manifest(&self) -> bool {
        self.method == "PUT" && self.path.contains("/repodata.json/shards/manifests/")
    }
}

type Log = Arc<Mutex<Vec<Seen>>>;

/// A running proxy. Dropping it ends it and its connections.
#[derive(Debug)]
pub(crate) struct Proxy {
    addr: SocketAddr,
    log: Log,
    task: AbortHandle,
}

impl Proxy {
    /// Before the server at `to`; every byte of its answers comes `latency` later.
    ///
    /// # Errors
    /// If no port is free.
    pub(crate) async fn start(to: SocketAddr, latency: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let log = Log::default();
        let task = tokio::spawn(accept(listener, to, latency, Arc::clone(&log)));
        Ok(Self {
            addr,
            log,
            task: task.abort_handle(),
        })
    }

    /// `http://127.0.0.1:<port>`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The requests since the last call.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut lock(&self.log))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(log: &Log) -> MutexGuard<'_, Vec<Seen>> {
    log.lock().expect("no panic under this lock")
}

async fn accept(listener: TcpListener, to: SocketAddr, latency: Duration, log: Log) {
    // They end with this set.
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(connect(client, to, latency, Arc::clone(&log)));
        while connections.try_join_next().is_some() {}
    }
}

async fn connect(client: TcpStream, to: SocketAddr, latency: Duration, log: Log) {
    let Ok(server) = TcpStream::connect(to).await else {
        return;
    };
    // Small requests must not wait for acknowledgements.
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (send, receive) = mpsc::channel(ON_THE_WAY);
    let requests = requests(from_client, to_server, &log);
    let answers = futures::future::join(
        read_answers(from_server, latency, send),
        write_answers(receive, to_client),
    );
    futures::future::join(requests, answers).await;
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, log: &Log) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        if let Some(seen) = first_line(&chunk[..read]) {
            lock(log).push(seen);
        }
        if to.write_all(&chunk[..read]).await.is_err() {
            break;
        }
    }
}

/// The request that begins here. A body that is written like a request would be taken for one; packages,
/// indexes and manifests begin otherwise.
fn first_line(bytes: &[u8]) -> Option<Seen> {
    let line = bytes.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?.strip_suffix(" HTTP/1.1")?;
    let (method, path) = line.split_once(' ')?;
    Some(Seen {
        at: Instant::now(),
        method: method.to_owned(),
        path: path.to_owned(),
    })
}

async fn read_answers(
    mut from: OwnedReadHalf,
    latency: Duration,
    send: mpsc::Sender<(Instant, Vec<u8>)>,
) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        let due = Instant::now() + latency;
        if send.send((due, chunk[..read].to_vec())).await.is_err() {
            break;
        }
    }
}

async fn write_answers(mut receive: mpsc::Receiver<(Instant, Vec<u8>)>, mut to: OwnedWriteHalf) {
    while let Some((due, bytes)) = receive.recv().await {
        if due > Instant::now() {
            tokio::time::sleep_until(due).await;
        }
        if to.write_all(&bytes).await.is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mirror_kit::fake_channel::FakeChannel;

    #[tokio::test]
    async fn answers_pass_whole_and_requests_are_counted_once() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("channel");
        std::fs::create_dir(&folder).unwrap();
        // Nothing in it begins a request.
        let content = vec![b' '; 3 * CHUNK + 5];
        std::fs::write(folder.join("file"), &content).unwrap();
        let server = FakeChannel::start(&folder).await.unwrap();
        let to = server.base().trim_start_matches("http://").parse().unwrap();
        let latency = Duration::from_millis(20);
        let proxy = Proxy::start(to, latency).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/channel/file", proxy.url());
        for _ in 0..3 {
            let started = Instant::now();
            let body = client
                .get(&url)
                .send()
                .await
                .unwrap()
                .bytes()
                .await
                .unwrap();
            assert_eq!(body, content);
            assert!(started.elapsed() >= latency);
        }
        let put = client.put(&url).body(content).send().await.unwrap();
        assert_eq!(put.status(), 405);
        let methods: Vec<String> = proxy.take().into_iter().map(|seen| seen.method).collect();
        assert_eq!(methods, ["GET", "GET", "GET", "PUT"]);
        assert!(proxy.take().is_empty());
    }
}

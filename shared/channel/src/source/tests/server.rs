//! An HTTP server whose every byte the test chooses: one answer a connection, then it closes or
//! falls silent.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

/// What the client sent, as text up to the empty line.
#[derive(Debug, Clone)]
pub(super) struct Request(String);

impl Request {
    pub(super) fn path(&self) -> &str {
        self.0.split(' ').nth(1).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.0.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

pub(super) struct Answer {
    bytes: Vec<u8>,
    silence: bool,
}

impl Answer {
    /// An answer of the given status line (`200 OK`) with these headers and all of this body.
    pub(super) fn new(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Self {
        let mut head = headers.to_vec();
        let length = format!("Content-Length: {}", body.as_ref().len());
        head.push(&length);
        Self::raw(status, &head, body)
    }

    /// The same with nothing added to the headers.
    pub(super) fn raw(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Self {
        let mut text = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
        for header in headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(body.as_ref());
        Self {
            bytes,
            silence: false,
        }
    }

    pub(super) fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::new("200 OK", &[], body)
    }

    pub(super) fn missing() -> Self {
        Self::new("404 Not Found", &[], "")
    }

    pub(super) fn nothing() -> Self {
        Self {
            bytes: Vec::new(),
            silence: false,
        }
    }

    /// Neither more bytes nor an end after these.
    pub(super) fn then_silence(mut self) -> Self {
        self.silence = true;
        self
    }
}

pub(super) struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Mutex<Vec<Request>>>::default();
        let requests = Arc::clone(&seen);
        let answer = Arc::new(answer);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (answer, requests) = (Arc::clone(&answer), Arc::clone(&requests));
                connections.spawn(async move { serve(stream, &*answer, &requests).await });
            }
        });
        Self { port, seen, task }
    }

    pub(super) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://127.0.0.1:{}/{path}", self.port)).unwrap()
    }

    /// As the budget names it.
    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.seen().iter().map(|r| r.path().to_owned()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: &(impl Fn(&Request) -> Answer + ?Sized),
    requests: &Mutex<Vec<Request>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let request = Request(String::from_utf8(head).unwrap());
    requests.lock().unwrap().push(request.clone());
    let answer = answer(&request);
    // The client may have gone; it is the one that is tested.
    let _ = stream.write_all(&answer.bytes).await;
    if answer.silence {
        std::future::pending::<()>().await;
    }
    let _ = stream.shutdown().await;
}

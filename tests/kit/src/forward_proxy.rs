//! A forward proxy, as networks have them that let nothing else out: it makes tunnels for `CONNECT`, and knows by itself
//! where names lead.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::accept;

/// Longest head of a request that is read.
const MOST: usize = 16 * 1024;

/// What a client asked the proxy for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// `host:port`, as it was written.
    pub to: String,
    /// The `Proxy-Authorization`, if there was one.
    pub login: Option<String>,
}

/// The proxy, on `127.0.0.1`. It runs on the runtime that started it and stops when dropped.
pub struct ForwardProxy {
    addr: SocketAddr,
    tunnels: Arc<Mutex<Vec<Tunnel>>>,
    _connections: JoinSet<()>,
}

impl ForwardProxy {
    /// Starts a proxy that knows these hosts, each `host:port`, and refuses all others with 502.
    ///
    /// # Errors
    /// If no port is to be had.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn start(known: impl IntoIterator<Item = (String, SocketAddr)>) -> io::Result<Self> {
        let known: Arc<HashMap<_, _>> = Arc::new(known.into_iter().collect());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let tunnels = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&tunnels);
        let mut connections = JoinSet::new();
        connections.spawn(accept::each(listener, move |client| {
            pass(client, Arc::clone(&known), Arc::clone(&noted))
        }));
        Ok(Self {
            addr,
            tunnels,
            _connections: connections,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it was asked for, in turn.
    ///
    /// # Panics
    /// After a panic of the proxy.
    #[must_use]
    pub fn tunnels(&self) -> Vec<Tunnel> {
        self.tunnels
            .lock()
            .expect("no panic under this lock")
            .clone()
    }
}

async fn pass(
    mut client: TcpStream,
    known: Arc<HashMap<String, SocketAddr>>,
    noted: Arc<Mutex<Vec<Tunnel>>>,
) {
    let Some(tunnel) = asked(&mut client).await else {
        return;
    };
    let server = known.get(&tunnel.to).copied();
    noted.lock().expect("no panic under this lock").push(tunnel);
    let Some(server) = server else {
        let _ = client
            .write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
            .await;
        return;
    };
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    if client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.is_ok() {
        // Errors end the tunnel; its ends see that.
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    }
}

/// The head of a `CONNECT`. Clients wait for the answer before they send more, so it ends where the bytes do.
async fn asked(client: &mut TcpStream) -> Option<Tunnel> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut some = [0; 1024];
        let read = client.read(&mut some).await.ok().filter(|read| *read > 0)?;
        head.extend_from_slice(&some[..read]);
        if head.len() > MOST {
            return None;
        }
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let to = lines.next()?.strip_prefix("CONNECT ")?.split(' ').next()?;
    let login = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("proxy-authorization")
            .then(|| value.trim().to_owned())
    });
    Some(Tunnel {
        to: to.to_owned(),
        login,
    })
}

//! A server that speaks HTTP/2 over TLS and closes its first connections with ENHANCE_YOUR_CALM (RFC 9113, 7), which no
//! registry does on demand.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::{Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::accept;
use crate::tls::{TestCa, server_config};

/// The server, on `127.0.0.1`. It runs on the runtime that started it and stops when dropped.
pub struct CalmServer {
    addr: SocketAddr,
    requests: Arc<AtomicUsize>,
    _connections: JoinSet<()>,
}

impl CalmServer {
    /// Starts a server with a certificate of `ca`. Each of its first `excited` connections ends at its first request; on
    /// all others every request is answered 404.
    ///
    /// # Errors
    /// If no port is to be had.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn start(ca: &TestCa, excited: usize) -> io::Result<Self> {
        let mut tls = server_config(&ca.issue());
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        let mut connections = JoinSet::new();
        let mut left = excited;
        connections.spawn(accept::each(listener, move |connection| {
            let excited = left > 0;
            left = left.saturating_sub(1);
            serve(acceptor.clone(), connection, excited, Arc::clone(&counted))
        }));
        Ok(Self {
            addr,
            requests,
            _connections: connections,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many requests came, answered or not.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    connection: TcpStream,
    excited: bool,
    counted: Arc<AtomicUsize>,
) {
    // Errors end this connection; its client sees that.
    let Ok(connection) = acceptor.accept(connection).await else {
        return;
    };
    if excited {
        let _ = calm_down(connection, &counted).await;
    } else {
        let _ = nothing_there(connection, &counted).await;
    }
}

/// Answers 404 to all.
async fn nothing_there(
    connection: TlsStream<TcpStream>,
    counted: &AtomicUsize,
) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(connection).await?;
    while let Some(request) = connection.accept().await {
        let (_request, mut respond) = request?;
        counted.fetch_add(1, Ordering::SeqCst);
        let mut answer = Response::new(());
        *answer.status_mut() = StatusCode::NOT_FOUND;
        respond.send_response(answer, true)?;
    }
    Ok(())
}

/// Reads until a request comes, and closes the connection saying that none was looked at. By hand: h2's server has looked
/// at each that it read.
async fn calm_down(mut connection: TlsStream<TcpStream>, counted: &AtomicUsize) -> io::Result<()> {
    const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
    const HEADERS: u8 = 1;
    /// Empty settings: length 0, type 4, no flags, stream 0.
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    /// Length 8, type 7, no flags, stream 0; the last stream that was looked at is 0, the reason ENHANCE_YOUR_CALM (11).
    const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11];
    connection.read_exact(&mut [0; PREFACE]).await?;
    connection.write_all(&SETTINGS).await?;
    loop {
        let mut head = [0; 9];
        connection.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = (&mut connection).take(length.into());
        tokio::io::copy(&mut payload, &mut tokio::io::sink()).await?;
        if head[3] == HEADERS {
            counted.fetch_add(1, Ordering::SeqCst);
            connection.write_all(&GOAWAY).await?;
            connection.flush().await?;
            // Until the client has gone: an end before it has read that would be a broken connection to it.
            tokio::io::copy(&mut connection, &mut tokio::io::sink()).await?;
            return connection.shutdown().await;
        }
    }
}

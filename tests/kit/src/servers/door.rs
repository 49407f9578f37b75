//! A door before a server that can be shut: whoever knocks then is refused, and who is inside is thrown out.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::accept;

/// Connections that may wait at the door.
const BACKLOG: u32 = 64;

/// A door on `127.0.0.1` that passes bytes on while it is open. It runs on the runtime that made it.
#[derive(Debug)]
pub struct Door {
    addr: SocketAddr,
    to: SocketAddr,
    /// The only task of an open door.
    passing: JoinSet<()>,
    /// Of a shut door: keeps the port, listens to nobody.
    kept: Option<TcpSocket>,
}

impl Door {
    /// An open door before the server at `to`.
    ///
    /// # Errors
    /// If no port is to be had.
    pub fn open_before(to: SocketAddr) -> io::Result<Self> {
        let kept = socket_at(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let mut door = Self {
            addr: kept.local_addr()?,
            to,
            passing: JoinSet::new(),
            kept: Some(kept),
        };
        door.open()?;
        Ok(door)
    }

    /// Where it is.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Breaks every connection and refuses new ones.
    ///
    /// # Errors
    /// If the port was lost in that moment.
    pub async fn shut(&mut self) -> io::Result<()> {
        self.passing.shutdown().await;
        self.kept = Some(socket_at(self.addr)?);
        Ok(())
    }

    /// Lets connections through again.
    ///
    /// # Errors
    /// If nobody can listen at the port any more.
    pub fn open(&mut self) -> io::Result<()> {
        if let Some(kept) = self.kept.take() {
            self.passing.spawn(pass(kept.listen(BACKLOG)?, self.to));
        }
        Ok(())
    }
}

fn socket_at(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Connections of before may linger.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

async fn pass(listener: TcpListener, to: SocketAddr) {
    accept::each(listener, move |mut client| async move {
        if let Ok(mut server) = TcpStream::connect(to).await {
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        }
    })
    .await;
}

//! Servers of the kit take connections in one way: each is served beside the others, and all end with the listener's task.

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Serves each connection, until it is dropped. Connections end with it.
pub(crate) async fn each<F>(listener: TcpListener, mut serve: impl FnMut(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((connection, _)) = accepted else { continue };
                open.spawn(serve(connection));
            }
            Some(_) = open.join_next() => {}
        }
    }
}

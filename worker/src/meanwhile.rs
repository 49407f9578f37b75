//! What is done with a large file while it still comes: its blob is sent, its info taken out.
//!
//! None of it counts before the file is known to be what its record says. When the download fails, all of it is abandoned:
//! an upload is cut off short of its end and the registry asked to forget it, and a thread that follows the file is woken
//! with an error. When all of it is dropped (the process stops), nobody is asked for anything.

use std::convert::Infallible;
use std::future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, MaybeDone, maybe_done};
use mirror_oci::body::Growing;
use mirror_oci::registry::Registry;
use mirror_oci::{Digest, Presence};
use mirror_runtime::fail_point;
use mirror_runtime::telemetry::{Step, step};
use tokio::sync::oneshot;

use crate::extract::Extraction;
use crate::spool::Reservation;

/// So long an abandoned upload may take to end. It bounds how long a failed download's next try is put off.
const ENDING: Duration = Duration::from_secs(15);

/// A file in the spool that has begun to come.
pub(crate) struct Arriving {
    pub growing: Growing,
    pub reservation: Arc<Reservation>,
    /// Fires when the rest of the file is near.
    pub near: oneshot::Receiver<()>,
}

/// What became of an upload that was to begin early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upload {
    /// The registry has the blob.
    Done,
    /// It was tried once, in vain or not: nobody knows.
    Tried,
    /// There was none.
    NotBegun,
}

/// Resolves when an upload's file turns out to be of no use.
pub(crate) type Abandoned = oneshot::Receiver<Infallible>;

/// What goes on beside a download.
pub(crate) struct Meanwhile<'a> {
    upload: Pin<Box<MaybeDone<BoxFuture<'a, Upload>>>>,
    /// Dropped, it abandons the upload.
    wanted: oneshot::Sender<Infallible>,
    info: Option<Extraction>,
}

impl<'a> Meanwhile<'a> {
    pub(crate) fn new(
        upload: impl FnOnce(Abandoned) -> BoxFuture<'a, Upload>,
        info: Option<Extraction>,
    ) -> Self {
        let (wanted, abandoned) = oneshot::channel();
        let upload = Box::pin(maybe_done(upload(abandoned)));
        Self {
            upload,
            wanted,
            info,
        }
    }

    pub(crate) fn nothing() -> Self {
        Self::new(|_| no_upload(), None)
    }

    /// Waits for `main`, and lets the upload go on meanwhile.
    pub(crate) async fn during<T>(&mut self, main: impl Future<Output = T>) -> T {
        let mut main = std::pin::pin!(main);
        future::poll_fn(|cx| {
            // Its end can be asked for later, and as often as is liked.
            let _: Poll<()> = self.upload.as_mut().poll(cx);
            main.as_mut().poll(cx)
        })
        .await
    }

    /// Waits for the upload's end.
    pub(crate) async fn uploaded(mut self) -> Upload {
        self.upload.as_mut().await;
        self.upload.as_mut().take_output().unwrap_or(Upload::Tried)
    }

    /// Ends the upload before its end, as the file is of no use.
    pub(crate) async fn abandon(self) {
        drop(self.wanted);
        if tokio::time::timeout(ENDING, self.upload).await.is_err() {
            tracing::debug!("an abandoned upload did not end in time");
        }
    }

    /// The extraction, if there is one.
    pub(crate) fn take_info(&mut self) -> Option<Extraction> {
        self.info.take()
    }
}

pub(crate) fn no_upload<'a>() -> BoxFuture<'a, Upload> {
    future::ready(Upload::NotBegun).boxed()
}

/// Sends a blob while it comes, once the rest of it is near.
pub(crate) async fn upload_early(
    registry: &Registry,
    repository: &str,
    digest: Digest,
    growing: Growing,
    near: oneshot::Receiver<()>,
    presence: Presence,
    abandoned: Abandoned,
) -> Upload {
    if near.await.is_err() {
        return Upload::NotBegun;
    }
    fail_point::hit("before-upload").await;
    let abandoned = abandoned.map(drop);
    let span = mirror_oci::spans::blob(repository, &digest, growing.len());
    let pushing = registry.push_growing(repository, &digest, &growing, presence, abandoned);
    match step(Step::Blob, span, pushing).await {
        Ok(Some(_)) => Upload::Done,
        Ok(None) => Upload::Tried,
        // If it is the registry's doing, the upload of the whole file will meet it as well and say so.
        Err(error) => {
            tracing::debug!(repository, %digest, %error, "an upload beside its download failed");
            Upload::Tried
        }
    }
}

//! A blob that is sent while it still grows, and the upload session it leaves behind when it comes to nothing.

use std::time::Duration;

use futures::future::{Either, select};
use reqwest::{Method, StatusCode};
use url::Url;

use super::Registry;
use super::auth::Access;
use super::error::RegistryError;
use super::request::{Content, Request};
use crate::body::Growing;
use crate::digest::Digest;
use crate::{Presence, Pushed};

/// The DELETE of an upload session, in errors.
const CANCEL: &str = "cancel an upload";
/// So long a registry is asked to forget an upload, waiting in line included. Nothing depends on that.
const CANCELLING: Duration = Duration::from_secs(10);

impl Registry {
    /// Pushes a blob that still grows, once: whoever sends it has other tries to come, when it is whole. `None` when
    /// `abandoned` came first.
    ///
    /// If it was begun and came to nothing, the registry is asked to forget what it has of it, which takes some seconds at
    /// the most. Dropped, this asks for nothing.
    ///
    /// # Errors
    /// When this try fails.
    pub async fn push_growing(
        &self,
        repository: &str,
        digest: &Digest,
        growing: &Growing,
        presence: Presence,
        abandoned: impl Future<Output = ()>,
    ) -> Result<Option<Pushed>, RegistryError> {
        if presence == Presence::Unknown && self.has_blob(repository, digest, growing.len()).await?
        {
            return Ok(Some(Pushed::Present));
        }
        let session = self.start_upload(repository, None).await?;
        let begun = session.url().cloned();
        let sent = {
            let content = Content::Growing(growing);
            let sending = self.finish_upload(repository, digest, content, session);
            let (sending, abandoned) = (std::pin::pin!(sending), std::pin::pin!(abandoned));
            match select(sending, abandoned).await {
                Either::Left((sent, _)) => sent.map(|()| Some(Pushed::Sent)),
                Either::Right(((), _)) => Ok(None),
            }
        };
        // The connection of the PUT is closed by now.
        if let (Some(url), Err(_) | Ok(None)) = (begun, &sent) {
            self.cancel_upload(repository, url).await;
        }
        sent
    }

    /// Asks the registry to forget an upload session. One that does not, forgets it some day by itself.
    pub(super) async fn cancel_upload(&self, repository: &str, session: Url) {
        let request = Request::new(CANCEL, Method::DELETE, session, repository, Access::Push);
        let cancelling = tokio::time::timeout(CANCELLING, self.send_once_only(request));
        match cancelling.await {
            Ok(Ok(response)) if response.status() == StatusCode::NO_CONTENT => {}
            Ok(Ok(response)) => {
                let error = self.answered(CANCEL, repository, response).await;
                tracing::debug!(repository, %error, "an upload that came to nothing stays");
            }
            Ok(Err(error)) => {
                tracing::debug!(repository, %error, "an upload that came to nothing may stay");
            }
            Err(_) => tracing::debug!(repository, "an upload that came to nothing may stay"),
        }
    }
}

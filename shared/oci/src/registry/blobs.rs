//! Blobs: is it there, push it, mount it, read it.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures::TryStreamExt as _;
use mirror_runtime::Disposed as _;
use reqwest::header::{CONTENT_LENGTH, HeaderValue, LOCATION};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::Registry;
use super::auth::Access;
use super::error::RegistryError;
use super::reach::causes;
use super::request::{Content, Request};
use crate::body::Body;
use crate::digest::Digest;
use crate::{Presence, Pushed};

pub(super) const OCTETS: &str = "application/octet-stream";

/// The POST that begins an upload session, in errors.
pub(super) const START: &str = "start an upload";
/// The PUT that ends an upload session, in errors.
pub(super) const UPLOAD: &str = "upload a blob";

impl Registry {
    /// The size of a blob, if the repository has it.
    ///
    /// # Errors
    /// When the registry cannot be asked.
    pub async fn blob_size(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> Result<Option<u64>, RegistryError> {
        self.size_for(repository, digest, Access::Push).await
    }

    /// The same for somebody who only reads, and may have no login.
    ///
    /// # Errors
    /// When the registry cannot be asked.
    pub async fn look_for_blob(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> Result<Option<u64>, RegistryError> {
        let access = self.auth.read_access();
        self.size_for(repository, digest, access).await
    }

    async fn size_for(
        &self,
        repository: &str,
        digest: &Digest,
        access: Access,
    ) -> Result<Option<u64>, RegistryError> {
        const ACTION: &str = "look for a blob";
        let url = self.url(&format!("{repository}/blobs/{digest}"));
        let response = self
            .send(Request::new(ACTION, Method::HEAD, url, repository, access))
            .await?;
        match response.status() {
            StatusCode::OK => {
                let length = response
                    .headers()
                    .get(CONTENT_LENGTH)
                    .and_then(|v| v.to_str().ok());
                // A registry that hides the length has the blob all the same.
                Ok(Some(
                    length
                        .and_then(|text| text.parse().ok())
                        .unwrap_or(u64::MAX),
                ))
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.answered(ACTION, repository, response).await),
        }
    }

    /// Pushes a blob; looks for it first where it may be there. A failed upload is looked for, and
    /// then tried anew, a few times.
    ///
    /// # Errors
    /// When the registry refuses it, or the tries are used up.
    pub async fn push_blob(
        &self,
        repository: &str,
        digest: &Digest,
        body: &Body,
        presence: Presence,
    ) -> Result<Pushed, RegistryError> {
        let mut presence = presence;
        let mut delays = few_tries();
        loop {
            let tried = self.try_push(repository, digest, body, presence).await;
            match tried {
                Err(error) if error.is_transient() => {
                    let Some(delay) = delays.next() else {
                        return Err(error);
                    };
                    tracing::debug!(repository, %digest, %error, "upload failed, trying again");
                    // The registry may have it although the answer did not arrive.
                    presence = Presence::Unknown;
                    tokio::time::sleep(delay).await;
                }
                settled => return settled,
            }
        }
    }

    /// Pushes a blob once, looking for it first where it may be there.
    async fn try_push(
        &self,
        repository: &str,
        digest: &Digest,
        body: &Body,
        presence: Presence,
    ) -> Result<Pushed, RegistryError> {
        if presence == Presence::Unknown && self.has_blob(repository, digest, body.len()).await? {
            return Ok(Pushed::Present);
        }
        let session = match self.singles.way(body) {
            Some(way) => self.post_whole(repository, digest, body, way).await?,
            None => self.start_upload(repository, None).await?,
        };
        self.finish_upload(repository, digest, Content::Whole(body), session)
            .await?;
        Ok(Pushed::Sent)
    }

    /// Whether the repository has a blob of this length.
    pub(super) async fn has_blob(
        &self,
        repository: &str,
        digest: &Digest,
        len: u64,
    ) -> Result<bool, RegistryError> {
        let size = self.blob_size(repository, digest).await?;
        Ok(size == Some(len) || size == Some(u64::MAX))
    }

    /// Makes a blob of `from` appear in `repository` without sending it; where the registry does
    /// not mount but opens an upload session instead, that is used. One try.
    pub(super) async fn mount_or_push(
        &self,
        repository: &str,
        digest: &Digest,
        body: &Body,
        from: &str,
    ) -> Result<Pushed, RegistryError> {
        let digest_text = digest.to_string();
        match self
            .start_upload(repository, Some((&digest_text, from)))
            .await?
        {
            Session::Done => Ok(Pushed::Present),
            session => {
                self.finish_upload(repository, digest, Content::Whole(body), session)
                    .await?;
                Ok(Pushed::Sent)
            }
        }
    }

    /// Begins an upload, or mounts: a digest and the repository to mount it from.
    pub(super) async fn start_upload(
        &self,
        repository: &str,
        mount: Option<(&str, &str)>,
    ) -> Result<Session, RegistryError> {
        let mut url = self.url(&format!("{repository}/blobs/uploads/"));
        if let Some((digest, from)) = mount {
            let query = [("mount", digest), ("from", from)];
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = Request::new(START, Method::POST, url, repository, Access::Push)
            .mounting(mount.map(|(_, from)| from));
        let response = self.send(request).await?;
        match response.status() {
            StatusCode::CREATED if mount.is_some() => Ok(Session::Done),
            StatusCode::ACCEPTED => Ok(Session::At(self.location(START, repository, &response)?)),
            _ => Err(self.answered(START, repository, response).await),
        }
    }

    pub(super) async fn finish_upload(
        &self,
        repository: &str,
        digest: &Digest,
        body: Content<'_>,
        session: Session,
    ) -> Result<(), RegistryError> {
        let Session::At(mut url) = session else {
            return Ok(());
        };
        if let Content::Whole(whole) = body
            && self.is_chunked(whole.len())
        {
            return self.send_chunks(repository, digest, whole, url).await;
        }
        // Whatever the session's query holds is the registry's and stays.
        url.query_pairs_mut()
            .append_pair("digest", &digest.to_string());
        let request = Request::new(UPLOAD, Method::PUT, url, repository, Access::Push)
            .with_body(OCTETS, body);
        let about = |error: RegistryError| error.about_blob(digest, body.len());
        let response = self.send(request).await.map_err(about)?;
        match response.status() {
            StatusCode::CREATED | StatusCode::NO_CONTENT | StatusCode::OK => Ok(()),
            _ => Err(about(self.answered(UPLOAD, repository, response).await)),
        }
    }

    /// `Location` resolved against the URL that answered.
    pub(super) fn location(
        &self,
        action: &'static str,
        repository: &str,
        response: &Response,
    ) -> Result<Url, RegistryError> {
        let header = response.headers().get(LOCATION);
        header
            .and_then(|location| resolved(response.url(), location))
            .ok_or_else(|| self.protocol(action, repository, "the answer has no usable Location"))
    }

    /// Makes a blob of `from`, another repository of this registry, appear in `repository`. `false`: the registry does
    /// not do that, or does not have it; nothing is left behind. One try.
    ///
    /// # Errors
    /// When the registry refuses it or cannot be asked.
    pub async fn mount(
        &self,
        repository: &str,
        digest: &Digest,
        from: &str,
    ) -> Result<bool, RegistryError> {
        let digest = digest.to_string();
        match self.start_upload(repository, Some((&digest, from))).await? {
            Session::Done => Ok(true),
            Session::At(url) => {
                self.cancel_upload(repository, url).await;
                Ok(false)
            }
        }
    }

    /// Reads a blob as a stream of its bytes, unverified: the caller hashes what arrives. `None` when the registry does
    /// not have it.
    ///
    /// # Errors
    /// When the registry cannot be asked.
    pub async fn read_blob(
        &self,
        repository: &str,
        digest: &Digest,
    ) -> Result<Option<crate::BlobStream>, RegistryError> {
        const ACTION: &str = "read a blob";
        let url = self.url(&format!("{repository}/blobs/{digest}"));
        let response = self
            .send(
                Request::new(
                    ACTION,
                    Method::GET,
                    url,
                    repository,
                    self.auth.read_access(),
                )
                .streamed(),
            )
            .await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(self.answered(ACTION, repository, response).await),
        }
        let bytes = response.bytes_stream();
        Ok(Some(Box::pin(bytes.map_err(|error| {
            std::io::Error::other(causes(&error.without_url()))
        }))))
    }
}

/// Where `location` leads from the address that answered, if it can be followed. Its query is the registry's and stays; a
/// login in it does not: it would go along as one more `Authorization`, and into the log.
pub(super) fn resolved(answered: &Url, location: &HeaderValue) -> Option<Url> {
    let mut url = answered.join(location.to_str().ok()?).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(url)
}

/// What a POST came to.
pub(super) enum Session {
    /// Mounted, or sent already: nothing to send.
    Done,
    /// Where the bytes go.
    At(Url),
}

impl Session {
    pub(super) fn url(&self) -> Option<&Url> {
        match self {
            Self::Done => None,
            Self::At(url) => Some(url),
        }
    }
}

/// The delays between tries of one request: short ones, the queue's delays follow when they are used up.
pub(crate) fn few_tries() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(200))
        .with_factor(3.0)
        .with_max_times(3)
        .with_jitter()
        .build()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn answered() -> Url {
        Url::parse("https://r.example/v2/ns/a/blobs/uploads/?mount=x").unwrap()
    }

    #[test]
    fn every_form_of_a_location_is_resolved_and_others_are_not_followed() {
        let cases = [
            (
                "/v2/ns/a/blobs/uploads/1?_state=a%2B%3D",
                Some("https://r.example/v2/ns/a/blobs/uploads/1?_state=a%2B%3D"),
            ),
            (
                "https://store.example/x?sig=%2F",
                Some("https://store.example/x?sig=%2F"),
            ),
            ("//store.example/x", Some("https://store.example/x")),
            ("1?s", Some("https://r.example/v2/ns/a/blobs/uploads/1?s")),
            (
                "https://user:secret@store.example/x",
                Some("https://store.example/x"),
            ),
            ("file:///etc/passwd", None),
            ("javascript:1", None),
            ("http://", None),
        ];
        for (location, expected) in cases {
            let resolved = resolved(&answered(), &HeaderValue::from_static(location));
            assert_eq!(resolved.as_ref().map(Url::as_str), expected, "{location}");
        }
    }
}

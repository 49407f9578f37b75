//! A blob in pieces, for registries that take only so much in one request (ghcr.io: 4 MiB a PATCH, rust-oci-client#35). Only
//! where the user says so: in one piece it takes fewer requests.

use reqwest::{Method, StatusCode};
use url::Url;

use super::Registry;
use super::auth::Access;
use super::blobs::{OCTETS, UPLOAD};
use super::error::RegistryError;
use super::request::{Content, Request};
use crate::body::Body;
use crate::digest::Digest;

impl Registry {
    /// Sends `body` to the session at `url` in pieces, ends the session, and looks whether all of them arrived: Artifactory
    /// once kept the last one only and answered 201.
    pub(super) async fn send_chunks(
        &self,
        repository: &str,
        digest: &Digest,
        body: &Body,
        mut url: Url,
    ) -> Result<(), RegistryError> {
        let about = |error: RegistryError| error.about_blob(digest, body.len());
        let most = self.max_chunk.map_or(body.len(), std::num::NonZero::get);
        let mut at = 0;
        while at < body.len() {
            let len = most.min(body.len() - at);
            let chunk = body.part(at, len);
            let request = Request::new(UPLOAD, Method::PATCH, url, repository, Access::Push)
                .with_body(OCTETS, Content::Whole(&chunk))
                .with_range(at, len);
            let response = self.send(request).await.map_err(about)?;
            if !matches!(
                response.status(),
                StatusCode::ACCEPTED | StatusCode::NO_CONTENT | StatusCode::CREATED
            ) {
                return Err(about(self.answered(UPLOAD, repository, response).await));
            }
            url = self.location(UPLOAD, repository, &response)?;
            at += len;
        }
        url.query_pairs_mut()
            .append_pair("digest", &digest.to_string());
        let request = Request::new(UPLOAD, Method::PUT, url, repository, Access::Push);
        let response = self.send(request).await.map_err(about)?;
        if !response.status().is_success() {
            return Err(about(self.answered(UPLOAD, repository, response).await));
        }
        if self.has_blob(repository, digest, body.len()).await? {
            return Ok(());
        }
        let problem = format!(
            "{digest} of {} bytes was sent in pieces of at most {most}, and the registry has not all of it; if it goes on \
             like this, leave --max-chunk out",
            body.len()
        );
        Err(self.protocol(UPLOAD, repository, &problem))
    }
}

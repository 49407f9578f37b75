//! Manifests and tags.

use std::collections::HashSet;

use bytes::Bytes;
use mirror_runtime::Disposed as _;
use reqwest::header::LINK;
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::Registry;
use super::answer::read_limited;
use super::auth::Access;
use super::blobs::few_tries;
use super::error::RegistryError;
use super::request::{Content, Request};
use crate::StoredManifest;
use crate::body::Body;
use crate::digest::Digest;
use crate::layout;
use crate::manifest::MAX_MANIFEST;

const LIST_TAGS: &str = "list tags";
/// The PUT of a manifest, in errors.
pub(super) const PUT_MANIFEST: &str = "put a manifest";

/// Pages of tags that are followed; with 1,000 a page far beyond what one package has.
const MAX_TAG_PAGES: usize = 1_000;
/// Largest page of tags that is read.
const MAX_TAG_PAGE: usize = 4 * 1024 * 1024;
/// Memory that the tags of one repository may take, in bytes, the addresses of their pages included.
const MAX_TAGS: usize = 64 * 1024 * 1024;

impl Registry {
    /// The manifest at a tag or digest, if there is one.
    ///
    /// # Errors
    /// When the registry cannot be asked.
    pub async fn manifest(
        &self,
        repository: &str,
        reference: &str,
    ) -> Result<Option<StoredManifest>, RegistryError> {
        let mut delays = few_tries();
        loop {
            match self.try_manifest(repository, reference).await {
                Err(error) if error.is_transient() => {
                    let Some(delay) = delays.next() else {
                        return Err(error);
                    };
                    tokio::time::sleep(delay).await;
                }
                settled => return settled,
            }
        }
    }

    async fn try_manifest(
        &self,
        repository: &str,
        reference: &str,
    ) -> Result<Option<StoredManifest>, RegistryError> {
        const ACTION: &str = "read a manifest";
        let Some(response) = self
            .read(ACTION, repository, &format!("manifests/{reference}"))
            .await?
        else {
            return Ok(None);
        };
        let bytes = read_limited(response, MAX_MANIFEST)
            .await
            .map_err(|error| error.into_error(ACTION, &self.host, repository))?;
        let digest = Digest::of(&bytes);
        if reference.parse().is_ok_and(|asked: Digest| asked != digest) {
            let problem = format!("asked for {reference}, got {digest}");
            return Err(self.protocol(ACTION, repository, &problem));
        }
        Ok(Some(StoredManifest { digest, bytes }))
    }

    /// Puts a manifest at a tag. Gives its digest.
    ///
    /// # Errors
    /// When the registry refuses it ([`RegistryError::is_blob_unknown`]: a blob it names is not
    /// there), says that it stored something else, or cannot be asked.
    pub async fn put_manifest(
        &self,
        repository: &str,
        tag: &str,
        bytes: &Bytes,
    ) -> Result<Digest, RegistryError> {
        let mut delays = few_tries();
        loop {
            match self.try_put_manifest(repository, tag, bytes).await {
                Err(error) if error.is_transient() && !error.is_blob_unknown() => {
                    let Some(delay) = delays.next() else {
                        return Err(error);
                    };
                    tokio::time::sleep(delay).await;
                }
                settled => return settled,
            }
        }
    }

    async fn try_put_manifest(
        &self,
        repository: &str,
        tag: &str,
        bytes: &Bytes,
    ) -> Result<Digest, RegistryError> {
        let url = self.url(&format!("{repository}/manifests/{tag}"));
        let body = Body::Memory(bytes.clone());
        let request = Request::new(PUT_MANIFEST, Method::PUT, url, repository, Access::Push)
            .with_body(layout::MANIFEST, Content::Whole(&body));
        let response = self.send(request).await?;
        if !response.status().is_success() {
            return Err(self.answered(PUT_MANIFEST, repository, response).await);
        }
        let ours = Digest::of(bytes);
        let theirs = response
            .headers()
            .get("docker-content-digest")
            .and_then(|v| v.to_str().ok());
        match theirs {
            // Not every registry says it (ECR's answer is bare).
            Some(theirs) if theirs != ours.to_string() => {
                let problem = format!(
                    "sent {ours}, the registry says it stored {theirs:.100}; it does not count as mirrored; \
                     see whether something on the way changes what is sent, or what the registry's log says"
                );
                Err(self.protocol(PUT_MANIFEST, repository, &problem))
            }
            _ => Ok(ours),
        }
    }

    /// All tags of a repository; `None` when there is no such repository.
    ///
    /// # Errors
    /// When the registry cannot be asked, or the list does not end or is beyond all bounds.
    pub async fn tags(&self, repository: &str) -> Result<Option<Vec<String>>, RegistryError> {
        let mut tags = Vec::new();
        let mut held = 0;
        let mut asked = HashSet::new();
        let mut query = "n=1000".to_owned();
        for _ in 0..MAX_TAG_PAGES {
            let Some((page, next)) = self.tags_page(repository, &query).await? else {
                return Ok(None);
            };
            held += page
                .iter()
                .chain(&next)
                .map(|text| memory(text))
                .sum::<usize>();
            if held > MAX_TAGS {
                return Err(RegistryError::TooLarge {
                    action: LIST_TAGS,
                    host: self.host.clone(),
                    repository: repository.to_owned(),
                    limit: MAX_TAGS,
                });
            }
            tags.extend(page);
            asked.insert(query);
            match next {
                Some(next) if asked.contains(&next) => break,
                Some(next) => query = next,
                None => return Ok(Some(tags)),
            }
        }
        Err(self.protocol(LIST_TAGS, repository, "the list of tags does not end"))
    }

    /// One page of tags, and the query of the next.
    async fn tags_page(&self, repository: &str, query: &str) -> Result<TagsPage, RegistryError> {
        let mut delays = few_tries();
        loop {
            match self.try_tags_page(repository, query).await {
                Err(error) if error.is_transient() => {
                    let Some(delay) = delays.next() else {
                        return Err(error);
                    };
                    tokio::time::sleep(delay).await;
                }
                settled => return settled,
            }
        }
    }

    async fn try_tags_page(
        &self,
        repository: &str,
        query: &str,
    ) -> Result<TagsPage, RegistryError> {
        let path = format!("tags/list?{query}");
        let Some(response) = self.read(LIST_TAGS, repository, &path).await? else {
            return Ok(None);
        };
        let next = next_page(&response);
        let body = read_limited(response, MAX_TAG_PAGE)
            .await
            .map_err(|error| error.into_error(LIST_TAGS, &self.host, repository))?;
        let list: TagList = serde_json::from_slice(&body)
            .map_err(|error| self.protocol(LIST_TAGS, repository, &error.to_string()))?;
        Ok(Some((list.tags.unwrap_or_default(), next)))
    }

    /// GETs something of a repository; `None` when it or the repository is not there, or not
    /// visible to someone who is not logged in.
    async fn read(
        &self,
        action: &'static str,
        repository: &str,
        path: &str,
    ) -> Result<Option<Response>, RegistryError> {
        let url = self.url(&format!("{repository}/{path}"));
        let access = self.auth.read_access();
        let sent = self
            .send(Request::new(action, Method::GET, url, repository, access))
            .await;
        let response = match sent {
            // ghcr.io refuses even a token for a repository that does not exist yet. One that is read from exists.
            Err(RegistryError::LoginNeeded { .. }) if !self.auth.only_reads => return Ok(None),
            sent => sent?,
        };
        match response.status() {
            StatusCode::OK => Ok(Some(response)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.answered(action, repository, response).await),
        }
    }
}

/// Tags and the query of the next page; `None` when there is no such repository.
type TagsPage = Option<(Vec<String>, Option<String>)>;

#[derive(serde::Deserialize)]
struct TagList {
    tags: Option<Vec<String>>,
}

/// What a text costs to keep, in bytes.
fn memory(text: &str) -> usize {
    size_of::<String>() + text.len()
}

/// The query of the next page (`Link: </v2/…/tags/list?last=x&n=1000>; rel="next"`). Only the query
/// is taken: the page is asked for where the first one was.
fn next_page(response: &Response) -> Option<String> {
    let link = response.headers().get(LINK)?.to_str().ok()?;
    let target = link.split_once('<')?.1.split_once('>')?.0;
    let url: Url = response.url().join(target).ok()?;
    url.query().map(str::to_owned)
}

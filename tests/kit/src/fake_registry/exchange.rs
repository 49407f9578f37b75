//! One request on its way through faults and authorization to its handler.

use axum::http::{HeaderMap, Method, StatusCode};

use super::answer::{Answer, Builder, Refusal, error, no_such_page};
use super::auth::{Auth, authorize};
use super::body::RequestBody;
use super::faults::Faults;
use super::grammar::{LONGEST_NAME, is_digest};
use super::log::Kind;
use super::options::{Location, Mount, Unmade};
use super::route::Route;
use super::shared::Shared;

/// One request with what its handler needs.
pub(super) struct Exchange<'a> {
    pub(super) registry: &'a Shared,
    pub(super) method: &'a Method,
    pub(super) route: &'a Route,
    pub(super) headers: &'a HeaderMap,
    pub(super) faults: &'a Faults,
    pub(super) content_length: Option<u64>,
    pub(super) base: String,
}

impl Exchange<'_> {
    pub(super) async fn run(&self, body: &mut RequestBody<'_>) -> Result<Answer, Refusal> {
        if let Some(answer) = self.faults.answer() {
            body.drain().await?;
            return Ok(answer);
        }
        if let Some(limit) = self.registry.options.write_limit
            && self.route.kind.is_write()
            && let Err(seconds) = self.registry.writes.take(limit)
        {
            body.drain().await?;
            return Ok(Builder::new(StatusCode::TOO_MANY_REQUESTS)
                .header("retry-after", seconds.to_string())
                .body(""));
        }
        self.authorize()?;
        if let Err(refusal) = self.check_repository() {
            body.drain().await?;
            return Err(refusal);
        }
        let reads_body = matches!(
            self.route.kind,
            Kind::UploadPost | Kind::UploadPatch | Kind::UploadPut | Kind::ManifestPut
        );
        if !reads_body {
            body.drain().await?;
        }
        match self.route.kind {
            Kind::Ping => Ok(Builder::new(StatusCode::OK)
                .header("content-type", "application/json")
                .body("{}")),
            Kind::Token => Ok(self.token()),
            Kind::UploadPost => self.begin_upload(body).await,
            Kind::Mount => self.mount(),
            Kind::UploadPatch => self.patch_upload(body).await,
            Kind::UploadPut => self.finish_upload(body).await,
            Kind::UploadGet => self.upload_status(),
            Kind::UploadDelete => self.cancel_upload(),
            Kind::BlobHead | Kind::BlobGet => self.blob().await,
            Kind::BlobDelete => self.delete_blob(),
            Kind::ManifestHead | Kind::ManifestGet => self.manifest(),
            Kind::ManifestPut => self.put_manifest(body).await,
            Kind::ManifestDelete => self.delete_manifest(),
            Kind::TagsList => self.tags(),
            Kind::Other => Ok(no_such_page()),
        }
    }

    fn authorize(&self) -> Result<(), Refusal> {
        if self.on_storage_host() {
            return Ok(());
        }
        let options = &self.registry.options;
        let mount_reads_source = options.mount == Mount::WithSource;
        let (auth, tokens) = (&options.auth, &self.registry.tokens);
        authorize(
            auth,
            tokens,
            self.route,
            self.headers,
            &self.base,
            mount_reads_source,
        )
    }

    /// Whether the repository is one that this registry would have.
    fn check_repository(&self) -> Result<(), Refusal> {
        let (options, name) = (&self.registry.options, &self.route.repository);
        if name.is_empty() {
            return Ok(());
        }
        if options
            .deepest_name
            .is_some_and(|most| name.split('/').count() > most)
        {
            // Hub's tokens are good for nothing there.
            let detail = "requested access to the resource is denied";
            return Err(error(StatusCode::FORBIDDEN, "DENIED", detail).into());
        }
        let is_made = || self.registry.store.repositories().contains_key(name);
        if options.unmade == Unmade::Refused && self.route.kind.is_write() && !is_made() {
            let message = format!(
                "The repository with name '{name}' does not exist in the registry with id '123456789012'"
            );
            let body =
                serde_json::json!({"errors": [{"code": "NAME_UNKNOWN", "message": message}]});
            let answer =
                Builder::new(StatusCode::NOT_FOUND).header("content-type", "application/json");
            return Err(answer.body(body.to_string()).into());
        }
        Ok(())
    }

    pub(super) fn on_storage_host(&self) -> bool {
        let options = &self.registry.options;
        let separate = options.redirect_blobs || options.location == Location::StorageHost;
        separate && self.base == self.registry.storage_base()
    }

    fn token(&self) -> Answer {
        let Auth::Bearer(bearer) = &self.registry.options.auth else {
            return no_such_page();
        };
        self.registry
            .tokens
            .give(bearer, self.route, self.headers, |repository| {
                self.registry.store.repositories().contains_key(repository)
            })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A path of this server as a `Location`.
    pub(super) fn here(&self, path: &str) -> String {
        match self.registry.options.location {
            Location::Relative => path.to_owned(),
            Location::Absolute | Location::StorageHost => format!("{}{path}", self.base),
        }
    }

    pub(super) fn check_name_length(&self) -> Result<(), Refusal> {
        if self.route.repository.len() <= LONGEST_NAME {
            return Ok(());
        }
        let detail = format!("repository names have at most {LONGEST_NAME} bytes");
        Err(error(StatusCode::BAD_REQUEST, "NAME_INVALID", detail).into())
    }

    pub(super) fn check_digest(&self, digest: &str) -> Result<(), Refusal> {
        if is_digest(digest) {
            return Ok(());
        }
        Err(error(
            StatusCode::BAD_REQUEST,
            "DIGEST_INVALID",
            format!("{digest:?}"),
        )
        .into())
    }
}

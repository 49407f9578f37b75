//! How a [`FakeRegistry`](super::FakeRegistry) behaves where real registries
//! differ. The default is distribution's way with everything strict.

use std::time::Duration;

use super::auth::Auth;
use super::limit::WriteLimit;

/// The behaviour of a registry.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who may do what.
    pub auth: Auth,
    /// `POST …/blobs/uploads/?digest=`.
    pub single_post: SinglePost,
    /// `POST …/blobs/uploads/?mount=`.
    pub mount: Mount,
    /// How `Location` is written.
    pub location: Location,
    /// Whether a manifest with a 0-byte config is refused, as by ECR, Quay and
    /// Harbor.
    pub refuse_empty_config: bool,
    /// What a push into a repository that is not there does.
    pub unmade: Unmade,
    /// Most components of a repository's name; Docker Hub's is 2.
    pub deepest_name: Option<usize>,
    /// Whether a PUT without `Content-Length` is refused with 411.
    pub require_content_length: bool,
    /// Largest PATCH in bytes, more is 416; ghcr.io's is 4 MiB
    /// (rust-oci-client#35).
    pub largest_chunk: Option<u64>,
    /// Largest manifest in bytes, more is 413; zot's and distribution's is
    /// 4 MiB.
    pub largest_manifest: usize,
    /// Tags in a page when the client does not say `n`, and at most; ghcr.io's
    /// is 100. `None`: all.
    pub tags_page: Option<usize>,
    /// Whether a manifest PUT's answer has `Location`; ECR's has none.
    pub manifest_location: bool,
    /// Whether DELETE of manifests and blobs is allowed (else 405).
    pub delete: bool,
    /// A `Cache-Control` of blobs; distribution says `max-age=31536000`.
    pub blob_cache_control: Option<String>,
    /// Whether GET of a blob is answered 307 to the storage host, as ghcr.io
    /// and ECR do.
    pub redirect_blobs: bool,
    /// How many writes it takes; above it answers 429 with `Retry-After`.
    pub write_limit: Option<WriteLimit>,
    /// Every request takes at least this long.
    pub latency: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            auth: Auth::Open,
            single_post: SinglePost::Ignored,
            mount: Mount::WithSource,
            location: Location::Absolute,
            refuse_empty_config: true,
            unmade: Unmade::Made,
            deepest_name: None,
            require_content_length: true,
            largest_chunk: None,
            largest_manifest: 4 << 20,
            tags_page: None,
            manifest_location: true,
            delete: false,
            blob_cache_control: None,
            redirect_blobs: false,
            write_limit: None,
            latency: Duration::ZERO,
        }
    }
}

/// What a push into a repository that is not there does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmade {
    /// It makes it.
    Made,
    /// 404 `NAME_UNKNOWN` in ECR's words.
    Refused,
}

/// What a POST with `?digest=` and the blob as body does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinglePost {
    /// It uploads the blob: 201, as zot does.
    Accepted,
    /// The body is ignored and a session begins: 202, as distribution does.
    Ignored,
}

/// What a POST with `?mount=` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mount {
    /// With `from` it mounts (201) where the source has the blob; otherwise a
    /// session begins (202). With bearer tokens the token must allow `pull` on
    /// the source. Distribution's way.
    WithSource,
    /// It mounts from wherever the blob is, `from` or not, as zot does.
    Anywhere,
    /// It never mounts: a session begins (202).
    Never,
    /// 405 `UNSUPPORTED`.
    Refused,
}

/// How the `Location` of sessions, blobs and manifests is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// `http://host/v2/…`
    Absolute,
    /// `/v2/…`, as ghcr.io does.
    Relative,
    /// Upload sessions live on the storage host; the rest is absolute.
    StorageHost,
}

/// The storage host is this same server under another name, where nobody needs
/// credentials and nobody should send any.
pub(super) const STORAGE_HOST: &str = "localhost";

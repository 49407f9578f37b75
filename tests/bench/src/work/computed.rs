//! A registry that has every file of a generated index without holding any: manifests, blobs' sizes and tags are computed
//! from the index. Indexes and shards are another registry's, to which it passes those requests on.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use mirror_ledger::FileOutcome;
use reqwest::Client;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::generated::files;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
/// Of blobs that all packages share, as only their digests and sizes are asked for.
const INFO: (&str, u64) = (
    "sha256:1111111111111111111111111111111111111111111111111111111111111111",
    4_000,
);
const INDEX: (&str, u64) = (
    "sha256:2222222222222222222222222222222222222222222222222222222222222222",
    500,
);

/// What a tag of the generated index names.
struct Named {
    tag: Box<str>,
    sha256: [u8; 32],
    size: u64,
    is_conda: bool,
}

struct Shared {
    /// The files of each package name.
    names: HashMap<Box<str>, Vec<Named>>,
    indexes: String,
    client: Client,
    requests: AtomicU64,
}

/// The running registry. Dropping it ends it.
pub(super) struct Computed {
    addr: SocketAddr,
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Computed {
    /// With the files of `index`; all that is asked of `repodata.json` goes to the registry at `indexes`.
    ///
    /// # Errors
    /// If no port is free.
    pub(super) async fn start(index: &[u8], indexes: String, client: Client) -> Result<Self> {
        let mut names: HashMap<Box<str>, Vec<Named>> = HashMap::new();
        for (file, outcome) in files(index) {
            let FileOutcome::Done { sha256, size, .. } = outcome else {
                continue;
            };
            let is_conda = file.ends_with(".conda");
            let stem = file.trim_end_matches(".conda").trim_end_matches(".tar.bz2");
            let mut parts = stem.rsplitn(3, '-');
            let (Some(build), Some(version), Some(name)) =
                (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            names.entry(name.into()).or_default().push(Named {
                tag: format!("{version}-{build}").into(),
                sha256,
                size,
                is_conda,
            });
        }
        let shared = Arc::new(Shared {
            names,
            indexes,
            client,
            requests: AtomicU64::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            // It ends when it is dropped.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            addr,
            shared,
            task: task.abort_handle(),
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Requests since this was asked last.
    pub(super) fn requests(&self) -> u64 {
        self.shared.requests.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Computed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let path = request.uri().path();
    if path == "/v2/" || path.contains("/repodata.json/") {
        return passed_on(&shared, request.into_parts().0)
            .await
            .unwrap_or_else(|_| StatusCode::BAD_GATEWAY.into_response());
    }
    computed(&shared, request.method(), path)
        .unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

async fn passed_on(shared: &Shared, request: Parts) -> reqwest::Result<Response> {
    let url = format!("{}{}", shared.indexes, request.uri);
    let asked = shared.client.request(request.method, url);
    let mut headers = request.headers;
    headers.remove(header::HOST);
    let got = asked.headers(headers).send().await?;
    let (status, headers) = (got.status(), got.headers().clone());
    let mut response = Response::new(Body::from(got.bytes().await?));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Of `/v2/<namespace>/<channel>/<subdir>/<name>/<kind>/<reference>`.
fn computed(shared: &Shared, method: &Method, path: &str) -> Option<Response> {
    let mut parts = path.rsplitn(4, '/');
    let (reference, kind, name) = (parts.next()?, parts.next()?, parts.next()?);
    let named = shared.names.get(name)?;
    match (method, kind, reference) {
        (&Method::GET, "tags", "list") => {
            let tags: Vec<_> = named.iter().map(|named| &*named.tag).collect();
            let list = json!({"name": name, "tags": tags}).to_string();
            Some(([(header::CONTENT_TYPE, "application/json")], list).into_response())
        }
        (&Method::GET, "manifests", tag) => {
            let named = named.iter().find(|named| &*named.tag == tag)?;
            Some(([(header::CONTENT_TYPE, MANIFEST)], manifest(named)).into_response())
        }
        (&Method::HEAD, "blobs", digest) => {
            let shared = [(CONFIG, 2), INFO, INDEX].into_iter();
            let mut shared = shared.filter(|(of, _)| *of == digest).map(|(_, size)| size);
            let size = shared.next().or_else(|| size_of(named, digest))?;
            Some(([(header::CONTENT_LENGTH, size.to_string())], ()).into_response())
        }
        _ => None,
    }
}

fn size_of(named: &[Named], digest: &str) -> Option<u64> {
    let sha256 = hex::decode(digest.strip_prefix("sha256:")?).ok()?;
    let named = named.iter().find(|named| named.sha256[..] == sha256)?;
    Some(named.size)
}

fn manifest(named: &Named) -> String {
    let package = match named.is_conda {
        true => "application/vnd.conda.package.v2",
        false => "application/vnd.conda.package.v1",
    };
    let layer = |media_type: &str, digest: &str, size: u64| json!({"mediaType": media_type, "digest": digest, "size": size});
    let sha256 = format!("sha256:{}", hex::encode(named.sha256));
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layer("application/vnd.unknown.config.v1+json", CONFIG, 2),
        "layers": [
            layer(package, &sha256, named.size),
            layer("application/vnd.conda.info.v1.tar+gzip", INFO.0, INFO.1),
            layer("application/vnd.conda.info.index.v1+json", INDEX.0, INDEX.1),
        ],
    })
    .to_string()
}

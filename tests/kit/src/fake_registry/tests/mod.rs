//! The fake registry against the distribution specification, over real HTTP.
#![allow(clippy::unwrap_used)]

mod auth;
mod faults;
mod manifests;
mod tags;
mod uploads;
mod witness;

use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use url::Url;

use super::{FakeRegistry, sha256_digest};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn client() -> Client {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// The error code of an error response.
async fn code(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (
        status,
        body["errors"][0]["code"].as_str().unwrap().to_owned(),
    )
}

/// `Location`, resolved against the URL that was asked.
fn location(response: &Response) -> Url {
    let location = response.headers()[LOCATION].to_str().unwrap();
    response.url().join(location).unwrap()
}

fn with_digest(mut url: Url, digest: &str) -> Url {
    url.query_pairs_mut().append_pair("digest", digest);
    url
}

fn uploads(registry: &FakeRegistry, repository: &str) -> String {
    format!("{}/v2/{repository}/blobs/uploads/", registry.url())
}

fn blob_url(registry: &FakeRegistry, repository: &str, digest: &str) -> String {
    format!("{}/v2/{repository}/blobs/{digest}", registry.url())
}

fn manifest_url(registry: &FakeRegistry, repository: &str, reference: &str) -> String {
    format!("{}/v2/{repository}/manifests/{reference}", registry.url())
}

/// POST and PUT of one blob.
async fn push(
    client: &Client,
    registry: &FakeRegistry,
    repository: &str,
    bytes: &[u8],
) -> Response {
    let started = client
        .post(uploads(registry, repository))
        .send()
        .await
        .unwrap();
    assert_eq!(started.status(), 202);
    let url = with_digest(location(&started), &sha256_digest(bytes));
    client.put(url).body(bytes.to_vec()).send().await.unwrap()
}

/// A manifest of the config `{}` and one layer.
fn manifest_of(layer: &[u8]) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.unknown.config.v1+json",
            "digest": sha256_digest(b"{}"),
            "size": 2,
        },
        "layers": [{
            "mediaType": "application/octet-stream",
            "digest": sha256_digest(layer),
            "size": layer.len(),
        }],
    })
}

async fn put_manifest(client: &Client, url: String, manifest: &Value) -> Response {
    let put = client.put(url).header(CONTENT_TYPE, MANIFEST);
    put.body(manifest.to_string()).send().await.unwrap()
}

//! The server as a plain client sees it.
#![allow(clippy::unwrap_used)]

mod faults;

use std::fs;

use reqwest::{Client, Response, redirect::Policy};
use tempfile::TempDir;

use super::*;

const FILE: &str = "linux-64/some-1!0-0.conda";

/// A channel folder with one file of 300 kB (several chunks) and an index.
async fn serve() -> (TempDir, FakeChannel, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    fs::create_dir_all(dir.path().join("chan/linux-64")).unwrap();
    fs::write(dir.path().join("chan").join(FILE), &bytes).unwrap();
    fs::write(dir.path().join("chan/linux-64/repodata.json"), b"{}").unwrap();
    fs::write(dir.path().join("outside"), b"secret").unwrap();
    let server = FakeChannel::start(dir.path().join("chan")).await.unwrap();
    (dir, server, bytes)
}

fn client() -> Client {
    Client::builder()
        .no_proxy()
        .no_gzip()
        .redirect(Policy::none())
        .build()
        .unwrap()
}

async fn get(server: &FakeChannel, path: &str) -> Response {
    client().get(server.url_of(path)).send().await.unwrap()
}

#[tokio::test]
async fn files_come_whole_and_the_log_tells_of_it() {
    let (_dir, server, bytes) = serve().await;
    let request = client()
        .get(server.url_of("linux-64/some-1%210-0.conda?x=1"))
        .header("if-none-match", "\"old\"");
    let response = request.send().await.unwrap();
    assert_eq!(response.content_length(), Some(300_000));
    assert_eq!(response.bytes().await.unwrap(), bytes);
    let log = server.requests();
    assert_eq!(
        (log[0].method.as_str(), log[0].path.as_str()),
        ("GET", "/chan/linux-64/some-1!0-0.conda")
    );
    assert_eq!(
        (log[0].status, log[0].bytes, log[0].query.as_deref()),
        (Some(200), 300_000, Some("x=1"))
    );
    assert_eq!(
        (
            log[0].header("If-None-Match"),
            log[0].header("authorization")
        ),
        (Some("\"old\""), None)
    );
    assert_eq!(server.count(|request| request.path.ends_with(".json")), 0);
    server.forget_requests();
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn what_is_not_in_the_channel_is_not_found() {
    let (_dir, server, _) = serve().await;
    for path in [
        "linux-64/none",
        "linux-64",
        "%2e%2e/outside",
        "linux-64/%2e%2e/%2e%2e/outside",
        "/etc/passwd",
    ] {
        assert_eq!(get(&server, path).await.status(), 404, "{path}");
    }
    let beside = client()
        .get(format!("{}/other/{FILE}", server.base()))
        .send()
        .await
        .unwrap();
    assert_eq!(beside.status(), 404);
}

#[tokio::test]
async fn a_head_request_has_headers_and_no_body() {
    let (_dir, server, _) = serve().await;
    let response = client().head(server.url_of(FILE)).send().await.unwrap();
    assert_eq!(response.headers()["content-length"], "300000");
    assert_eq!(
        (server.requests()[0].status, server.requests()[0].bytes),
        (Some(200), 0)
    );
}

#[tokio::test]
async fn an_unchanged_file_is_304_until_it_changes() {
    let (dir, server, _) = serve().await;
    let first = get(&server, "linux-64/repodata.json").await;
    let conditional = async |name: &str, value: &str| {
        let request = client()
            .get(server.url_of("linux-64/repodata.json"))
            .header(name, value);
        request.send().await.unwrap().status().as_u16()
    };
    let etag = first.headers()["etag"].to_str().unwrap().to_owned();
    let date = first.headers()["last-modified"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(conditional("if-none-match", &etag).await, 304);
    assert_eq!(
        conditional("if-none-match", &format!("\"a\", W/{etag}")).await,
        304
    );
    assert_eq!(conditional("if-none-match", "\"another\"").await, 200);
    assert_eq!(conditional("if-modified-since", &date).await, 304);
    assert_eq!(
        conditional("if-modified-since", "Sat, 01 Jan 2000 00:00:00 GMT").await,
        200
    );

    let path = dir.path().join("chan/linux-64/repodata.json");
    fs::write(path.with_extension("part"), b"[]").unwrap();
    fs::rename(path.with_extension("part"), &path).unwrap();
    assert_eq!(conditional("if-none-match", &etag).await, 200);
}

#[tokio::test]
async fn a_stalled_download_is_held_until_it_is_released() {
    let (_dir, server, bytes) = serve().await;
    server.fault(FILE, Fault::Stall { after: 100_000 }, Times::First(2));
    let mut downloads = Vec::new();
    for _ in 0..2 {
        let url = server.url_of(FILE);
        downloads.push(tokio::spawn(async move {
            client().get(url).send().await?.bytes().await
        }));
        server.held().await;
    }
    assert_eq!(
        server
            .requests()
            .iter()
            .map(|request| request.bytes)
            .collect::<Vec<_>>(),
        [100_000, 100_000]
    );
    assert_eq!(
        get(&server, FILE).await.bytes().await.unwrap(),
        bytes,
        "others are served meanwhile"
    );
    assert!(downloads.iter().all(|download| !download.is_finished()));
    server.release();
    for download in downloads {
        assert_eq!(download.await.unwrap().unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_server_that_ends_breaks_held_downloads_and_closes_its_port() {
    let (_dir, server, _) = serve().await;
    server.fault(FILE, Fault::Stall { after: 10 }, Times::Always);
    let url = server.url_of(FILE);
    let held = url.clone();
    let download = tokio::spawn(async move { client().get(held).send().await?.bytes().await });
    server.held().await;
    server.stop().await;
    assert!(download.await.unwrap().is_err());
    assert!(client().get(url).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn a_swapped_folder_is_live_and_a_download_under_way_keeps_the_old_one() {
    let (dir, server, bytes) = serve().await;
    fs::create_dir_all(dir.path().join("next/linux-64")).unwrap();
    fs::write(dir.path().join("next").join(FILE), b"next").unwrap();
    server.fault(FILE, Fault::Stall { after: 1 }, Times::First(1));
    let url = server.url_of(FILE);
    let old = tokio::spawn(async move { client().get(url).send().await?.bytes().await });
    server.held().await;
    server.swap_dir(dir.path().join("next"));
    assert_eq!(get(&server, FILE).await.bytes().await.unwrap(), "next");
    server.release();
    assert_eq!(old.await.unwrap().unwrap(), bytes);
}

#[tokio::test]
async fn a_channel_can_lie_deeper_on_its_server() {
    let (dir, _, bytes) = serve().await;
    let server = FakeChannel::start_at(dir.path().join("chan"), "/forge/label/main/")
        .await
        .unwrap();
    assert!(server.url().ends_with("/forge/label/main"));
    assert_eq!(get(&server, FILE).await.bytes().await.unwrap(), bytes);
}

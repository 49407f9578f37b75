//! Indexes over http.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mirror_runtime::disposition::{Disposed, Disposition};
use tempfile::TempDir;

use super::server::{Answer, Server};
use super::{Fetcher, IndexAnswer, SourceError, at_most, fetched, fetcher, with_read_timeout, zst};
use crate::source::IndexFile;

const DOCUMENT: &str = "{\"packages\": {}}\n";
const LIMIT: u64 = 10_000;

struct Client {
    fetcher: Fetcher,
    dir: TempDir,
}

impl Client {
    fn new() -> Self {
        Self {
            fetcher: fetcher().0,
            dir: tempfile::tempdir().unwrap(),
        }
    }

    async fn index(
        &self,
        server: &Server,
        condition: Option<&str>,
    ) -> Result<IndexAnswer, SourceError> {
        let url = server.url("chan/noarch/");
        self.fetcher
            .index(
                &url,
                IndexFile::Current,
                condition,
                self.dir.path(),
                &at_most(LIMIT),
            )
            .await
    }

    fn is_empty(&self) -> bool {
        self.dir.path().read_dir().unwrap().next().is_none()
    }
}

async fn error_of(answer: impl Fn() -> Answer + Send + Sync + 'static) -> SourceError {
    let server = Server::start(move |_| answer()).await;
    let client = Client::new();
    let error = client.index(&server, None).await.unwrap_err();
    assert!(client.is_empty(), "a temporary file was left");
    error
}

#[tokio::test]
async fn the_compressed_form_is_preferred_and_the_only_one_asked_for() {
    let server = Server::start(|_| Answer::ok(zst(DOCUMENT.as_bytes()))).await;
    let client = Client::new();
    let (document, _) = fetched(client.index(&server, None).await.unwrap());
    assert_eq!(document, DOCUMENT);
    assert_eq!(server.paths(), ["/chan/noarch/repodata.json.zst"]);
    assert!(client.is_empty(), "a dropped index leaves its file");
}

#[tokio::test]
async fn a_channel_without_the_compressed_form_is_read_plain() {
    // S3 without the right to list answers 403 for what is not there.
    for refusal in ["404 Not Found", "403 Forbidden"] {
        let server = Server::start(move |request| match request.path() {
            "/chan/noarch/repodata.json" => Answer::ok(DOCUMENT),
            _ => Answer::new(refusal, &[], ""),
        })
        .await;
        let (document, _) = fetched(Client::new().index(&server, None).await.unwrap());
        assert_eq!(document, DOCUMENT);
    }
}

#[tokio::test]
async fn an_index_in_neither_form_is_missing_and_a_denied_one_is_not() {
    let server = Server::start(|_| Answer::missing()).await;
    let answer = Client::new().index(&server, None).await.unwrap();
    assert!(matches!(answer, IndexAnswer::Missing), "{answer:?}");

    let error = error_of(|| Answer::new("403 Forbidden", &[], "")).await;
    assert_eq!(error.disposition(), Disposition::Denied);
}

#[tokio::test]
async fn every_file_a_channel_has_is_listed_under_another_name() {
    let server = Server::start(|_| Answer::missing()).await;
    let (client, url) = (Client::new(), server.url("chan/noarch"));
    let which = IndexFile::FromPackages;
    let answer = client
        .fetcher
        .index(&url, which, None, client.dir.path(), &at_most(LIMIT))
        .await;
    assert!(matches!(answer, Ok(IndexAnswer::Missing)), "{answer:?}");
    let base = "/chan/noarch/repodata_from_packages.json";
    assert_eq!(server.paths(), [format!("{base}.zst"), base.to_owned()]);
}

#[tokio::test]
async fn an_unchanged_index_is_not_sent_again() {
    let server = Server::start(|request| match request.header("if-none-match") {
        Some("\"one\"") => Answer::new("304 Not Modified", &[], ""),
        _ => Answer::new("200 OK", &["ETag: \"one\""], zst(DOCUMENT.as_bytes())),
    })
    .await;
    let client = Client::new();
    let (_, validator) = fetched(client.index(&server, None).await.unwrap());
    let again = client.index(&server, Some(&validator)).await.unwrap();
    assert!(matches!(again, IndexAnswer::Unchanged), "{again:?}");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_condition_goes_only_with_the_form_it_came_from() {
    let date = "Sun, 09 Sep 2001 01:46:40 GMT";
    let modified = format!("Last-Modified: {date}");
    let server =
        Server::start(
            move |request| match (request.path(), request.header("if-modified-since")) {
                ("/chan/noarch/repodata.json", Some(_)) => Answer::new("304 Not Modified", &[], ""),
                ("/chan/noarch/repodata.json", None) => {
                    Answer::new("200 OK", &[&modified], DOCUMENT)
                }
                _ => Answer::missing(),
            },
        )
        .await;
    let client = Client::new();
    let (_, validator) = fetched(client.index(&server, None).await.unwrap());
    let again = client.index(&server, Some(&validator)).await.unwrap();
    assert!(matches!(again, IndexAnswer::Unchanged), "{again:?}");
    let conditions: Vec<_> = server
        .seen()
        .iter()
        .map(|request| request.header("if-modified-since").map(str::to_owned))
        .collect();
    assert_eq!(conditions, [None, None, None, Some(date.to_owned())]);
}

#[tokio::test]
async fn a_condition_of_another_channel_or_of_another_program_is_not_sent() {
    let first = Server::start(|_| Answer::new("200 OK", &["ETag: \"1\""], zst(b"{}"))).await;
    let client = Client::new();
    let (_, validator) = fetched(client.index(&first, None).await.unwrap());
    let second = Server::start(|_| Answer::ok(zst(b"{}"))).await;
    for condition in [&*validator, "W/whatever", ""] {
        fetched(client.index(&second, Some(condition)).await.unwrap());
    }
    assert!(
        second
            .seen()
            .iter()
            .all(|r| r.header("if-none-match").is_none())
    );
}

#[tokio::test]
async fn a_page_with_status_200_is_no_index() {
    let page = " \n<!DOCTYPE html><html>please log in</html>";
    let error = error_of(move || Answer::ok(page)).await;
    assert!(error.to_string().contains("HTML"), "{error}");
    assert_eq!(error.disposition(), Disposition::Permanent);

    // The same as the plain form of a channel that has no other, and as a compressed page.
    let server = Server::start(move |request| match request.path() {
        "/chan/noarch/repodata.json" => Answer::ok(page),
        _ => Answer::missing(),
    })
    .await;
    let error = Client::new().index(&server, None).await.unwrap_err();
    assert!(error.to_string().contains("HTML"), "{error}");
    let error = error_of(move || Answer::ok(zst(page.as_bytes()))).await;
    assert!(error.to_string().contains("HTML"), "{error}");
}

#[tokio::test]
async fn nothing_and_something_else_are_no_index() {
    for body in [
        Vec::new(),
        zst(b""),
        zst(b" \n"),
        zst(b"[]"),
        b"{}".to_vec(),
    ] {
        let error = error_of(move || Answer::ok(&body)).await;
        assert!(matches!(error, SourceError::NotAnIndex { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_damaged_or_cut_index_is_tried_again() {
    let whole = zst(&[b"{", &[b' '; 1000][..], b"}"].concat());
    let cut = whole[..whole.len() - 3].to_vec();
    for body in [cut, zst(b"{\"packages\": {"), b"garbage".to_vec()] {
        let (body, whole) = (body.clone(), whole.clone());
        let asked = AtomicUsize::new(0);
        let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::ok(&body),
            1 => Answer::raw("200 OK", &["Content-Length: 100"], &whole[..10]),
            2 => Answer::new("503 Service Unavailable", &[], ""),
            _ => Answer::ok(&whole),
        })
        .await;
        fetched(Client::new().index(&server, None).await.unwrap());
        assert_eq!(server.seen().len(), 4);
    }
}

#[tokio::test]
async fn a_lasting_fault_is_given_up_after_four_tries() {
    let server = Server::start(|_| Answer::new("502 Bad Gateway", &[], "")).await;
    let error = Client::new().index(&server, None).await.unwrap_err();
    assert!(
        matches!(error, SourceError::Server { status: 502, .. }),
        "{error}"
    );
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn a_throttled_index_is_fetched_when_the_host_allows_it() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::new("429 Too Many Requests", &["Retry-After: 1"], ""),
        _ => Answer::ok(zst(b"{}")),
    })
    .await;
    fetched(Client::new().index(&server, None).await.unwrap());
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn an_index_larger_than_the_limit_is_refused_in_both_forms() {
    let bomb = [b"{", &vec![b' '; 5_000_000][..], b"}"].concat();
    let packed = zst(&bomb);
    assert!((packed.len() as u64) < LIMIT);
    for compressed in [true, false] {
        let (bomb, packed) = (bomb.clone(), packed.clone());
        let server =
            Server::start(
                move |request| match (compressed, request.path().ends_with(".zst")) {
                    (true, true) => Answer::ok(&packed),
                    (false, false) => Answer::ok(&bomb),
                    _ => Answer::missing(),
                },
            )
            .await;
        let client = Client::new();
        let error = client.index(&server, None).await.unwrap_err();
        assert!(
            matches!(error, SourceError::TooLarge { limit: LIMIT, .. }),
            "{error}"
        );
        assert!(client.is_empty(), "a temporary file was left");
    }
}

#[tokio::test]
async fn a_zst_file_labelled_as_encoded_is_read_and_any_other_encoding_refused() {
    let server = Server::start(|_| {
        Answer::new(
            "200 OK",
            &["Content-Encoding: zstd"],
            zst(DOCUMENT.as_bytes()),
        )
    })
    .await;
    let (document, _) = fetched(Client::new().index(&server, None).await.unwrap());
    assert_eq!(document, DOCUMENT);

    let error = error_of(|| Answer::new("200 OK", &["Content-Encoding: gzip"], "x")).await;
    assert!(
        matches!(error, SourceError::ContentEncoding { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_fetch_that_is_dropped_midway_leaves_no_file() {
    let server = Server::start(|_| {
        Answer::raw("200 OK", &["Content-Length: 100"], &zst(b"{}")[..5]).then_silence()
    })
    .await;
    let client = Client {
        fetcher: with_read_timeout(Duration::from_secs(3600)).0,
        dir: tempfile::tempdir().unwrap(),
    };
    let spooling = async {
        while client.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = client.index(&server, None) => panic!("{answer:?}"),
        () = spooling => {}
    }
    // The blocking thread sees its queue closed and ends on its own.
    tokio::time::timeout(Duration::from_secs(30), async {
        while !client.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_spool_folder_that_is_not_there_is_a_local_error() {
    let server = Server::start(|_| Answer::ok(zst(b"{}"))).await;
    let client = Client::new();
    let gone = client.dir.path().join("gone");
    let url = server.url("chan/noarch");
    let answer = client
        .fetcher
        .index(&url, IndexFile::Current, None, &gone, &at_most(LIMIT))
        .await;
    let error = answer.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Local);
    assert!(error.to_string().contains("gone"), "{error}");
}

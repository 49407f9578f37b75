//! Single files over http.

use std::time::{Duration, SystemTime};

use mirror_runtime::disposition::{Disposed, Disposition};
use mirror_runtime::host_budget::HostBudget;

use super::server::{Answer, Server};
use super::{SourceError, fetcher, read, with_read_timeout};

#[tokio::test]
async fn a_file_arrives_byte_for_byte_with_its_length() {
    // gzip magic: a client that decodes by itself would stumble or unpack it.
    let content = b"\x1f\x8b\x08 any bytes \x00\xff";
    let server = Server::start(move |_| Answer::ok(content)).await;
    let (fetcher, _) = fetcher();
    let url = server.url("noarch/a-1!2+3-0.conda");
    assert_eq!(
        fetcher.open(&url).await.unwrap().len,
        Some(content.len() as u64)
    );
    assert_eq!(read(&fetcher, &url).await.unwrap(), content);
    let request = &server.seen()[0];
    assert_eq!(request.path(), "/noarch/a-1!2+3-0.conda");
    assert_eq!(request.header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn a_body_cut_off_is_an_error_that_may_be_tried_again() {
    let server =
        Server::start(|_| Answer::raw("200 OK", &["Content-Length: 100"], "only this")).await;
    let error = read(&fetcher().0, &server.url("f")).await.unwrap_err();
    assert!(matches!(error, SourceError::Interrupted { .. }), "{error}");
    assert!(error.is_transient());

    let chunked = ["Transfer-Encoding: chunked"];
    let server = Server::start(move |_| Answer::raw("200 OK", &chunked, "4\r\nonly\r\n")).await;
    let error = read(&fetcher().0, &server.url("f")).await.unwrap_err();
    assert!(matches!(error, SourceError::Interrupted { .. }), "{error}");
}

#[tokio::test]
async fn silence_before_or_within_the_answer_ends_the_transfer() {
    let (fetcher, _) = with_read_timeout(Duration::from_millis(50));
    let server = Server::start(|_| Answer::nothing().then_silence()).await;
    let error = read(&fetcher, &server.url("f")).await.unwrap_err();
    assert!(matches!(error, SourceError::Stalled { .. }), "{error}");
    for bytes in ["", "some"] {
        let server = Server::start(move |_| {
            Answer::raw("200 OK", &["Content-Length: 100"], bytes).then_silence()
        })
        .await;
        let error = read(&fetcher, &server.url("f")).await.unwrap_err();
        assert!(matches!(error, SourceError::Stalled { .. }), "{error}");
        assert!(error.is_transient());
    }
}

#[tokio::test]
async fn a_content_encoding_is_refused_because_the_bytes_are_not_the_files() {
    let server = Server::start(|_| Answer::new("200 OK", &["Content-Encoding: gzip"], "x")).await;
    let error = read(&fetcher().0, &server.url("f")).await.unwrap_err();
    assert!(error.to_string().contains("`gzip`"), "{error}");
    assert_eq!(error.disposition(), Disposition::Permanent);

    let server =
        Server::start(|_| Answer::new("200 OK", &["Content-Encoding: identity"], "x")).await;
    assert_eq!(read(&fetcher().0, &server.url("f")).await.unwrap(), b"x");
}

#[tokio::test]
async fn a_429_parks_the_host_for_the_time_it_names() {
    let server =
        Server::start(|_| Answer::new("429 Too Many Requests", &["Retry-After: 300"], "")).await;
    let (fetcher, budget) = fetcher();
    let before = SystemTime::now();
    let error = fetcher.open(&server.url("f")).await.unwrap_err();
    let parked = budget.parked_until(&server.host()).await.unwrap();
    assert!(parked >= before + Duration::from_secs(300));
    assert_eq!(
        error.disposition(),
        Disposition::Throttled { until: parked }
    );
    assert_eq!(budget.parked_until("127.0.0.1").await, None);
}

#[tokio::test]
async fn statuses_become_dispositions() {
    let server = Server::start(|request| {
        Answer::new(&format!("{} Whatever", &request.path()[1..]), &[], "")
    })
    .await;
    let (fetcher, budget) = fetcher();
    let expected = [
        ("404", Disposition::Retry),
        ("410", Disposition::Retry),
        ("408", Disposition::Retry),
        ("500", Disposition::Retry),
        ("503", Disposition::Retry),
        ("401", Disposition::Denied),
        ("403", Disposition::Denied),
        ("400", Disposition::Permanent),
        // Nobody asked for a part, or whether anything changed.
        ("206", Disposition::Permanent),
        ("304", Disposition::Permanent),
    ];
    for (status, disposition) in expected {
        let error = fetcher.open(&server.url(status)).await.unwrap_err();
        assert_eq!(error.disposition(), disposition, "{error}");
        let not_found = matches!(error, SourceError::NotFound { .. });
        assert_eq!(not_found, ["404", "410"].contains(&status), "{error}");
    }
    assert_eq!(budget.parked_until(&server.host()).await, None);
}

#[tokio::test]
async fn credentials_of_a_url_stay_with_its_host() {
    let other = Server::start(|_| Answer::ok("content")).await;
    let location = format!("Location: {}", other.url("stored"));
    let server = Server::start(move |request| match request.path() {
        "/t/tk-1/f" => Answer::new("302 Found", &["Location: /t/tk-1/g"], ""),
        _ => Answer::new("302 Found", &[&location], ""),
    })
    .await;
    let mut url = server.url("t/tk-1/f");
    url.set_username("me").unwrap();
    url.set_password(Some("secret")).unwrap();
    assert_eq!(read(&fetcher().0, &url).await.unwrap(), b"content");
    let asked = server.seen();
    assert_eq!(asked.len(), 2);
    let basic = Some("Basic bWU6c2VjcmV0");
    assert!(asked.iter().all(|r| r.header("authorization") == basic));
    let foreign = &other.seen()[0];
    assert_eq!(foreign.header("authorization"), None);
    assert_eq!(foreign.header("referer"), None);
}

#[tokio::test]
async fn redirects_in_a_circle_or_without_end_or_elsewhere_are_an_error() {
    let server = Server::start(|request| {
        let to = match request.path() {
            "/a" => "/b".to_owned(),
            "/b" => "/a".to_owned(),
            "/disk" => "file:///etc/hostname".to_owned(),
            endless => format!("{endless}1"),
        };
        Answer::new("302 Found", &[&format!("Location: {to}")], "")
    })
    .await;
    for (path, why, requests) in [
        ("a", "circle", 2),
        ("n", "more than 10", 11),
        ("disk", "", 1),
    ] {
        let before = server.seen().len();
        let error = fetcher().0.open(&server.url(path)).await.unwrap_err();
        assert!(matches!(error, SourceError::Redirects { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(error.disposition(), Disposition::Permanent);
        assert_eq!(server.seen().len() - before, requests);
    }
}

#[tokio::test]
async fn no_error_shows_a_secret() {
    let server = Server::start(|request| match request.path() {
        "/t/hidden/circle?sig=hidden" => {
            Answer::new("302 Found", &["Location: /t/hidden/circle?sig=hidden"], "")
        }
        "/t/hidden/cut?sig=hidden" => Answer::raw("200 OK", &["Content-Length: 9"], "x"),
        _ => Answer::new("403 Forbidden", &[], ""),
    })
    .await;
    let mut urls: Vec<_> = ["circle", "cut", "denied"]
        .map(|name| server.url(&format!("t/hidden/{name}?sig=hidden")))
        .to_vec();
    // Port 1 of this machine answers nobody.
    urls.push("http://127.0.0.1:1/t/hidden/x?sig=hidden".parse().unwrap());
    urls.push("ftp://127.0.0.1/t/hidden/x?sig=hidden".parse().unwrap());
    for mut url in urls {
        url.set_username("hidden").unwrap();
        url.set_password(Some("hidden")).unwrap();
        let error = read(&fetcher().0, &url).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hidden"), "{text}");
        assert!(text.contains("127.0.0.1"), "{text}");
    }
}

//! Each fault as a plain client sees it.

use std::time::Instant;

use super::*;

/// The file with this fault, once; the second request must be well again.
async fn once(fault: Fault) -> Seen {
    let (_dir, server, bytes) = serve().await;
    server.fault("0-0.conda", fault.clone(), Times::First(1));
    let mut response = get(&server, FILE).await;
    let mut body = Vec::new();
    let broken = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert_eq!(server.requests()[0].fault, Some(fault));
    assert_eq!(
        get(&server, FILE).await.bytes().await.unwrap(),
        bytes,
        "well again"
    );
    Seen {
        server,
        bytes,
        response,
        body,
        broken,
    }
}

/// What a client saw of one request.
struct Seen {
    server: FakeChannel,
    bytes: Vec<u8>,
    response: Response,
    body: Vec<u8>,
    broken: bool,
}

#[tokio::test]
async fn wrong_bytes_have_the_right_length() {
    let Seen { bytes, body, .. } = once(Fault::WrongBytes).await;
    assert!(body.len() == bytes.len() && body.iter().zip(&bytes).all(|(got, sent)| *got == !sent));

    let Seen {
        mut bytes, body, ..
    } = once(Fault::Flipped { at: 200_000 }).await;
    bytes[200_000] = !bytes[200_000];
    assert_eq!(body, bytes);
}

#[tokio::test]
async fn a_cut_body_is_a_broken_connection_and_never_a_short_file() {
    for after in [0, 10, 100_000] {
        let seen = once(Fault::Cut { after }).await;
        assert!(seen.broken);
        assert_eq!(seen.response.headers()["content-length"], "300000");
        assert_eq!(seen.body, seen.bytes[..after as usize]);
        assert_eq!(seen.server.requests()[0].bytes, after);
    }
}

#[tokio::test]
async fn a_short_and_a_long_body_are_whole_answers() {
    let Seen {
        bytes,
        body,
        broken,
        ..
    } = once(Fault::Short { length: 70_000 }).await;
    assert_eq!((broken, &body[..]), (false, &bytes[..70_000]));
    let Seen {
        bytes,
        body,
        broken,
        ..
    } = once(Fault::TooLong { extra: 100_000 }).await;
    assert_eq!(
        (broken, body.len(), &body[..300_000]),
        (false, 400_000, &bytes[..])
    );
}

#[tokio::test]
async fn statuses_carry_their_retry_after() {
    for status in [404, 500, 503] {
        let response = once(Fault::status(status)).await.response;
        assert_eq!(
            (
                response.status().as_u16(),
                response.headers().get("retry-after")
            ),
            (status, None)
        );
    }
    let response = once(Fault::too_many_requests("7")).await.response;
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["retry-after"]
        ),
        (429, &"7".parse().unwrap())
    );
}

#[tokio::test]
async fn faults_hit_the_requests_they_were_scripted_for() {
    let (_dir, server, _) = serve().await;
    server.fault(".conda", Fault::status(500), Times::Nth(2));
    server.fault("", Fault::status(503), Times::Nth(4));
    server.fault("repodata.json", Fault::status(404), Times::Always);
    let mut seen = Vec::new();
    for path in [
        FILE,
        FILE,
        FILE,
        FILE,
        "linux-64/repodata.json",
        "linux-64/repodata.json",
    ] {
        seen.push(get(&server, path).await.status().as_u16());
    }
    assert_eq!(seen, [200, 500, 200, 503, 404, 404]);
    server.heal();
    assert_eq!(get(&server, "linux-64/repodata.json").await.status(), 200);
}

#[tokio::test]
async fn redirects_lead_where_they_were_told_to_and_loops_never_end() {
    let response = once(Fault::Redirect {
        to: "http://127.0.0.1:9/else".to_owned(),
    })
    .await
    .response;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["location"]),
        (302, &"http://127.0.0.1:9/else".parse().unwrap())
    );

    let (_dir, server, _) = serve().await;
    server.fault(FILE, Fault::RedirectLoop, Times::Always);
    let follows = Client::builder()
        .no_proxy()
        .redirect(Policy::limited(3))
        .build()
        .unwrap();
    assert!(
        follows
            .get(server.url_of(FILE))
            .send()
            .await
            .unwrap_err()
            .is_redirect()
    );
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_false_content_encoding_is_sent_with_the_true_bytes() {
    let Seen {
        bytes,
        body,
        response,
        ..
    } = once(Fault::FalseGzip).await;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(body, bytes);
}

#[tokio::test]
async fn a_web_page_comes_as_success() {
    let Seen { response, body, .. } = once(Fault::Html).await;
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["content-type"]
        ),
        (200, &"text/html".parse().unwrap())
    );
    assert!(body.starts_with(b"<!doctype html>"));
}

#[tokio::test]
async fn delays_and_latency_add_up_and_leave_the_answer_whole() {
    let (_dir, server, bytes) = serve().await;
    server.latency(Duration::from_millis(20));
    server.fault("", Fault::Delay(Duration::from_millis(30)), Times::Always);
    server.fault(FILE, Fault::Short { length: 5 }, Times::First(1));
    let start = Instant::now();
    assert_eq!(get(&server, FILE).await.bytes().await.unwrap(), bytes[..5]);
    assert!(
        start.elapsed() >= Duration::from_millis(50),
        "no answer can come before its delay"
    );
}

//! The server: accepts connections, logs each request, lets its exchange run
//! and its answer leave.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::answer::{Answer, Refusal, error, no_such_page};
use super::body::{RequestBody, outgoing};
use super::exchange::Exchange;
use super::faults::Gate;
use super::log::{Entry, EntryId, Kind};
use super::route::{Astray, Route};
use super::shared::Shared;

/// Serves until `stop` fires or is dropped.
pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stop: oneshot::Receiver<Infallible>,
) {
    loop {
        let connection = tokio::select! {
            connection = listener.accept() => connection,
            _ = &mut stop => return,
        };
        let Ok((connection, _)) = connection else {
            continue;
        };
        // Without it small answers wait for the client's delayed ACK.
        let _ = connection.set_nodelay(true);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| handle(Arc::clone(&shared), request));
            // An error is a connection that broke, by script or by the client.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

/// hyper closes the connection without a response when its service fails.
#[derive(Debug, thiserror::Error)]
#[error("the script cut this connection")]
struct Cut;

async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Answer, Cut> {
    let (head, body) = request.into_parts();
    let route = Route::parse(&head.method, &head.uri);
    let host = head
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.unwrap_or_default().to_owned();
    let length = head
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|l| l.to_str().ok());
    let content_length = length.and_then(|length| length.parse().ok());
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let known = route.as_ref().ok();
    let id = shared.log.arrive(Entry {
        arrived: 0,
        answered: None,
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        kind: known.map_or(Kind::Other, |route| route.kind),
        repository: known.and_then(|route| text(&route.repository)),
        reference: known.and_then(|route| text(&route.reference)),
        status: None,
        received: 0,
        sent: 0,
        content_length,
        authorized: head.headers.contains_key(header::AUTHORIZATION),
        host: host.clone(),
    });
    // A timer of zero would still wait for the clock's next millisecond.
    if !shared.options.latency.is_zero() {
        tokio::time::sleep(shared.options.latency).await;
    }
    let faults = known
        .map(|route| shared.script.meet(route))
        .unwrap_or_default();
    faults.before().await;
    let (gates_in, gates_out) = match head.method {
        Method::GET => (Vec::new(), faults.gates()),
        _ => (faults.gates(), Vec::new()),
    };
    let mut body = RequestBody::new(body, gates_in, &shared.log, id);
    let result = match &route {
        Err(Astray::NoSuchPage) => Ok(no_such_page()),
        Err(Astray::WrongMethod) => Ok(error(
            StatusCode::METHOD_NOT_ALLOWED,
            "UNSUPPORTED",
            &head.method,
        )),
        Ok(route) => {
            let exchange = Exchange {
                registry: &shared,
                method: &head.method,
                route,
                headers: &head.headers,
                faults: &faults,
                content_length,
                base: shared.base(&host),
            };
            exchange.run(&mut body).await
        }
    };
    let mut answer = match result {
        Ok(answer) => answer,
        Err(Refusal::Answer(answer)) => *answer,
        Err(Refusal::Cut) => return Err(Cut),
    };
    body.drain().await.map_err(|_| Cut)?;
    if let Some(digest) = faults.wrong_digest() {
        let digest = digest.parse().expect("scripted digests are visible ASCII");
        answer.headers_mut().insert("docker-content-digest", digest);
    }
    faults.before_answer().await;
    if faults.cuts_answer() {
        return Err(Cut);
    }
    Ok(leave(&shared, answer, gates_out, id))
}

fn leave(shared: &Shared, answer: Answer, gates: Vec<(u64, Gate)>, id: EntryId) -> Answer {
    shared.log.answer(id, answer.status().as_u16());
    let (head, body) = answer.into_parts();
    let empty = axum::body::HttpBody::is_end_stream(&body);
    let body = if empty && gates.is_empty() {
        Body::empty()
    } else {
        outgoing(body, gates, Arc::clone(&shared.log), id)
    };
    Answer::from_parts(head, body)
}

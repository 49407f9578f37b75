//! From a request to its answer.

use std::{
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use axum::{
    body::Body,
    extract::{Path as UrlPath, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

use super::{
    Fault, Shared,
    body::{Payload, stream},
    lock,
    request::Entry,
};

pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    UrlPath(path): UrlPath<String>,
    headers: HeaderMap,
) -> Response {
    let path = format!("/{}", path.trim_start_matches('/'));
    let entry = shared
        .log
        .open(&method, &path, uri.query(), headers.clone());
    let verdict = if method == Method::GET {
        shared.script.judge(&path)
    } else {
        Default::default()
    };
    let delay = verdict.delay + *lock(&shared.latency);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    if let Some(fault) = &verdict.fault {
        shared.log.faulted(entry, fault);
    }
    let response = match verdict
        .fault
        .as_ref()
        .and_then(|fault| instead_of_the_file(fault, &uri))
    {
        Some(response) => response,
        None if method != Method::GET && method != Method::HEAD => {
            plain(StatusCode::METHOD_NOT_ALLOWED)
        }
        None => file(&shared, entry, &method, &path, &headers, verdict.fault).await,
    };
    shared.log.answered(entry, response.status());
    response
}

/// The answer to faults that have nothing to do with the file.
fn instead_of_the_file(fault: &Fault, uri: &Uri) -> Option<Response> {
    match fault {
        Fault::Status {
            status,
            retry_after,
        } => {
            let status =
                StatusCode::from_u16(*status).expect("a test scripts a status that exists");
            let mut response = plain(status);
            if let Some(wait) = retry_after {
                set(&mut response, header::RETRY_AFTER, wait);
            }
            Some(response)
        }
        Fault::Redirect { to } => Some(redirect(to)),
        Fault::RedirectLoop => Some(redirect(uri.path())),
        Fault::Html => {
            let mut response =
                "<!doctype html><title>Sign in</title><p>Please sign in.</p>\n".into_response();
            set(&mut response, header::CONTENT_TYPE, "text/html");
            Some(response)
        }
        _ => None,
    }
}

async fn file(
    shared: &Arc<Shared>,
    entry: Entry,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    fault: Option<Fault>,
) -> Response {
    let Some(on_disk) = locate(&lock(&shared.dir), &shared.mount, path) else {
        return plain(StatusCode::NOT_FOUND);
    };
    let Ok(payload) = Payload::open(on_disk).await else {
        return plain(StatusCode::NOT_FOUND);
    };
    let changed = payload
        .metadata
        .modified()
        .unwrap_or(SystemTime::UNIX_EPOCH);
    let etag = etag_of(&payload.metadata);
    let unchanged = fault.is_none() && is_unchanged(headers, &etag, changed);
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let length = match fault {
            Some(Fault::Short { length }) => length.min(payload.metadata.len()),
            Some(Fault::TooLong { extra }) => payload.metadata.len() + extra,
            _ => payload.metadata.len(),
        };
        let false_gzip = fault == Some(Fault::FalseGzip);
        let body = match *method {
            Method::HEAD => Body::empty(),
            _ => Body::from_stream(stream(shared.clone(), entry, payload, fault, length)),
        };
        let mut response = Response::new(body);
        set(&mut response, header::CONTENT_LENGTH, &length.to_string());
        set(&mut response, header::CONTENT_TYPE, content_type(path));
        if false_gzip {
            set(&mut response, header::CONTENT_ENCODING, "gzip");
        }
        response
    };
    set(&mut response, header::ETAG, &etag);
    set(
        &mut response,
        header::LAST_MODIFIED,
        &httpdate::fmt_http_date(changed),
    );
    response
}

/// The file below `dir`; nothing for a path outside the channel.
fn locate(dir: &Path, mount: &str, path: &str) -> Option<PathBuf> {
    let inside = path
        .strip_prefix('/')?
        .strip_prefix(mount)?
        .strip_prefix('/')?;
    let inside = Path::new(inside);
    let plain = inside
        .components()
        .all(|component| matches!(component, Component::Normal(_)));
    plain.then(|| dir.join(inside))
}

/// Files are replaced by renaming, so another content is another inode or another time.
fn etag_of(metadata: &std::fs::Metadata) -> String {
    format!(
        "\"{:x}-{:x}-{:x}{:08x}\"",
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec()
    )
}

/// RFC 9110, 13.2.2: `If-Modified-Since` counts only where there is no `If-None-Match`.
fn is_unchanged(headers: &HeaderMap, etag: &str, changed: SystemTime) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    if let Some(known) = text(header::IF_NONE_MATCH) {
        return known
            .split(',')
            .any(|one| matches!(one.trim(), "*") || one.trim().trim_start_matches("W/") == etag);
    }
    let Some(since) =
        text(header::IF_MODIFIED_SINCE).and_then(|date| httpdate::parse_http_date(date).ok())
    else {
        return false;
    };
    let seconds = |time: SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |age| age.as_secs())
    };
    seconds(changed) <= seconds(since)
}

fn content_type(path: &str) -> &'static str {
    if path.ends_with(".json") {
        "application/json"
    } else if path.ends_with(".zst") {
        "application/zstd"
    } else {
        "application/octet-stream"
    }
}

fn plain(status: StatusCode) -> Response {
    (status, format!("{status}\n")).into_response()
}

fn redirect(to: &str) -> Response {
    let mut response = StatusCode::FOUND.into_response();
    set(&mut response, header::LOCATION, to);
    response
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("a test scripts headers that can be sent");
    response.headers_mut().insert(name, value);
}

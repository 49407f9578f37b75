//! Channels over http(s): one client, one way to send, one place where a status becomes an error.
//!
//! Bodies arrive exactly as stored: the client decodes nothing and asks for `identity`. Credentials
//! in a URL go to its host alone, never along a redirect to another, and no `Referer` is sent
//! (conda puts tokens into paths). So do the logins of rattler's store.

use std::error::Error;
use std::fmt::Display;
use std::time::{Instant, SystemTime};

use futures::{StreamExt, TryStreamExt};
use mirror_runtime::host_budget::{HostBudget, RequestKind};
use mirror_runtime::local::is_out_of_descriptors;
use mirror_runtime::metrics::metrics;
use mirror_runtime::redact;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, StatusCode};
use url::Url;

use super::validator::Stamp;
use super::{FetchOptions, Opened, SourceError, patience};

/// Enough for any mirror director in front of a CDN; browsers allow 20.
const REDIRECTS: usize = 10;

/// The client, or why there can be none.
pub(super) fn client(options: &FetchOptions) -> Result<Client, String> {
    let identity = HeaderValue::from_static("identity");
    let mut builder = Client::builder()
        // No decoding, whatever other crates switch on: digests are of the bytes as stored.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .user_agent(&options.user_agent)
        .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, identity)]))
        .connect_timeout(options.connect_timeout)
        .read_timeout(options.read_timeout)
        .redirect(redirects())
        .referer(false);
    if !options.system_proxy {
        builder = builder.no_proxy();
    }
    if let Some(path) = &options.ca_file {
        let refused = |why: &dyn Display| format!("--ca-file {}: {why}", path.display());
        let pem = std::fs::read(path).map_err(|error| refused(&error))?;
        let found = Certificate::from_pem_bundle(&pem).unwrap_or_default();
        if found.is_empty() {
            return Err(refused(&"it has no certificate in PEM"));
        }
        builder = builder.tls_certs_merge(found);
    }
    builder.build().map_err(|error| causes(&error))
}

fn redirects() -> Policy {
    Policy::custom(|attempt| {
        if attempt.previous().contains(attempt.url()) {
            attempt.error("they go in a circle")
        } else if attempt.previous().len() > REDIRECTS {
            attempt.error(format!("more than {REDIRECTS}"))
        } else {
            attempt.follow()
        }
    })
}

/// Waits for the host's budget and asks for `url`. The answer is a 200, or a 304 if `known` is
/// given; any other is an error, and a host that asks for patience is parked.
pub(super) async fn get(
    client: &Client,
    options: &FetchOptions,
    budget: &dyn HostBudget,
    url: &Url,
    known: Option<&Stamp>,
) -> Result<Response, SourceError> {
    let host = host(url);
    budget.admit(&host, RequestKind::Read).await;
    let conditions = known.map(conditions).unwrap_or_default();
    let conditional = !conditions.is_empty();
    // It may renew a login, which is no part of this request.
    let request = options.logins.get(client, url).await;
    let began = Instant::now();
    let sent = request.headers(conditions).send().await;
    let status = sent.as_ref().ok().map(|sent| sent.status().as_u16());
    metrics().request(&host, "GET", began.elapsed(), status);
    let response = sent.map_err(|error| transport(url, options, error))?;
    match response.status() {
        StatusCode::OK => Ok(response),
        StatusCode::NOT_MODIFIED if conditional => Ok(response),
        status => {
            let until = patience::asked_until(status, response.headers(), SystemTime::now());
            let Some(until) = until else {
                return Err(refusal(url, status));
            };
            let why = format!("status {status} for {}", redact::url(url));
            // Admission looks at the host that is asked first, so that one is parked.
            budget.park(&host, until, &why).await;
            Err(SourceError::Throttled {
                url: redact::url(url),
                host,
                status: status.as_u16(),
                until,
            })
        }
    }
}

/// The body of a 200, byte for byte. `packed` names a content encoding that is only a label of the
/// file's own format (servers label `.zst` files so) and leaves its bytes alone.
pub(super) fn body(
    url: &Url,
    options: &FetchOptions,
    response: Response,
    packed: Option<&str>,
) -> Result<Opened, SourceError> {
    let encodings = response.headers().get_all(CONTENT_ENCODING);
    for encoding in encodings {
        let name = String::from_utf8_lossy(encoding.as_bytes()).to_ascii_lowercase();
        if name != "identity" && packed != Some(name.as_str()) {
            return Err(SourceError::ContentEncoding {
                url: redact::url(url),
                encoding: name,
            });
        }
    }
    let len = response.content_length();
    let (url, options) = (url.clone(), options.clone());
    let bytes = response
        .bytes_stream()
        .map_err(move |error| transport(&url, &options, error))
        .boxed();
    Ok(Opened { len, bytes })
}

/// `name[:port]`, the key of the host's budget.
pub(super) fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{name}:{port}"),
        None => name.to_owned(),
    }
}

fn conditions(known: &Stamp) -> HeaderMap {
    let Stamp::Http {
        etag,
        last_modified,
    } = known
    else {
        return HeaderMap::new();
    };
    [(IF_NONE_MATCH, etag), (IF_MODIFIED_SINCE, last_modified)]
        .into_iter()
        .filter_map(|(name, text)| Some((name, HeaderValue::from_str(text.as_deref()?).ok()?)))
        .collect()
}

fn refusal(url: &Url, status: StatusCode) -> SourceError {
    let (url, code) = (redact::url(url), status.as_u16());
    match code {
        404 | 410 => SourceError::NotFound { url },
        401 | 403 | 407 => SourceError::Denied { url, status: code },
        408 | 425 | 500..=599 => SourceError::Server { url, status: code },
        301..=303 | 307 | 308 => SourceError::Redirects {
            url,
            why: format!("status {code} without a Location that can be followed"),
        },
        _ => SourceError::Unexpected { url, status: code },
    }
}

fn transport(url: &Url, options: &FetchOptions, error: reqwest::Error) -> SourceError {
    // The error's own copy of the address is not redacted.
    let error = error.without_url();
    let why = causes(&error);
    let shown = redact::url(url);
    if is_out_of_descriptors(&error) {
        return SourceError::OutOfDescriptors { url: shown };
    }
    if error.is_redirect() || error.is_builder() {
        SourceError::Redirects { url: shown, why }
    } else if error.is_connect() {
        SourceError::Unreachable { url: shown, why }
    } else if error.is_timeout() {
        SourceError::Stalled {
            url: shown,
            seconds: options.read_timeout.as_secs_f32(),
        }
    } else {
        SourceError::Interrupted { url: shown, why }
    }
}

/// The chain below the library's own headline, which says no more than that a request failed.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut texts = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    if texts.is_empty() {
        return error.to_string();
    }
    texts.dedup();
    texts.join(": ")
}

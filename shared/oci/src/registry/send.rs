//! One request to the registry: budgeted, logged in, parked and sent again when asked for patience.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use mirror_runtime::metrics::metrics;
use mirror_runtime::telemetry::{SPANS, traced};
use mirror_runtime::{HostBudget, RequestKind, clock};
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::Registry;
use super::answer::ErrorAnswer;
use super::auth::{AlsoPull, Authorization};
use super::challenge::challenges;
use super::error::RegistryError;
use super::hops;
use super::reach::{NoAnswer, Reach, no_answer};
use super::request::{Content, Request, host_of};
use crate::body::Body;
use crate::layout;
use crate::local::plain;

/// How often one request is sent again after the registry asked for patience.
const MAX_PATIENCE: u32 = 5;
/// Pause after a connection that the registry closed with HTTP/2's ENHANCE_YOUR_CALM, which names none.
const CALM: Duration = Duration::from_secs(5);
/// A longer pause than this is the worker's to wait out, with its task given back.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Between two looks of who stands in line whether the host was parked for longer than that.
const LOOK: Duration = Duration::from_secs(1);

impl Registry {
    /// Sends `request` and gives whatever answer is neither a 401 to be logged in after nor a plea
    /// for patience.
    pub(super) async fn send(&self, request: Request<'_>) -> Result<Response, RegistryError> {
        let own_host = is_home(&self.base, &request.url);
        let host = host_of(&request.url);
        let mut logged_in = false;
        let mut pleas = Pleas::default();
        loop {
            // Admission first: a token must not age while its request waits in line.
            self.admit(&request, &host).await?;
            let authorization = self.authorization(&request).await?;
            let response = match self.send_once(&request, &authorization).await {
                // Not an answer, and a plea all the same.
                Err(RegistryError::Throttled { until, message, .. }) => {
                    let pause = clock::until(until);
                    pleas
                        .heed(&*self.budget, request.action, &host, pause, message)
                        .await?;
                    continue;
                }
                sent => sent?,
            };
            let status = response.status();
            tracing::debug!(method = %request.method, repository = request.repository, status = status.as_u16(), request.action);

            // A store that we were redirected to has no say in how to log in here.
            let at_home = own_host && is_home(&self.base, response.url());
            if status == StatusCode::UNAUTHORIZED && at_home {
                let asked = challenges(response.headers());
                if !logged_in {
                    logged_in = true;
                    if self
                        .auth
                        .learn(&asked, request.repository, request.access, &authorization)
                        .await?
                    {
                        continue;
                    }
                } else if self
                    .auth
                    .narrow(request.repository, request.access, &authorization)
                    .await
                {
                    continue;
                }
                if !asked.is_empty() && !self.auth.has_credentials() {
                    return Err(self.auth.login_needed(request.repository));
                }
            }
            if !may_plead(status) {
                return Ok(response);
            }
            let answer = ErrorAnswer::read(response).await;
            let Some(pause) = answer.pause() else {
                return Err(answer.into_error(request.action, request.repository));
            };
            pleas
                .heed(&*self.budget, request.action, &host, pause, answer.message)
                .await?;
            // The token may lapse in the pause: it may be renewed once more.
            logged_in = false;
        }
    }

    /// The same for what need not succeed: sent once, a 401 is an answer as any other, and a plea for patience parks the
    /// host.
    pub(super) async fn send_once_only(
        &self,
        request: Request<'_>,
    ) -> Result<Response, RegistryError> {
        let host = host_of(&request.url);
        self.admit(&request, &host).await?;
        let authorization = self.authorization(&request).await?;
        let response = self.send_once(&request, &authorization).await?;
        if !may_plead(response.status()) {
            return Ok(response);
        }
        let answer = ErrorAnswer::read(response).await;
        if let Some(pause) = answer.pause() {
            let until = SystemTime::now() + pause;
            self.budget.park(&host, until, &answer.message).await;
        }
        Err(answer.into_error(request.action, request.repository))
    }

    /// What to log in with. Credentials stay at home: an upload may be sent on to a store elsewhere.
    async fn authorization(&self, request: &Request<'_>) -> Result<Authorization, RegistryError> {
        if !is_home(&self.base, &request.url) {
            return Ok(Authorization::None);
        }
        let also_pull = AlsoPull {
            needed: request.mounts_from,
            useful: self.configs.home(),
        };
        let life = request.upload_time();
        self.auth
            .authorization(request.repository, request.access, also_pull, life)
            .await
    }

    /// Waits in line for the host. A host that is parked for long is the worker's to wait out; who stands in line may
    /// learn of it there.
    async fn admit(&self, request: &Request<'_>, host: &str) -> Result<(), RegistryError> {
        let admitted = self.budget.admit(host, request.kind());
        tokio::pin!(admitted);
        let mut parked = self.budget.parked_until(host).await;
        loop {
            if let Some(until) = parked.filter(|until| clock::until(*until) > MAX_WAIT) {
                return Err(RegistryError::Throttled {
                    action: request.action,
                    host: host.to_owned(),
                    until,
                    message: String::new(),
                });
            }
            let look = async {
                tokio::time::sleep(LOOK).await;
                self.budget.parked_until(host).await
            };
            tokio::select! {
                biased;
                () = &mut admitted => return Ok(()),
                seen = look => parked = seen,
            }
        }
    }

    /// One request, as a span of its trace. What belongs to the trace here does not travel to the registry.
    async fn send_once(
        &self,
        request: &Request<'_>,
        authorization: &Authorization,
    ) -> Result<Response, RegistryError> {
        let (method, host) = (known(&request.method), host_of(&request.url));
        let span = tracing::info_span!(
            target: SPANS,
            "request",
            otel.name = method,
            otel.kind = "client",
            http.request.method = method,
            http.response.status_code = tracing::field::Empty,
            server.address = host,
            oci.repository = request.repository,
        );
        let began = Instant::now();
        let sent = traced(span.clone(), self.exchange(request, authorization)).await;
        let status = sent.as_ref().ok().map(|sent| sent.status().as_u16());
        span.record("http.response.status_code", status);
        metrics().request(&host, method, began.elapsed(), status);
        sent
    }

    async fn exchange(
        &self,
        request: &Request<'_>,
        authorization: &Authorization,
    ) -> Result<Response, RegistryError> {
        let mut builder = self
            .http
            .request(request.method.clone(), request.url.clone());
        if !request.streamed {
            builder = builder.timeout(request.timeout());
        }
        if request.kind() == RequestKind::Read {
            // Without it distribution answers 404 for manifests that exist.
            builder = builder.header(ACCEPT, HeaderValue::from_static(layout::MANIFEST));
        }
        if let Some(range) = &request.content_range {
            builder = builder.header(CONTENT_RANGE, range);
        }
        if let Some(content_type) = request.content_type {
            builder = builder.header(CONTENT_TYPE, content_type);
        }
        builder = match request.body {
            Some(Content::Whole(Body::Memory(bytes))) => builder.body(bytes.clone()),
            Some(body) => {
                let stream = body.stream().await.map_err(|error| RegistryError::Local {
                    action: "read the spooled file",
                    path: body.path().map(Path::to_owned).unwrap_or_default(),
                    error: plain(error),
                })?;
                builder
                    .header(CONTENT_LENGTH, body.len())
                    .body(reqwest::Body::wrap_stream(stream))
            }
            // Some proxies answer 411 to a POST without a length.
            None if matches!(request.method, Method::POST | Method::PUT) => {
                builder.header(CONTENT_LENGTH, 0)
            }
            None => builder,
        };
        // Of a streamed answer this limits the wait for its head.
        let sending = tokio::time::timeout(request.timeout(), authorization.apply(builder).send());
        let (sent, led_to) = hops::noting(sending).await;
        let why = match sent {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(error)) => match no_answer(error) {
                NoAnswer::Calm(message) => {
                    return Err(RegistryError::Throttled {
                        action: request.action,
                        host: self.host.clone(),
                        until: SystemTime::now() + CALM,
                        message,
                    });
                }
                why => why,
            },
            Err(_) => NoAnswer::At(Reach::BrokeOff, "no answer in time".to_owned()),
        };
        let error = RegistryError::unanswered(request.action, &self.host, request.repository, why);
        let asked = led_to.as_ref().unwrap_or(&request.url);
        Err(match is_home(&self.base, asked) {
            true => error,
            false => error.elsewhere(host_of(asked)),
        })
    }
}

/// Whether `url` is the registry's own, at `base`: nobody else gets its login or a say in it.
pub(super) fn is_home(base: &Url, url: &Url) -> bool {
    url.origin() == base.origin()
}

/// The method as traces and metrics name it.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "_OTHER",
    }
}

fn may_plead(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::FORBIDDEN | StatusCode::SERVICE_UNAVAILABLE
    )
}

/// The pleas for patience that one request has met.
#[derive(Default)]
pub(super) struct Pleas(u32);

impl Pleas {
    /// Parks `host`, so that the next try waits for its admission. An error when the host has asked
    /// for longer or more often than one request waits.
    pub(super) async fn heed(
        &mut self,
        budget: &dyn HostBudget,
        action: &'static str,
        host: &str,
        pause: Duration,
        message: String,
    ) -> Result<(), RegistryError> {
        let until = SystemTime::now() + pause;
        budget.park(host, until, &message).await;
        self.0 += 1;
        if self.0 <= MAX_PATIENCE && pause <= MAX_WAIT {
            return Ok(());
        }
        Err(RegistryError::Throttled {
            action,
            host: host.to_owned(),
            until,
            message,
        })
    }
}

//! One connection to Redis for all who ask. It outlives the server: a lost one is made again, and
//! requests wait for that within their patience. Every request may have been carried out although its
//! answer was lost, and is then sent again: all of ours may be.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::redis::{FromRedisValue, RedisError, Value};
use mirror_runtime::metrics::metrics;
use mirror_runtime::{Secret, local, redact};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::time::Instant;
use url::Url;

use super::dial::{Dial, Link};
use super::failure::{Verdict, words};
use super::scripts::Call;
use crate::error::LedgerError;

/// Between two tries: at first, and at the most.
const SOON: Duration = Duration::from_millis(50);
const LATEST: Duration = Duration::from_secs(2);

/// Which Redis, and how to use it.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. Of a cluster, the address
    /// of any node.
    pub url: Secret,
    /// Certificates (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// What all keys begin with, so that others may use the same Redis.
    pub namespace: String,
    /// How long a request waits for a Redis that is not there before it fails.
    pub patience: Duration,
}

impl RedisOptions {
    /// The options for an address, with 60 seconds of patience.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: Secret::new(url),
            ca_file: None,
            namespace: "conda-oci".to_owned(),
            patience: Duration::from_secs(60),
        }
    }
}

/// What a request is answered.
pub(super) type Answer<T> = Result<T, LedgerError>;

/// A connection that many share; cloning it is cheap.
#[derive(Clone)]
pub struct RedisConnection(Arc<Shared>);

struct Shared {
    dial: Dial,
    /// The address without its secrets.
    shown: String,
    namespace: String,
    patience: Duration,
    link: Mutex<Current>,
    /// Held by the one who connects.
    dialing: tokio::sync::Mutex<()>,
    /// Whether the loss was reported and the return was not.
    lost: AtomicBool,
    /// Whether the server was judged.
    judged: AtomicBool,
}

#[derive(Default)]
struct Current {
    link: Option<Link>,
    /// Of the link: whoever met an error on an earlier one does not drop a later one.
    number: u64,
}

impl RedisConnection {
    /// Connects, and waits for a server that is not there yet as long as for one that goes away later.
    ///
    /// # Errors
    /// When the address or the certificates cannot be used, the login is refused, or nobody answers.
    pub async fn connect(options: RedisOptions) -> Result<Self, LedgerError> {
        let url = options.url.expose();
        let shown = shown(url);
        let unusable = |cause: String| LedgerError::RedisAddress {
            url: shown.clone(),
            cause,
        };
        let scheme = Url::parse(url).map_err(|error| unusable(error.to_string()))?;
        let tls = match scheme.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(unusable("it is neither redis:// nor rediss://".to_owned())),
        };
        let ca = match &options.ca_file {
            None => None,
            Some(_) if !tls => {
                let cause = "certificates are given, but only rediss:// has TLS";
                return Err(unusable(cause.to_owned()));
            }
            Some(path) => Some(certificates(path).await.map_err(|cause| {
                let path = path.clone();
                LedgerError::RedisCertificates { path, cause }
            })?),
        };
        // The cause may quote the address: only its category is told.
        let dial =
            Dial::new(url.to_owned(), ca).map_err(|error| unusable(error.category().to_owned()))?;
        let connection = Self(Arc::new(Shared {
            dial,
            shown,
            namespace: options.namespace,
            patience: options.patience,
            link: Mutex::default(),
            dialing: tokio::sync::Mutex::default(),
            lost: AtomicBool::new(false),
            judged: AtomicBool::new(false),
        }));
        connection.ping().await?;
        Ok(connection)
    }

    /// Whether Redis answers, as far as is known.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        !self.0.lost.load(Ordering::Relaxed)
    }

    /// Asks Redis whether it is there, and waits for it within the patience.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn ping(&self) -> Answer<()> {
        let answer = self.ask::<Value>("ping", ::redis::cmd("PING"));
        answer.await.map(|_| ())
    }

    pub(super) fn namespace(&self) -> &str {
        &self.0.namespace
    }

    pub(super) fn shown(&self) -> &str {
        &self.0.shown
    }

    pub(super) fn unreadable(&self, what: &'static str, cause: impl fmt::Display) -> LedgerError {
        LedgerError::RedisAnswer {
            url: self.0.shown.clone(),
            what,
            cause: cause.to_string(),
        }
    }

    /// Asks, and again within the patience while Redis is away. Dropping the future leaves open whether
    /// the request was carried out.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        what: &'static str,
        call: impl Into<Call>,
    ) -> Answer<T> {
        self.ask_within(what, call, self.0.patience).await
    }

    /// [`ask`](Self::ask) with a patience of its own.
    pub(super) async fn ask_within<T: FromRedisValue>(
        &self,
        what: &'static str,
        call: impl Into<Call>,
        patience: Duration,
    ) -> Answer<T> {
        let began = Instant::now();
        let answer = self.ask_patiently(what, call.into(), patience).await;
        metrics().ledger("redis", what, began.elapsed(), answer.is_ok());
        answer
    }

    async fn ask_patiently<T: FromRedisValue>(
        &self,
        what: &'static str,
        call: Call,
        patience: Duration,
    ) -> Answer<T> {
        let started = Instant::now();
        let mut pause = SOON;
        let mut last = None;
        loop {
            let left = patience.saturating_sub(started.elapsed());
            if left.is_zero() {
                let cause = last.unwrap_or_else(|| "it does not answer".to_owned());
                return Err(self.unreachable(what, patience, cause));
            }
            let Ok(tried) = tokio::time::timeout(left, self.try_once(&call)).await else {
                continue;
            };
            let error = match tried {
                Ok(answer) => {
                    self.note_back(started);
                    return T::from_redis_value(answer)
                        .map_err(|error| self.unreadable(what, error));
                }
                Err(error) => error,
            };
            match Verdict::of(&error) {
                Verdict::Redial | Verdict::Wait | Verdict::Load => {}
                verdict => return Err(self.refused(what, verdict, &error)),
            }
            self.note_lost(&error);
            last = Some(words(&error));
            let left = patience.saturating_sub(started.elapsed());
            // Many workers come back at once.
            let spread = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            tokio::time::sleep(spread.min(left)).await;
            pause = (pause * 2).min(LATEST);
        }
    }

    /// One try, with the script loaded if the server does not have it.
    async fn try_once(&self, call: &Call) -> Result<Value, RedisError> {
        let (mut link, number) = self.link().await?;
        let mut answer = link.ask(call.request()).await;
        if let Err(error) = &answer
            && Verdict::of(error) == Verdict::Load
            && let Some(load) = call.load()
        {
            answer = match link.ask(&load).await {
                Ok(_) => link.ask(call.request()).await,
                Err(error) => Err(error),
            };
        }
        if let Err(error) = &answer
            && Verdict::of(error) == Verdict::Redial
            // A cluster's connection finds the nodes that are left by itself.
            && !link.is_cluster()
        {
            self.drop_link(number);
        }
        answer
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.0.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn established(&self) -> Option<(Link, u64)> {
        let current = self.current();
        let link = current.link.clone();
        link.map(|link| (link, current.number))
    }

    fn drop_link(&self, number: u64) {
        let mut current = self.current();
        if current.number == number {
            current.link = None;
        }
    }

    async fn link(&self) -> Result<(Link, u64), RedisError> {
        if let Some(link) = self.established() {
            return Ok(link);
        }
        let _one = self.0.dialing.lock().await;
        if let Some(link) = self.established() {
            return Ok(link);
        }
        let (link, about) = self.0.dial.dial().await?;
        if !self.0.judged.swap(true, Ordering::Relaxed)
            && let Some(policy) = about.evicts()
        {
            tracing::warn!(
                redis = self.0.shown,
                maxmemory_policy = policy,
                "this Redis drops keys when its memory is full, and what it drops is done again: set `maxmemory-policy noeviction`"
            );
        }
        let mut current = self.current();
        current.number += 1;
        current.link = Some(link.clone());
        Ok((link, current.number))
    }

    fn note_lost(&self, error: &RedisError) {
        if !self.0.lost.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                redis = self.0.shown,
                cause = words(error),
                "Redis is away; waiting for it"
            );
        }
    }

    fn note_back(&self, since: Instant) {
        if self.0.lost.load(Ordering::Relaxed) && self.0.lost.swap(false, Ordering::Relaxed) {
            let seconds = since.elapsed().as_secs_f32();
            tracing::warn!(redis = self.0.shown, seconds, "Redis is back");
        }
    }

    fn unreachable(&self, what: &'static str, waited: Duration, cause: String) -> LedgerError {
        LedgerError::RedisUnreachable {
            url: self.0.shown.clone(),
            what,
            waited,
            cause,
        }
    }

    fn refused(&self, what: &'static str, verdict: Verdict, error: &RedisError) -> LedgerError {
        let (url, cause) = (self.0.shown.clone(), words(error));
        match verdict {
            Verdict::Refused => LedgerError::RedisRefused { url, what, cause },
            Verdict::Untrusted => LedgerError::RedisUntrusted { url, cause },
            Verdict::Full => LedgerError::RedisFull { url, what },
            _ => LedgerError::RedisAnswer { url, what, cause },
        }
    }
}

impl fmt::Debug for RedisConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisConnection")
            .field(&self.0.shown)
            .finish()
    }
}

/// The file's bytes, if it has certificates and all of them can be read.
async fn certificates(path: &Path) -> Result<Vec<u8>, String> {
    let read = tokio::fs::read(path).await;
    let pem = read.map_err(|error| format!("{error}; {}", local::remedy(&error)))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err("there is none in it".to_owned()),
        Ok(_) => Ok(pem),
        Err(error) => Err(error.to_string()),
    }
}

/// The address without its secrets.
fn shown(url: &str) -> String {
    redact::text(url)
}

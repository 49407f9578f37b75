//! A collector of OpenTelemetry on a free port of 127.0.0.1: takes spans and metrics by OTLP over HTTP (protobuf), and
//! keeps them for whoever asks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A span as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// `service.name` of the process.
    pub service: String,
    /// `service.instance.id` of the process.
    pub instance: String,
    /// Its trace, in hex.
    pub trace: String,
    /// Itself, in hex.
    pub id: String,
    /// Its parent, in hex; empty at the root.
    pub parent: String,
    /// What it is called.
    pub name: String,
    /// Texts, numbers and truths, written out.
    pub attributes: BTreeMap<String, String>,
    /// Whether it ended badly.
    pub failed: bool,
    /// The traces it has links to, in hex.
    pub links: Vec<String>,
}

#[derive(Debug, Default)]
struct Kept {
    spans: Mutex<Vec<Span>>,
    metrics: Mutex<BTreeSet<String>>,
}

/// A running collector; dropping it closes the port.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    kept: Arc<Kept>,
    task: JoinHandle<()>,
}

impl Collector {
    /// Listens on a free port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("listen")?;
        let address = listener.local_addr()?;
        let kept = Arc::new(Kept::default());
        let router = Router::new()
            .route("/v1/traces", post(traces))
            .route("/v1/metrics", post(metrics))
            .with_state(Arc::clone(&kept));
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            kept,
            task,
        })
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans that came so far.
    ///
    /// # Panics
    /// If keeping one panicked.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.kept.spans.lock().expect("no panic").clone()
    }

    /// The names of all metrics that came so far.
    ///
    /// # Panics
    /// If keeping one panicked.
    #[must_use]
    pub fn metrics(&self) -> BTreeSet<String> {
        self.kept.metrics.lock().expect("no panic").clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn traces(State(kept): State<Arc<Kept>>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut spans = kept.spans.lock().expect("no panic");
    for resource in request.resource_spans {
        let attributes = resource.resource.unwrap_or_default().attributes;
        let of_process = texts(&attributes);
        let process = |key: &str| of_process.get(key).cloned().unwrap_or_default();
        for span in resource
            .scope_spans
            .into_iter()
            .flat_map(|scope| scope.spans)
        {
            spans.push(Span {
                service: process("service.name"),
                instance: process("service.instance.id"),
                trace: hex::encode(&span.trace_id),
                id: hex::encode(&span.span_id),
                parent: hex::encode(&span.parent_span_id),
                name: span.name,
                attributes: texts(&span.attributes),
                // 2 is `STATUS_CODE_ERROR`.
                failed: span.status.is_some_and(|status| status.code == 2),
                links: span
                    .links
                    .iter()
                    .map(|link| hex::encode(&link.trace_id))
                    .collect(),
            });
        }
    }
    StatusCode::OK
}

async fn metrics(State(kept): State<Arc<Kept>>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportMetricsServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    let scopes = request.resource_metrics.into_iter();
    let scopes = scopes.flat_map(|resource| resource.scope_metrics);
    let names = scopes.flat_map(|scope| scope.metrics).map(|one| one.name);
    kept.metrics.lock().expect("no panic").extend(names);
    StatusCode::OK
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |pair: &KeyValue| {
        let value = match pair.value.as_ref()?.value.as_ref()? {
            any_value::Value::StringValue(text) => text.clone(),
            any_value::Value::IntValue(number) => number.to_string(),
            any_value::Value::BoolValue(truth) => truth.to_string(),
            any_value::Value::DoubleValue(number) => number.to_string(),
            _ => return None,
        };
        Some((pair.key.clone(), value))
    };
    attributes.iter().filter_map(text).collect()
}

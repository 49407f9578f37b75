//! Where traces and metrics go: to a collector by OTLP, as the standard `OTEL_*` variables say, and to whoever asks for
//! `/metrics`. Where nobody wants them nothing is set up, and recording them does nothing.
//!
//! OTLP over HTTP with protobuf, by a thread of its own: neither a slow nor an absent collector holds up the work.

use std::env;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use prometheus::{Encoder as _, TextEncoder};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::filter::{Filtered, Targets};
use tracing_subscriber::layer::Layer as _;
use tracing_subscriber::registry::LookupSpan;

use super::SPANS;
use crate::metrics;

/// Who is telling.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// Unless `OTEL_SERVICE_NAME` says otherwise.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Whether somebody may ask for `/metrics`.
    pub is_scraped: bool,
}

/// Why nothing can be exported as asked.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A variable asks for what is not built in.
    #[error("{variable}={value} is not known here; known are {known}")]
    Unknown {
        /// The variable.
        variable: &'static str,
        /// What it asks for.
        value: String,
        /// What it may ask for.
        known: &'static str,
    },
    /// An exporter could not be set up.
    #[error("cannot export {what} (OTEL_EXPORTER_OTLP_ENDPOINT and the like): {cause}")]
    SetUp {
        /// Traces or metrics.
        what: &'static str,
        /// What came back.
        cause: String,
    },
}

/// What is exported, for as long as the process lives.
#[derive(Debug, Default)]
pub struct Export {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
    scraped: Option<prometheus::Registry>,
}

impl Export {
    /// Nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// What the environment asks for. Call it before anything is recorded, and not within an asynchronous runtime.
    ///
    /// # Errors
    /// When that is not to be had.
    pub fn from_environment(service: Service) -> Result<Self, ExportError> {
        let off = is_true("OTEL_SDK_DISABLED");
        let traces = !off && wants("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")?;
        let metrics = !off
            && wants(
                "OTEL_METRICS_EXPORTER",
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            )?;
        if traces || metrics {
            for variable in [
                "OTEL_EXPORTER_OTLP_PROTOCOL",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
                "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
            ] {
                known(variable, &["http/protobuf"], "http/protobuf")?;
            }
        }
        let mut export = Self::nothing();
        if traces {
            let exporter = SpanExporter::builder().with_http().build();
            let exporter = exporter.map_err(|error| set_up("traces", &error))?;
            let provider = SdkTracerProvider::builder()
                .with_batch_exporter(exporter)
                .with_resource(resource(service))
                .build();
            export.traces = Some(provider);
        }
        if metrics || service.is_scraped {
            let mut provider = SdkMeterProvider::builder().with_resource(resource(service));
            if metrics {
                let exporter = MetricExporter::builder().with_http().build();
                let exporter = exporter.map_err(|error| set_up("metrics", &error))?;
                provider = provider.with_periodic_exporter(exporter);
            }
            if service.is_scraped {
                let registry = prometheus::Registry::new();
                provider = provider.with_reader(scraper(&registry)?);
                export.scraped = Some(registry);
            }
            for view in metrics::views() {
                provider = provider.with_view(view);
            }
            let provider = provider.build();
            global::set_meter_provider(provider.clone());
            export.metrics = Some(provider);
        }
        Ok(export)
    }

    /// The metrics as Prometheus reads them, if they are scraped.
    #[must_use]
    pub fn scrape(&self) -> Option<String> {
        let families = self.scraped.as_ref()?.gather();
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text).ok()?;
        String::from_utf8(text).ok()
    }

    /// Sends what has not been sent. Call it last, and not within an asynchronous runtime. A collector that is away is
    /// no reason to fail: it is said and no more.
    pub fn flush(&self) {
        let ended = [
            self.traces.as_ref().map(SdkTracerProvider::shutdown),
            self.metrics.as_ref().map(SdkMeterProvider::shutdown),
        ];
        for ended in ended.into_iter().flatten() {
            if let Err(error) = ended {
                tracing::warn!(%error, "the last traces or metrics did not reach their collector");
            }
        }
    }

    /// What makes traces of [`SPANS`].
    pub(super) fn spans<S>(&self) -> Option<Filtered<OpenTelemetryLayer<S, SdkTracer>, Targets, S>>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let tracer = self.traces.as_ref()?.tracer("conda-oci");
        let layer = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false);
        let ours = Targets::new().with_target(SPANS, LevelFilter::INFO);
        Some(layer.with_filter(ours))
    }
}

/// What `/metrics` is read from.
fn scraper(
    registry: &prometheus::Registry,
) -> Result<opentelemetry_prometheus::PrometheusExporter, ExportError> {
    opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .build()
        .map_err(|error| set_up("metrics", &error))
}

fn set_up(what: &'static str, error: &dyn std::error::Error) -> ExportError {
    ExportError::SetUp {
        what,
        cause: error.to_string(),
    }
}

fn resource(service: Service) -> Resource {
    let named = set("OTEL_SERVICE_NAME").is_some()
        || set("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|all| all.contains("service.name="));
    let resource = Resource::builder().with_attributes([
        KeyValue::new("service.version", service.version),
        KeyValue::new("service.instance.id", crate::process::name(service.name)),
    ]);
    match named {
        true => resource.build(),
        false => resource.with_service_name(service.name).build(),
    }
}

/// Whether a kind of telemetry is exported: named so, or given somewhere to go.
fn wants(exporter: &'static str, endpoint: &str) -> Result<bool, ExportError> {
    match known(exporter, &["otlp", "none"], "otlp and none")?.as_deref() {
        Some(named) => Ok(named == "otlp"),
        None => Ok(set("OTEL_EXPORTER_OTLP_ENDPOINT").is_some() || set(endpoint).is_some()),
    }
}

/// The value of a variable, if it is one of these.
fn known(
    variable: &'static str,
    values: &[&str],
    known: &'static str,
) -> Result<Option<String>, ExportError> {
    match set(variable) {
        Some(value) if !values.contains(&value.as_str()) => Err(ExportError::Unknown {
            variable,
            value,
            known,
        }),
        value => Ok(value),
    }
}

/// Set, and to something: the specification takes an empty variable for one that is not set.
fn set(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|value| !value.is_empty())
}

fn is_true(variable: &str) -> bool {
    set(variable).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

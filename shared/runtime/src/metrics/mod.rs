//! The metrics of a process: one set of instruments, read at `/metrics` and sent by OTLP
//! ([`Export`](crate::telemetry::Export)). Where neither is wanted, recording does nothing.
//!
//! Labels are bounded: by what they may be, or by count where hosts and subdirs come from outside.

mod bounded;
mod definitions;

use std::sync::LazyLock;
use std::time::Duration;

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter};
use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::metrics::{Aggregation, Instrument, Stream};

pub use definitions::{DEFINITIONS, Definition, Kind};

use crate::telemetry::Step;
use bounded::Bounded;
use definitions as define;

/// From a look at Redis to a package of a gigabyte, in seconds.
const BOUNDARIES: [f64; 15] = [
    0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1200.0, 3600.0,
];

/// What tasks and requests are counted by.
#[derive(Debug)]
pub struct Metrics {
    files: Counter<u64>,
    bytes: Counter<u64>,
    downloaded: Counter<u64>,
    in_flight: UpDownCounter<i64>,
    task: Histogram<f64>,
    step: Histogram<f64>,
    attempts: Counter<u64>,
    http: Histogram<f64>,
    throttled: Counter<f64>,
    depth: Gauge<u64>,
    ledger: Histogram<f64>,
    lease: Gauge<u64>,
    planned: Gauge<u64>,
    left: Gauge<u64>,
    published: Gauge<u64>,
    publication: Histogram<f64>,
    ready: Gauge<u64>,
    hosts: Bounded,
    subdirs: Bounded,
    channels: Bounded,
}

/// The instruments of this process. What is exported has to be set up before.
pub fn metrics() -> &'static Metrics {
    static METRICS: LazyLock<Metrics> = LazyLock::new(|| Metrics::of(&global::meter("conda-oci")));
    &METRICS
}

/// The histograms' boundaries.
pub(crate) fn views() -> impl Iterator<Item = impl Fn(&Instrument) -> Option<Stream>> {
    let histograms = DEFINITIONS
        .iter()
        .filter(|definition| definition.kind == Kind::Histogram);
    histograms.map(|definition| {
        move |instrument: &Instrument| {
            let aggregation = Aggregation::ExplicitBucketHistogram {
                boundaries: BOUNDARIES.to_vec(),
                record_min_max: false,
            };
            (instrument.name() == definition.name)
                .then(|| Stream::builder().with_aggregation(aggregation).build().ok())
                .flatten()
        }
    })
}

impl Metrics {
    fn of(meter: &Meter) -> Self {
        let counter = |of: Definition| {
            let builder = meter.u64_counter(of.name).with_unit(of.unit);
            builder.with_description(of.description).build()
        };
        let gauge = |of: Definition| {
            let builder = meter.u64_gauge(of.name).with_unit(of.unit);
            builder.with_description(of.description).build()
        };
        let histogram = |of: Definition| {
            let builder = meter.f64_histogram(of.name).with_unit(of.unit);
            builder.with_description(of.description).build()
        };
        let (in_flight, throttled) = (define::IN_FLIGHT, define::THROTTLED);
        Self {
            files: counter(define::FILES),
            bytes: counter(define::BYTES),
            downloaded: counter(define::DOWNLOADED),
            in_flight: meter
                .i64_up_down_counter(in_flight.name)
                .with_unit(in_flight.unit)
                .with_description(in_flight.description)
                .build(),
            task: histogram(define::TASK),
            step: histogram(define::STEP),
            attempts: counter(define::ATTEMPTS),
            http: histogram(define::HTTP),
            throttled: meter
                .f64_counter(throttled.name)
                .with_unit(throttled.unit)
                .with_description(throttled.description)
                .build(),
            depth: gauge(define::DEPTH),
            ledger: histogram(define::LEDGER),
            lease: gauge(define::LEASE),
            planned: gauge(define::PLANNED),
            left: gauge(define::LEFT),
            published: gauge(define::PUBLISHED),
            publication: histogram(define::PUBLICATION),
            ready: gauge(define::READY),
            hosts: Bounded::default(),
            subdirs: Bounded::default(),
            channels: Bounded::default(),
        }
    }

    /// A file came to its outcome. `bytes`: its size, if that is known.
    pub fn file(&self, done: bool, subdir: &str, bytes: Option<u64>) {
        let labels = [
            KeyValue::new("outcome", if done { "done" } else { "failed" }),
            KeyValue::new("subdir", self.subdirs.name(subdir)),
        ];
        self.files.add(1, &labels);
        if let Some(bytes) = bytes {
            self.bytes.add(bytes, &labels);
        }
    }

    /// Bytes came from a channel.
    pub fn downloaded(&self, bytes: u64) {
        self.downloaded.add(bytes, &[]);
    }

    /// Files begun, or ended if negative.
    pub fn in_flight(&self, files: i64) {
        self.in_flight.add(files, &[]);
    }

    /// A build was begun for this time, from 1.
    pub fn attempt(&self, attempt: u32) {
        let attempt = match attempt {
            0 | 1 => "1",
            2 => "2",
            _ => "3 or more",
        };
        self.attempts.add(1, &[KeyValue::new("attempt", attempt)]);
    }

    /// A delivery was settled so.
    pub fn task(&self, took: Duration, outcome: &'static str) {
        let outcome = KeyValue::new("outcome", outcome);
        self.task.record(took.as_secs_f64(), &[outcome]);
    }

    pub(crate) fn step(&self, step: Step, took: Duration, ok: bool) {
        let labels = [KeyValue::new("step", step.name()), outcome(ok)];
        self.step.record(took.as_secs_f64(), &labels);
    }

    /// A request was answered with a status, or not at all.
    pub fn request(&self, host: &str, method: &'static str, took: Duration, status: Option<u16>) {
        let answer = match status {
            Some(status) => KeyValue::new("http.response.status_code", i64::from(status)),
            None => KeyValue::new("error.type", "no_answer"),
        };
        let labels = [
            KeyValue::new("server.address", self.hosts.name(host)),
            KeyValue::new("http.request.method", method),
            answer,
        ];
        self.http.record(took.as_secs_f64(), &labels);
    }

    /// A host asked to be left alone for so much longer.
    pub fn throttled(&self, host: &str, longer: Duration) {
        let host = KeyValue::new("server.address", self.hosts.name(host));
        self.throttled.add(longer.as_secs_f64(), &[host]);
    }

    /// What the queue holds.
    pub fn depth(&self, ready: u64, delayed: u64, dead: u64) {
        for (state, tasks) in [("ready", ready), ("delayed", delayed), ("dead", dead)] {
            self.depth.record(tasks, &[KeyValue::new("state", state)]);
        }
    }

    /// The ledger answered.
    pub fn ledger(&self, system: &'static str, operation: &'static str, took: Duration, ok: bool) {
        let labels = [
            KeyValue::new("db.system.name", system),
            KeyValue::new("operation", operation),
            outcome(ok),
        ];
        self.ledger.record(took.as_secs_f64(), &labels);
    }

    /// The lease on a subdir was taken, or is gone.
    pub fn lease(&self, channel: &str, subdir: &str, held: bool) {
        self.lease
            .record(held.into(), &self.mirror(channel, subdir));
    }

    /// A plan was made.
    pub fn planned(&self, channel: &str, subdir: &str, files: u64, builds: u64) {
        let labels = self.mirror(channel, subdir);
        self.planned.record(files, &labels);
        self.left.record(builds, &labels);
    }

    /// So many builds of the plan have no outcome.
    pub fn left(&self, channel: &str, subdir: &str, builds: u64) {
        self.left.record(builds, &self.mirror(channel, subdir));
    }

    /// The published index is known to be what the mirror holds, at this time (ms since 1970).
    pub fn published(&self, channel: &str, subdir: &str, at_ms: u64) {
        self.published
            .record(at_ms / 1000, &self.mirror(channel, subdir));
    }

    /// A publication came to its end.
    pub fn publication(&self, took: Duration, outcome: &'static str) {
        let outcome = KeyValue::new("outcome", outcome);
        self.publication.record(took.as_secs_f64(), &[outcome]);
    }

    /// The worker takes tasks, or no longer.
    pub fn ready(&self, ready: bool) {
        self.ready.record(ready.into(), &[]);
    }

    fn mirror(&self, channel: &str, subdir: &str) -> [KeyValue; 2] {
        [
            KeyValue::new("channel", self.channels.name(channel)),
            KeyValue::new("subdir", self.subdirs.name(subdir)),
        ]
    }
}

fn outcome(ok: bool) -> KeyValue {
    KeyValue::new("outcome", if ok { "ok" } else { "error" })
}

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::proto::MetricType;

use super::*;

fn record_each(metrics: &Metrics) {
    let second = Duration::from_secs(1);
    metrics.file(true, "linux-64", Some(7));
    metrics.file(false, "noarch", None);
    metrics.downloaded(7);
    metrics.in_flight(1);
    metrics.attempt(4);
    metrics.task(second, "acknowledge");
    metrics.step(Step::Blob, second, true);
    metrics.request("ghcr.io", "PUT", second, Some(201));
    metrics.request("ghcr.io", "PUT", second, None);
    metrics.throttled("ghcr.io", second);
    metrics.depth(1, 2, 3);
    metrics.ledger("redis", "claim", second, true);
    metrics.lease("conda-forge", "noarch", true);
    metrics.planned("conda-forge", "noarch", 5, 4);
    metrics.left("conda-forge", "noarch", 3);
    metrics.published("conda-forge", "noarch", 1_700_000_000_000);
    metrics.publication(second, "wrote");
    metrics.ready(true);
}

/// What `/metrics` shows is what the definitions say: name, kind, labels.
#[test]
fn every_definition_is_scraped_under_its_name_with_its_labels_and_nothing_else_is() {
    let registry = prometheus::Registry::new();
    let exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .without_target_info()
        .build()
        .expect("it is set up");
    let mut provider = SdkMeterProvider::builder().with_reader(exporter);
    for view in views() {
        provider = provider.with_view(view);
    }
    let provider = provider.build();
    record_each(&Metrics::of(&provider.meter("conda-oci")));

    let families = registry.gather();
    let scraped: BTreeSet<String> = families.iter().map(|one| one.name().to_owned()).collect();
    let defined: BTreeSet<String> = DEFINITIONS
        .iter()
        .map(Definition::prometheus_name)
        .collect();
    assert_eq!(scraped, defined);

    for family in &families {
        let definition = DEFINITIONS
            .iter()
            .find(|definition| definition.prometheus_name() == family.name())
            .expect("just compared");
        let kind = match definition.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
            Kind::Histogram => MetricType::HISTOGRAM,
        };
        assert_eq!(family.get_field_type(), kind, "{}", family.name());
        let labels: BTreeSet<String> = family
            .get_metric()
            .iter()
            .flat_map(|metric| metric.get_label())
            .map(|label| label.name().to_owned())
            .collect();
        let expected: BTreeSet<String> = definition
            .labels
            .iter()
            .map(|label| label.replace('.', "_"))
            .collect();
        assert_eq!(labels, expected, "{}", family.name());
        if definition.kind == Kind::Histogram {
            let buckets = family.get_metric()[0].get_histogram().get_bucket().len();
            // With that of all values, if it is told apart.
            assert!(buckets >= BOUNDARIES.len(), "{}: {buckets}", family.name());
        }
    }
}

//! Dashboard and alerts ask for metrics that there are; alerts fire when they should (`promtool`, of Debian's `prometheus`);
//! every alert is explained.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use mirror_runtime::metrics::{DEFINITIONS, Definition};
use regex::Regex;
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn dashboard() -> Vec<String> {
    let dashboard: Value =
        serde_json::from_str(&read("deploy/grafana/dashboards/conda-oci.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    targets
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect()
}

/// Name and expression of each alert.
fn alerts() -> Vec<(String, String)> {
    let rules: Value = serde_yaml_ng::from_str(&read("deploy/prometheus/alerts.yml")).unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    rules
        .iter()
        .map(|rule| {
            let text = |key: &str| rule[key].as_str().unwrap().to_owned();
            (text("alert"), text("expr"))
        })
        .collect()
}

#[test]
fn every_metric_and_label_in_dashboard_and_alerts_is_one_of_ours() {
    let name = Regex::new(r"\b(?:conda_oci|http_client)_[a-z_]+").unwrap();
    let by = Regex::new(r"\b(?:by|on) \(([^)]*)\)").unwrap();
    let matched = Regex::new(r"\{([^}]*)\}").unwrap();
    let series: BTreeSet<String> = DEFINITIONS.iter().flat_map(Definition::series).collect();
    let labels: BTreeSet<String> = DEFINITIONS
        .iter()
        .flat_map(|definition| definition.labels)
        .map(|label| label.replace('.', "_"))
        .chain(["le".to_owned()])
        .collect();
    let mut asked = BTreeSet::new();
    let alerts = alerts().into_iter().map(|(_, expression)| expression);
    for expression in dashboard().into_iter().chain(alerts) {
        let names: Vec<&str> = name
            .find_iter(&expression)
            .map(|one| one.as_str())
            .collect();
        assert!(!names.is_empty(), "{expression}");
        for name in names {
            assert!(series.contains(name), "{name} in {expression}");
            asked.insert(name.to_owned());
        }
        for group in by.captures_iter(&expression) {
            for label in group[1].split(", ") {
                assert!(labels.contains(label), "{label} in {expression}");
            }
        }
        for group in matched.captures_iter(&expression) {
            for pair in group[1].split(',') {
                let label = pair.split(['=', '!']).next().unwrap();
                assert!(labels.contains(label), "{label} in {expression}");
            }
        }
    }
    for definition in DEFINITIONS {
        let shown = definition.series().iter().any(|name| asked.contains(name));
        assert!(shown, "{} is on no panel", definition.name);
    }
}

fn promtool(arguments: &[&str]) {
    let ran = Command::new("promtool")
        .args(arguments)
        .current_dir(root().join("deploy/prometheus"))
        .output()
        .expect("promtool runs (Debian: prometheus)");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}{wrong}");
}

#[test]
fn alerts_are_rules_and_fire_when_they_should_and_not_before() {
    promtool(&["check", "rules", "alerts.yml"]);
    promtool(&["check", "config", "--syntax-only", "prometheus.yml"]);
    promtool(&["test", "rules", "alerts.test.yml"]);
    let tested = read("deploy/prometheus/alerts.test.yml");
    for (alert, _) in alerts() {
        assert!(tested.contains(&alert), "{alert} has no test");
    }
}

#[test]
fn every_alert_is_explained_in_the_manual() {
    let manual = read("docs/OPERATIONS.md");
    for (alert, _) in alerts() {
        let heading = format!("\n### {alert}\n");
        assert!(manual.contains(&heading), "{alert}");
    }
}

/// What the compose profile mounts is there.
#[test]
fn the_observability_profile_mounts_files_that_are_there() {
    let mut compose: serde_yaml_ng::Value =
        serde_yaml_ng::from_str(&read("docker-compose.yml")).unwrap();
    compose.apply_merge().unwrap();
    let compose = serde_json::to_value(compose).unwrap();
    let services = compose["services"].as_object().unwrap();
    let mut seen = 0;
    for service in services.values() {
        if service.get("profiles") != Some(&serde_json::json!(["observability"])) {
            continue;
        }
        seen += 1;
        for volume in service["volumes"].as_array().unwrap() {
            let from = volume.as_str().unwrap().split(':').next().unwrap();
            let is_there = !from.starts_with("./") || root().join(Path::new(from)).exists();
            assert!(is_there, "{from}");
        }
    }
    assert_eq!(seen, 3);
}

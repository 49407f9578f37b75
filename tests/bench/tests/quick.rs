//! The benchmark itself works: a scaled-down run gives a table, JSON and plots. No figure is judged.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// Runs the benchmark over the program with its fail points; gives table and JSON.
fn quick(folder: &Path, workloads: &[&str]) -> (String, Value) {
    let json = folder.join("figures.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mirror-bench"));
    command
        .args(["--quick", "--program"])
        .arg(mirror_kit::process::binary())
        .arg("--worker")
        .arg(mirror_kit::process::worker_binary());
    command
        .arg("--json")
        .arg(&json)
        .arg("--plots")
        .arg(folder.join("plots"));
    for workload in workloads {
        command.args(["--only", workload]);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let figures = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    (String::from_utf8(output.stdout).unwrap(), figures)
}

#[test]
fn small_files_are_measured_beside_a_bare_loop() {
    let folder = TempDir::new().unwrap();
    let (table, figures) = quick(folder.path(), &["small"]);
    assert!(table.contains("| 55 files of 5 kB → registry"), "{table}");
    assert!(table.contains("--quick"), "{table}");
    let row = &figures["rows"][0];
    let number = |value: &Value| {
        value
            .as_f64()
            .unwrap_or_else(|| panic!("no number in {row}"))
    };
    let (ours, bare) = (
        number(&row["measured"]["median"]),
        number(&row["baseline"]["median"]),
    );
    assert!(ours > 0.0 && bare > 0.0, "{row}");
    let ratio = number(&row["ratio"]["median"]);
    assert!((ratio - ours / bare).abs() < 1e-9, "{row}");
    assert_eq!(row["met"].as_bool(), Some(ratio >= 0.9), "{row}");
}

#[test]
fn plans_and_publications_are_measured_and_plotted() {
    let folder = TempDir::new().unwrap();
    let (table, figures) = quick(folder.path(), &["plan", "held"]);
    assert!(table.contains("| plan 10,000 records"), "{table}");
    for name in ["plan", "held"] {
        let plot =
            std::fs::read_to_string(folder.path().join(format!("plots/{name}.svg"))).unwrap();
        assert!(
            plot.starts_with("<svg ") && plot.contains("<circle"),
            "{plot}"
        );
    }
    let rows = figures["rows"].as_array().unwrap();
    let row = |what: &str| {
        let found = rows
            .iter()
            .find(|row| row["work"].as_str().unwrap().contains(what));
        found.unwrap_or_else(|| panic!("no row `{what}` in {table}"))
    };
    // 10,000 records of 304 names, of which every hundredth changed: exactly those shards were written.
    let shards = row("1 % changed: shards written");
    assert_eq!(
        shards["measured"]["median"], shards["baseline"]["median"],
        "{shards}"
    );
    assert_eq!(shards["measured"]["median"], 4.0, "{shards}");
    // Two requests a subdir: is `latest` the same, was anything added.
    assert_eq!(
        row("nothing to do, 10,000 files held")["figures"]["requests"],
        4.0
    );
}

#[test]
fn outcomes_in_redis_are_weighed() {
    let folder = TempDir::new().unwrap();
    let (table, figures) = quick(folder.path(), &["redis"]);
    assert!(table.contains("| 10,000 done files in Redis"), "{table}");
    let rows = figures["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3, "{figures}");
    assert!(rows[0]["measured"]["median"].as_f64().unwrap() > 40.0);
}

#[test]
fn tasks_are_queued_beside_a_bare_loop() {
    let folder = TempDir::new().unwrap();
    let (table, figures) = quick(folder.path(), &["queue"]);
    assert!(table.contains("| queue 500 tasks"), "{table}");
    let row = &figures["rows"][0];
    assert!(row["measured"]["median"].as_f64().unwrap() > 0.0, "{row}");
    assert!(row["baseline"]["median"].as_f64().unwrap() > 0.0, "{row}");
}

#[test]
fn workers_are_measured_beside_what_the_latency_allows() {
    let folder = TempDir::new().unwrap();
    let (table, figures) = quick(folder.path(), &["workers"]);
    let rows = figures["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{table}");
    for row in rows {
        let ratio = row["ratio"]["median"].as_f64().unwrap();
        // More than the latency allows would be a wrong count.
        assert!(ratio > 0.0 && ratio < 1.2, "{row}");
    }
    let plot = std::fs::read_to_string(folder.path().join("plots/workers.svg")).unwrap();
    assert!(
        plot.starts_with("<svg ") && plot.contains("<circle"),
        "{plot}"
    );
}

#[test]
fn a_mirror_is_verified_file_by_file() {
    let folder = TempDir::new().unwrap();
    let (table, figures) = quick(folder.path(), &["verify"]);
    assert!(table.contains("| verify 1,000 files"), "{table}");
    // Four for each file, one for the config and one for the tags of each of 31 names, and the index and its shards.
    let requests = figures["rows"][0]["figures"]["requests"].as_f64().unwrap();
    assert!((4_062.0..4_200.0).contains(&requests), "{figures}");
}

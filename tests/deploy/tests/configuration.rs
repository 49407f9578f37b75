//! `docs/CONFIGURATION.md` is what the programs say of themselves with `--help`, each option with its variable.
//!
//!     CONDA_OCI_UPDATE_DOCS=1 cargo test -p mirror-deploy --test configuration     # writes it anew
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fmt::Write as _;
use std::path::PathBuf;

use mirror_kit::process::{Run, worker_binary};
use mirror_runtime::metrics::{DEFINITIONS, Kind};
use mirror_runtime::settings::variable;

const INTRODUCTION: &str = "\
# Configuration

Everything that can be set: as an option, as a variable of the environment, and for `conda-oci mirror` also as a key of
its configuration file ([README](../README.md#use)). This page is generated from what `--help` is made of; do not edit it
(`CONDA_OCI_UPDATE_DOCS=1 cargo test -p mirror-deploy --test configuration`).

An option that can be repeated takes one value a line in its variable. An option without a value is switched on by `true`.

## Of every program

| variable | |
|---|---|
| `ORAS_USER`, `ORAS_PASS` | login at the registry, both or neither |
| `ORAS_PASS_FILE` | a file with the password, instead of `ORAS_PASS` |
| `ORAS_SOURCE_USER`, `ORAS_SOURCE_PASS`, `ORAS_SOURCE_PASS_FILE` | the same at a registry that is read from, where that is another |
| `REGISTRY_AUTH_FILE`, `DOCKER_CONFIG` | where `docker login` and `podman login` keep logins, else `~/.docker/config.json` and Podman's `auth.json` |
| `RATTLER_AUTH_FILE`, `NETRC` | where logins at private channels are kept, besides `~/.rattler/credentials.json` and `~/.netrc` |
| `SSL_CERT_FILE` | certificates to trust instead of the system's |
| `CONDA_OCI_QUEUE_FILE`, `CONDA_OCI_STATE_FILE` | files with the addresses, instead of `CONDA_OCI_QUEUE` and `CONDA_OCI_STATE`: both may hold a password |
| `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` | proxies for channels and registries, and what is reached without them |
| `NO_COLOR` | if not empty: no colours |
| `RUST_LOG` | the log's filter, such as `mirror_oci=debug`; over `--quiet` and `--debug` |
| `OTEL_EXPORTER_OTLP_ENDPOINT` | where traces and metrics go: the collector's address for OTLP over HTTP, such as `http://collector:4318`. Nothing is recorded without it |
| `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` | the whole address of one of them |
| `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER` | `otlp`, or `none` to leave one of them out |
| `OTEL_SDK_DISABLED` | `true`: none of it |
| `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | what the process is called there |
| `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` | how many traces are kept: `parentbased_traceidratio` and `0.01` for one in a hundred |
| `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_TIMEOUT`, `OTEL_BSP_…`, `OTEL_METRIC_EXPORT_INTERVAL` | as OpenTelemetry's specification has them |
| `OTEL_EXPORTER_OTLP_PROTOCOL` | `http/protobuf`, the only one that is built in |
";

/// An option as the help shows it.
struct Shown {
    spelled: String,
    long: String,
    help: String,
}

/// The options of a help, under their headings.
fn options(help: &str) -> Vec<(String, Vec<Shown>)> {
    let mut headings: Vec<(String, Vec<Shown>)> = Vec::new();
    for line in help.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if let Some(heading) = line.strip_suffix(':').filter(|_| indent == 0) {
            if heading == "Examples" {
                break;
            }
            headings.push((heading.to_owned(), Vec::new()));
            continue;
        }
        let Some((_, shown)) = headings.last_mut() else {
            continue;
        };
        if text.starts_with('-') && indent < 10 {
            // Two spaces part what it is called from what it does, or it stands on the next line.
            let (spelled, help) = text.split_once("  ").unwrap_or((text, ""));
            let Some((_, long)) = spelled.split_once("--") else {
                continue;
            };
            let end = long.find([' ', '[', '=']).unwrap_or(long.len());
            shown.push(Shown {
                spelled: spelled.to_owned(),
                long: long[..end].to_owned(),
                help: help.trim().to_owned(),
            });
        } else if let Some(last) = shown.last_mut().filter(|_| !text.is_empty()) {
            let space = if last.help.is_empty() { "" } else { " " };
            let _ = write!(last.help, "{space}{text}");
        }
    }
    headings.retain(|(_, shown)| !shown.is_empty());
    headings
}

async fn section(title: &str, run: Run, page: &mut String) {
    let ended = run.arg("--help").run().await;
    let help = &ended.assert_code(0).stdout;
    let _ = writeln!(page, "\n## `{title}`");
    let mut any = false;
    for (heading, shown) in options(help) {
        let _ = writeln!(
            page,
            "\n{heading}:\n\n| option | variable | |\n|---|---|---|"
        );
        for Shown {
            spelled,
            long,
            help,
        } in shown
        {
            any = true;
            let variable = match long.as_str() {
                "help" | "version" => String::new(),
                long => format!("`{}`", variable(long)),
            };
            let (spelled, help) = (spelled.replace('|', "\\|"), help.replace('|', "\\|"));
            let _ = writeln!(page, "| `{spelled}` | {variable} | {help} |");
        }
    }
    assert!(any, "{title} has options: {help}");
}

fn metrics(page: &mut String) {
    page.push_str(
        "\n## Metrics\n\nAt `--listen`, path `/metrics`, and by OTLP under the names in brackets.\n\n| metric | | labels | |\n|---|---|---|---|\n",
    );
    for definition in DEFINITIONS {
        let kind = match definition.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels: Vec<String> = definition
            .labels
            .iter()
            .map(|label| format!("`{}`", label.replace('.', "_")))
            .collect();
        let _ = writeln!(
            page,
            "| `{}` (`{}`) | {kind} | {} | {} |",
            definition.prometheus_name(),
            definition.name,
            labels.join(", "),
            definition.description
        );
    }
}

#[tokio::test]
async fn the_page_is_what_the_programs_say() {
    let mut page = INTRODUCTION.to_owned();
    for command in [
        "mirror",
        "enqueue",
        "publish",
        "verify",
        "push-cache",
        "pull-cache",
        "status",
        "failures",
        "retry",
        "pause",
        "resume",
        "cancel",
        "completions",
        "man",
    ] {
        let title = format!("conda-oci {command}");
        section(&title, Run::new().arg(command), &mut page).await;
    }
    let worker = Run::new().program(worker_binary());
    section("conda-oci-worker", worker, &mut page).await;
    metrics(&mut page);

    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/CONFIGURATION.md");
    if std::env::var_os("CONDA_OCI_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(
        written == page,
        "docs/CONFIGURATION.md is not what the programs say; CONDA_OCI_UPDATE_DOCS=1 writes it anew"
    );
}

#[tokio::test]
async fn every_command_is_on_the_page() {
    let ended = Run::new().arg("--help").run().await;
    let help = &ended.assert_code(0).stdout;
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let names = commands
        .lines()
        .take_while(|line| !line.is_empty())
        // What is indented further goes on with the line above.
        .filter_map(|line| {
            line.strip_prefix("  ")
                .filter(|line| !line.starts_with(' '))
        })
        .filter_map(|line| line.split_whitespace().next());
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/CONFIGURATION.md");
    let page = std::fs::read_to_string(path).unwrap();
    for name in names.filter(|name| *name != "help") {
        assert!(
            page.contains(&format!("\n## `conda-oci {name}`\n")),
            "{name}"
        );
    }
}

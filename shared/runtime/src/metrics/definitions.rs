//! The instruments by name, unit and meaning. One list for the code, `/metrics`, the dashboards and the documentation.

/// What an instrument does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How often which value.
    Histogram,
}

/// One instrument.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// In OpenTelemetry.
    pub name: &'static str,
    /// UCUM.
    pub unit: &'static str,
    /// What it does.
    pub kind: Kind,
    /// The labels it may have, in OpenTelemetry.
    pub labels: &'static [&'static str],
    /// What it says.
    pub description: &'static str,
}

impl Definition {
    /// The name of its family at `/metrics`.
    #[must_use]
    pub fn prometheus_name(&self) -> String {
        let mut name = self.name.replace('.', "_");
        let unit = match self.unit {
            "s" => "_seconds",
            "By" => "_bytes",
            _ => "",
        };
        if !name.ends_with(unit) {
            name.push_str(unit);
        }
        if self.kind == Kind::Counter {
            name.push_str("_total");
        }
        name
    }

    /// The names that queries may use.
    #[must_use]
    pub fn series(&self) -> Vec<String> {
        let name = self.prometheus_name();
        match self.kind {
            Kind::Histogram => ["_bucket", "_count", "_sum"]
                .map(|end| format!("{name}{end}"))
                .to_vec(),
            Kind::Counter | Kind::Gauge => vec![name],
        }
    }
}

macro_rules! definitions {
    ($($constant:ident: $kind:ident $name:literal [$unit:literal] {$($label:literal),*} $description:literal;)*) => {
        $(pub(super) const $constant: Definition = Definition {
            name: $name,
            unit: $unit,
            kind: Kind::$kind,
            labels: &[$($label),*],
            description: $description,
        };)*

        /// All instruments.
        pub const DEFINITIONS: &[Definition] = &[$($constant),*];
    };
}

definitions! {
    FILES: Counter "conda_oci.files" ["{file}"] {"outcome", "subdir"}
        "Files that came to an outcome: done or failed.";
    BYTES: Counter "conda_oci.file.size" ["By"] {"outcome", "subdir"}
        "Bytes of the files that came to an outcome, as far as their sizes are known.";
    DOWNLOADED: Counter "conda_oci.downloaded" ["By"] {}
        "Bytes downloaded from channels, repeated ones counted again.";
    IN_FLIGHT: Gauge "conda_oci.files.in_flight" ["{file}"] {}
        "Files being transferred.";
    TASK: Histogram "conda_oci.task.duration" ["s"] {"outcome"}
        "From the claim of a build to its end: acknowledge, retry, wait or give_back.";
    STEP: Histogram "conda_oci.step.duration" ["s"] {"step", "outcome"}
        "The steps of a transfer: probe, download, extract, blob, manifest, outcome.";
    ATTEMPTS: Counter "conda_oci.attempts" ["{attempt}"] {"attempt"}
        "Builds begun, by which try it was: 1, 2, 3 or more.";
    HTTP: Histogram "http.client.request.duration" ["s"] {"server.address", "http.request.method", "http.response.status_code", "error.type"}
        "Requests to registries and channels, until the head of the answer.";
    THROTTLED: Counter "conda_oci.host.throttled" ["s"] {"server.address"}
        "For how long hosts asked to be left alone, as this process saw it.";
    DEPTH: Gauge "conda_oci.queue.depth" ["{task}"] {"state"}
        "Tasks in the queue: ready, delayed, or dead (put aside, which nobody can work on).";
    LEDGER: Histogram "conda_oci.ledger.duration" ["s"] {"db.system.name", "operation", "outcome"}
        "Requests to the ledger.";
    LEASE: Gauge "conda_oci.lease.held" ["{lease}"] {"channel", "subdir"}
        "Whether this process has the lease on a subdir: 1 or 0.";
    PLANNED: Gauge "conda_oci.plan.files" ["{file}"] {"channel", "subdir"}
        "Files that the current plan brings.";
    LEFT: Gauge "conda_oci.plan.builds_left" ["{build}"] {"channel", "subdir"}
        "Builds of the current plan that have no outcome yet.";
    PUBLISHED: Gauge "conda_oci.publication.timestamp" ["s"] {"channel", "subdir"}
        "When the published index was last known to be what the mirror holds, in seconds since 1970.";
    PUBLICATION: Histogram "conda_oci.publication.duration" ["s"] {"outcome"}
        "Publications of an index: wrote, unchanged, refused or failed.";
    READY: Gauge "conda_oci.worker.ready" ["{worker}"] {}
        "Whether the worker takes tasks: 1 or 0.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_there_once_and_ends_with_its_unit() {
        let mut names: Vec<String> = DEFINITIONS
            .iter()
            .map(Definition::prometheus_name)
            .collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.contains(&"conda_oci_file_size_bytes_total".to_owned()));
        assert!(names.contains(&"conda_oci_publication_timestamp_seconds".to_owned()));
    }
}

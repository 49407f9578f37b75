//! Runs of `conda-oci mirror`, and what their reports say.

use std::path::{Path, PathBuf};

use mirror_kit::process::{Home, Run};
use serde_json::Value;

/// `conda-oci mirror --channel <channel> --registry <registry>` in this home.
#[must_use]
pub fn mirror(home: &Home, channel: impl AsRef<str>, registry: impl AsRef<str>) -> Run {
    command("mirror", home, channel, registry)
}

/// The same of another command with the options of `mirror`: `enqueue`, `publish`.
#[must_use]
pub fn command(
    name: &str,
    home: &Home,
    channel: impl AsRef<str>,
    registry: impl AsRef<str>,
) -> Run {
    Run::in_home(home).args([
        name,
        "--channel",
        channel.as_ref(),
        "--registry",
        registry.as_ref(),
    ])
}

/// The report of a run: `--report` of [`Report::path`], read with [`Report::read`].
#[derive(Debug)]
pub struct Report(PathBuf);

impl Report {
    /// A report in this home.
    #[must_use]
    pub fn in_home(home: &Home) -> Self {
        Self(home.path().join("report.json"))
    }

    /// Where it will be.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What it says.
    ///
    /// # Panics
    /// If it is not there, or no JSON.
    #[must_use]
    pub fn read(&self) -> Value {
        let bytes = std::fs::read(&self.0)
            .unwrap_or_else(|error| panic!("read the report {}: {error}", self.0.display()));
        serde_json::from_slice(&bytes).expect("a report is JSON")
    }

    /// The entry of one file.
    ///
    /// # Panics
    /// If it has none, or several.
    #[must_use]
    pub fn entry(&self, file: &str) -> Value {
        let report = self.read();
        let mut entries = report["files"]
            .as_array()
            .expect("a report lists files")
            .iter()
            .filter(|entry| entry["file"] == file);
        let entry = entries
            .next()
            .unwrap_or_else(|| panic!("the report does not name {file}: {report:#}"));
        assert!(
            entries.next().is_none(),
            "the report names {file} twice: {report:#}"
        );
        entry.clone()
    }
}

#![allow(clippy::unwrap_used)]

pub(super) mod faulty;
mod opening;
mod owning;
mod writing;

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use super::RedbLedger;
use crate::ledger::Ledger;

const OWNER: &str = "conda-oci mirror -c one";

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/registry.test/one.redb");
    (folder, path)
}

fn fresh() -> (TempDir, Arc<dyn Ledger>) {
    let (folder, path) = place();
    (folder, Arc::new(RedbLedger::open(path, OWNER).unwrap()))
}

mod conformance {
    use super::fresh;

    crate::ledger_conformance!(fresh());
}

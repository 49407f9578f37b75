//! A home for the runs of one test.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

/// A home directory of its own, shared by the runs of one test: what one run
/// leaves behind (ledger, caches), the next one finds. Clones are the same
/// directory; it goes with the last of them.
#[derive(Clone, Debug)]
pub struct Home(Arc<TempDir>);

impl Home {
    /// An empty home.
    ///
    /// # Panics
    /// If no temporary folder is to be had.
    #[must_use]
    pub fn new() -> Self {
        let home = tempfile::Builder::new().prefix("home-").tempdir();
        Self(Arc::new(home.expect("a temporary folder")))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

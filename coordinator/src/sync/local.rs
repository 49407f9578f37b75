//! What `push-cache` added, before a plan is made: it is held, and the channel's files of the same names are not brought.

use std::collections::BTreeSet;
use std::path::Path;

use tempfile::NamedTempFile;

use super::{Purpose, Sync};
use crate::local::{self, Found, merge_upstream};

/// Files that are named in the log.
const NAMED: usize = 10;

impl Sync<'_> {
    /// The additions, the channel's index with them, and what of it they outdo. The ledger learns that they are held.
    pub(super) async fn with_local(
        &self,
        upstream: &Path,
        number: u64,
    ) -> anyhow::Result<Option<(Found, NamedTempFile, BTreeSet<String>)>> {
        let Some(destination) = &self.run.destination else {
            return Ok(None);
        };
        let scratch = &self.run.scratch;
        let Some(found) = local::read(destination, &self.layout, None, scratch).await? else {
            return Ok(None);
        };
        let outcomes = found.additions.outcomes();
        let ledger = &self.run.ledger;
        ledger.adopt(self.subdir, number, outcomes).await?;
        let (merged, outdone) = merge_upstream(upstream, &found.additions, scratch).await?;
        if self.purpose != Purpose::Measure {
            for file in outdone.iter().take(NAMED) {
                tracing::warn!(
                    subdir = self.subdir,
                    file,
                    "the channel lists another file under the name of one that push-cache added; the added one stays"
                );
            }
            if let Some(more) = outdone.len().checked_sub(NAMED + 1) {
                let (subdir, more) = (self.subdir, more + 1);
                tracing::warn!(subdir, more, "and so of others; --report names them");
            }
        }
        Ok(Some((found, merged, outdone)))
    }
}

//! What a run may believe before it plans: the registry's `latest`, the ledger, somebody else's index.

use std::collections::HashSet;

use mirror_ledger::SubdirState;
use mirror_oci::Destination;
use mirror_oci::layout::LATEST;
use mirror_runtime::clock;

use super::{Purpose, Sync};
use crate::patience::patiently;
use crate::plan::{self, Latest, Trust};

impl Sync<'_> {
    /// The index manifest that the destination has now.
    pub(super) async fn latest(&self) -> anyhow::Result<Option<Latest>> {
        let Some(destination) = &self.run.destination else {
            return Ok(None);
        };
        let repository = self.layout.index_repository();
        let stored = patiently(|| destination.manifest(&repository, LATEST)).await?;
        Ok(stored.as_ref().map(Latest::of))
    }

    /// Takes a number for the plan, and says in the ledger what is no longer believed before
    /// anything is recorded under that number.
    pub(super) async fn begin(
        &self,
        state: &mut SubdirState,
        trust: Trust,
        latest: Option<&Latest>,
    ) -> anyhow::Result<u64> {
        let number = match self.run.options.dry_run {
            true => clock::now_ms(),
            false => self.run.ledger.begin_plan(self.subdir).await?,
        };
        state.complete = false;
        state.plan = number;
        if !trust.keeps_outcomes() {
            state.floor = number;
            (state.intended, state.confirmed) = (None, None);
            // An index of ours is not disbelieved before its sample was looked for.
            state.disbelieved = latest
                .filter(|_| trust.is_foreign())
                .map(|latest| latest.digest.to_string());
        }
        if trust == Trust::Emptied && self.purpose == Purpose::Measure {
            // Whether it is empty or only hides from strangers, the first push will tell.
            return Ok(number);
        }
        // In a dry run this is a copy that nobody reads again.
        let ledger = &*self.run.ledger;
        self.run.remember(ledger, self.subdir, state).await?;
        Ok(number)
    }

    /// Believes what an index of ours lists, after a sample.
    pub(super) async fn take_over(
        &self,
        latest: &Latest,
        destination: &Destination,
        number: u64,
        state: &mut SubdirState,
    ) -> anyhow::Result<()> {
        tracing::info!(
            subdir = self.subdir,
            "the ledger does not know the published index; taking over what it lists"
        );
        let digest = Some(latest.digest.to_string());
        let believed = self
            .run
            .take_over(latest, self.subdir, number, &self.layout, destination)
            .await?;
        if believed {
            state.confirmed = digest;
            state.records = latest.records().unwrap_or(0);
            state.excluded = None;
        } else {
            state.disbelieved = digest;
        }
        let ledger = &*self.run.ledger;
        self.run.remember(ledger, self.subdir, state).await
    }

    /// What an index of another program lists: hashes of file names.
    pub(super) async fn hints(
        &self,
        latest: &Latest,
        destination: &Destination,
    ) -> anyhow::Result<HashSet<u64>> {
        if self.purpose != Purpose::Measure && !latest.is_ours() {
            tracing::warn!(
                subdir = self.subdir,
                "the published index was written by another program; each file it lists is looked for before it is replaced"
            );
        }
        let index = self
            .run
            .published(latest, &self.layout, destination)
            .await?;
        match index {
            Some(index) => plan::listed(index.path()).await,
            None => Ok(HashSet::new()),
        }
    }
}

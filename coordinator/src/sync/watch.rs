//! Watches over what workers elsewhere were given: heals lost tasks, obeys users, and notices when the ledger forgot. Of every
//! run it measures the queue.
//!
//! A build counts as lost when it has no outcome and nobody's claim for two lifetimes of claims, in which the queue had
//! nothing to deliver: then no message of it is left. It is queued again, with a probe; if it was not lost after all, two
//! workers do it with one result.

use std::time::Duration;

use mirror_queue::Depth;
use mirror_runtime::metrics::metrics;
use mirror_worker::CLAIM;
use tokio::time::Instant;

use super::follow::{Follow, Followed};

/// Between two looks at the ledger's id and what users want.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// Between two looks at the queue.
const DEPTH: Duration = Duration::from_secs(5);
/// How long a look may wait for a broker that is away: outcomes come without it.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was seen so far.
#[derive(Debug)]
pub(super) struct Watch {
    /// Of the ledger that the plan was made with.
    ledger: String,
    next_depth: Instant,
    /// Since when the queue has nothing to deliver.
    quiet_since: Option<Instant>,
    paused: bool,
}

impl Watch {
    pub(super) fn new(ledger: String) -> Self {
        Self {
            ledger,
            next_depth: Instant::now(),
            quiet_since: None,
            paused: false,
        }
    }
}

impl Follow<'_> {
    /// Looks at everything that is due. `Some`: the run must not go on as it is.
    pub(super) async fn look_after(&mut self, subdir: &str) -> anyhow::Result<Option<Followed>> {
        if self.run.options.memory.is_shared()
            && let Some(ended) = self.obey(subdir).await?
        {
            return Ok(Some(ended));
        }
        let now = Instant::now();
        if now >= self.watch.next_depth {
            self.watch.next_depth = now + DEPTH;
            let depth = self.measure().await;
            // What is in this process gets lost only with it.
            if self.run.options.queue.is_some() {
                self.heal(subdir, depth, now).await?;
            }
        }
        Ok(None)
    }

    /// Asks the ledger that others share whether it is the one that the plan was made with, and what users want.
    async fn obey(&mut self, subdir: &str) -> anyhow::Result<Option<Followed>> {
        let ledger = &self.run.ledger;
        if ledger.id(subdir).await? != self.watch.ledger {
            return Ok(Some(Followed::LedgerLost));
        }
        let control = ledger.control(subdir).await?;
        if control.cancelled >= self.plan {
            return Ok(Some(Followed::Cancelled));
        }
        if control.paused != std::mem::replace(&mut self.watch.paused, control.paused) {
            match control.paused {
                true => tracing::warn!(
                    subdir,
                    "paused: workers begin nothing new until `conda-oci resume`"
                ),
                false => tracing::warn!(subdir, "resumed"),
            }
        }
        if control.paused {
            self.watch.quiet_since = None;
        }
        Ok(None)
    }

    /// What the queue holds, for the metrics as well; `None` while it cannot be asked.
    pub(super) async fn measure(&self) -> Option<Depth> {
        match tokio::time::timeout(PATIENCE, self.run.queue.depth()).await {
            Ok(Ok(depth)) => {
                metrics().depth(depth.ready, depth.delayed, depth.dead);
                Some(depth)
            }
            away => {
                // That it is away the queue itself says.
                tracing::debug!(?away, "cannot see what the queue holds");
                None
            }
        }
    }

    async fn heal(
        &mut self,
        subdir: &str,
        depth: Option<Depth>,
        now: Instant,
    ) -> anyhow::Result<()> {
        let Some(depth) = depth.filter(|_| !self.watch.paused) else {
            self.watch.quiet_since = None;
            return Ok(());
        };
        if depth.dead > 0 {
            self.take_note_of_the_dead().await?;
        }
        if depth.ready + depth.delayed > 0 {
            self.watch.quiet_since = None;
            return Ok(());
        }
        let since = *self.watch.quiet_since.get_or_insert(now);
        if now - since < 2 * CLAIM {
            return Ok(());
        }
        let old = self
            .window
            .iter()
            .filter(|(_, open)| now - open.queued >= 2 * CLAIM);
        let stems: Vec<String> = old.map(|(stem, _)| stem.clone()).collect();
        let claimed = self.run.ledger.claimed(subdir, &stems).await?;
        let lost: Vec<String> = stems
            .into_iter()
            .zip(claimed)
            .filter_map(|(stem, claimed)| (!claimed).then_some(stem))
            .collect();
        if lost.is_empty() {
            return Ok(());
        }
        tracing::warn!(
            subdir,
            builds = lost.len(),
            "no message of these is left in the queue; queued again"
        );
        for stem in lost {
            let Some(open) = self.window.get_mut(&stem) else {
                continue;
            };
            open.planned.task.probe = true;
            open.queued = now;
            let task = open.planned.task.clone();
            self.send(task).await?;
        }
        self.watch.quiet_since = None;
        Ok(())
    }
}

//! Watches over what workers elsewhere were given: heals lost tasks, obeys users, and notices when the ledger forgot. Of every
//! run it measures the queue.
//!
//! A build counts as lost when it has no outcome and nobody's claim for two lifetimes of claims, in which the queue had
//! nothing to deliver: then no message of it is left. Or for half an hour, if others keep the queue busy, and then for twice
//! as long each time. It is queued again, with a probe; if it was not lost after all, two workers do it with one result.
//! Also where the queue is in this process, if others share the ledger: what they claim under a later plan, or forget, would
//! be waited for without end.

use std::sync::Arc;
use std::time::Duration;

use mirror_queue::Depth;
use mirror_runtime::metrics::metrics;
use mirror_worker::CLAIM;
use tokio::time::Instant;

use super::LEASE;
use super::follow::{Follow, Followed, Open, WINDOW};
use crate::witness::Witness;

/// Between two looks at the ledger's id and what users want.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// Between two looks at the queue.
const DEPTH: Duration = Duration::from_secs(5);
/// How long a look may wait for a broker that is away: outcomes come without it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the queue must have had nothing to deliver.
const QUIET: Duration = CLAIM.saturating_mul(2);
/// How long a build may be waited for that nobody works on while the queue has something to deliver, at first: it may be
/// others' tasks that keep it busy.
pub(super) const UNHEARD_OF: Duration = Duration::from_secs(30 * 60);

const LEASE_MS: u64 = LEASE.as_millis() as u64;

/// What was seen so far.
#[derive(Debug)]
pub(super) struct Watch {
    /// Of the ledger that the plan was made with.
    witness: Arc<Witness>,
    next_depth: Instant,
    /// Since when the queue has nothing to deliver.
    quiet_since: Option<Instant>,
    paused: bool,
    /// Since when the queue is waited for, if that was said.
    full_since: Option<Instant>,
    /// Files that were taken in as done since the ledger was last seen to be well.
    taken_in: Vec<String>,
}

impl Watch {
    pub(super) fn new(witness: Arc<Witness>) -> Self {
        Self {
            witness,
            next_depth: Instant::now(),
            quiet_since: None,
            paused: false,
            full_since: None,
            taken_in: Vec::new(),
        }
    }
}

impl Watch {
    /// A file was found to be done.
    pub(super) fn takes_in(&mut self, file: &str) {
        self.taken_in.push(file.to_owned());
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
            self.look_for_room(depth);
            // Where nobody else has a hand in it, what is in this process gets lost only with it.
            if self.run.options.queue.is_some() || self.run.options.memory.is_shared() {
                self.heal(subdir, depth, now).await?;
            }
        }
        Ok(None)
    }

    /// Asks the ledger that others share whether it is the one that the plan was made with, and what users want.
    async fn obey(&mut self, subdir: &str) -> anyhow::Result<Option<Followed>> {
        if !self.knows_all(subdir).await? {
            return Ok(Some(Followed::LedgerLost));
        }
        let control = self.run.ledger.control(subdir).await?;
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

    /// Whether the ledger still knows what it knew. What was taken in since the last look is looked up once more: all before
    /// that was there at a pulse that stands, and whatever a ledger went back to is older than the last one.
    pub(super) async fn knows_all(&mut self, subdir: &str) -> anyhow::Result<bool> {
        let ledger = &self.run.ledger;
        if !self.watch.witness.stands(&**ledger, subdir).await? {
            return Ok(false);
        }
        let taken_in = std::mem::take(&mut self.watch.taken_in);
        let recorded = ledger.get_many(subdir, &taken_in).await?;
        Ok(recorded.iter().all(Option::is_some))
    }

    /// Nothing is queued before workers are through with most of what an earlier run left in the queue: with every run that
    /// dies it would become more.
    fn look_for_room(&mut self, depth: Option<Depth>) {
        let Some(ready) = depth.map(|depth| depth.ready) else {
            return;
        };
        if self.has_room || ready < WINDOW as u64 {
            self.has_room = true;
            return;
        }
        let now = Instant::now();
        match self.watch.full_since {
            // It is others' tasks, or there are no workers.
            Some(since) => self.has_room = now - since >= UNHEARD_OF,
            None => {
                self.watch.full_since = Some(now);
                let subdir = self.subdir;
                tracing::warn!(
                    subdir,
                    ready,
                    "the queue has many tasks, of an earlier run or another mirror; waits until workers have done most of them"
                );
            }
        }
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
        } else {
            self.watch.quiet_since.get_or_insert(now);
        }
        let quiet = self.watch.quiet_since.map(|since| now - since);
        let old = self.window.iter().filter(|(_, open)| {
            let waited = now.saturating_duration_since(open.queued);
            is_unheard_of(waited, quiet, open.patience)
        });
        let stems: Vec<String> = old.map(|(stem, _)| stem.clone()).collect();
        if stems.is_empty() {
            return Ok(());
        }
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
            "nobody works on these, and no message of them seems to be left in the queue; queued again"
        );
        // Queued again in vain: it may be that the dead claim of a later plan outranks it.
        let in_vain = |open: &Open| open.patience > UNHEARD_OF;
        let outranked = lost.iter().filter_map(|stem| self.window.get(stem));
        let higher = match outranked.into_iter().any(in_vain) {
            true => Some(self.number_now(subdir).await?),
            false => None,
        };
        for stem in lost {
            let Some(open) = self.window.get_mut(&stem) else {
                continue;
            };
            if let Some(higher) = higher.filter(|_| in_vain(open)) {
                open.planned.task.plan = higher;
            }
            open.planned.task.probe = true;
            open.queued = now;
            // Where workers are only slow it should not become more and more.
            open.patience *= 2;
            let task = open.planned.task.clone();
            self.send(task).await?;
        }
        self.watch.quiet_since = None;
        Ok(())
    }
}

impl Follow<'_> {
    /// A number for what is queued again: higher than that of any plan that was begun until a moment ago. Whoever claimed a
    /// build under a later plan than this one's, as push-cache does, and died, would keep it from it for ever.
    async fn number_now(&self, subdir: &str) -> anyhow::Result<u64> {
        let ledger = &self.run.ledger;
        match ledger.lease_holder(subdir).await? {
            // By the ledger's clock, which numbers plans. The lease was renewed a moment ago.
            Some(holder) => Ok(holder.expires_ms.saturating_sub(LEASE_MS).max(self.plan)),
            // push-cache has none.
            None => Ok(ledger.begin_plan(subdir).await?),
        }
    }
}

/// Whether a build may be lost that was queued `waited` ago, after the queue had nothing to deliver for `quiet`.
fn is_unheard_of(waited: Duration, quiet: Option<Duration>, patience: Duration) -> bool {
    let quiet = quiet.is_some_and(|quiet| quiet >= QUIET);
    waited >= if quiet { QUIET } else { patience }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_lost_when_the_queue_is_quiet_or_after_a_long_time() {
        let second = Duration::from_secs(1);
        let lost = |waited, quiet| is_unheard_of(waited, quiet, UNHEARD_OF);
        assert!(lost(QUIET, Some(QUIET)));
        assert!(!lost(QUIET - second, Some(QUIET)), "queued a moment ago");
        assert!(
            !lost(QUIET, Some(QUIET - second)),
            "quiet since a moment ago"
        );
        // Others keep the queue busy, for days if they like.
        assert!(!lost(UNHEARD_OF - second, None));
        assert!(lost(UNHEARD_OF, None));
        assert!(!is_unheard_of(UNHEARD_OF, None, 2 * UNHEARD_OF));
    }
}

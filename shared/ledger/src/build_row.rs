//! What a ledger keeps of a build between its first claim and its last outcome, and how each
//! transition changes it. Pure: drivers store the row and say what time it is.

use serde::{Deserialize, Serialize};

use crate::ledger::{Claim, Control};

/// One build that somebody works on, worked on, or gave up for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BuildRow {
    /// The highest plan that claimed the build.
    plan: u64,
    /// Attempts counted under that plan.
    attempts: u32,
    /// A claim ended without word from its worker, and the build is not finished since.
    #[serde(default)]
    interrupted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holder: Option<Holder>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    worker: String,
    expires_ms: u64,
}

/// Who acts on a build.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Actor<'a> {
    pub(crate) plan: u64,
    pub(crate) worker: &'a str,
}

/// The time of an action and how long its claim lives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term {
    pub(crate) now_ms: u64,
    pub(crate) ttl_ms: u64,
}

impl BuildRow {
    pub(crate) fn plan(&self) -> u64 {
        self.plan
    }

    pub(crate) fn is_live(&self, now_ms: u64) -> bool {
        self.holder
            .as_ref()
            .is_some_and(|holder| holder.expires_ms > now_ms)
    }

    /// Whether a claim is on the row, alive or expired.
    pub(crate) fn is_held(&self) -> bool {
        self.holder.is_some()
    }

    fn is_held_by(&self, actor: Actor<'_>) -> bool {
        let held = self.holder.as_ref();
        self.plan == actor.plan && held.is_some_and(|holder| holder.worker == actor.worker)
    }

    /// Takes note that whoever held the build is gone.
    pub(crate) fn interrupt(&mut self) {
        self.interrupted |= self.holder.take().is_some();
    }

    fn nothing_to_remember(&self) -> bool {
        self.attempts == 0 && !self.interrupted && self.holder.is_none()
    }
}

impl Control {
    pub(crate) fn has_cancelled(self, plan: u64) -> bool {
        plan <= self.cancelled
    }

    /// The answer to a claim that comes before any look at the build. A cancelled task must leave the
    /// queue while the subdir is paused, too.
    pub(crate) fn refuses(self, plan: u64) -> Option<Claim> {
        if self.has_cancelled(plan) {
            let plan = self.cancelled;
            return Some(Claim::Superseded { plan });
        }
        self.paused.then_some(Claim::Paused)
    }
}

/// Answers a claim; a granted one comes with the row to store.
pub(crate) fn claim(
    row: Option<BuildRow>,
    actor: Actor<'_>,
    term: Term,
) -> (Claim, Option<BuildRow>) {
    let mut row = row.unwrap_or(BuildRow {
        plan: actor.plan,
        attempts: 0,
        interrupted: false,
        holder: None,
    });
    if row.plan > actor.plan {
        return (Claim::Superseded { plan: row.plan }, None);
    }
    if let Some(Holder { worker, expires_ms }) = &row.holder
        && *expires_ms > term.now_ms
    {
        let busy = Claim::Busy {
            worker: worker.clone(),
            expires_ms: *expires_ms,
        };
        return (busy, None);
    }
    row.interrupt();
    let counted = if row.plan == actor.plan {
        row.attempts
    } else {
        0
    };
    row.plan = actor.plan;
    row.attempts = counted.saturating_add(1);
    row.holder = Some(actor.holds(term));
    let granted = Claim::Granted {
        attempt: row.attempts,
        interrupted: row.interrupted,
    };
    (granted, Some(row))
}

/// Whether a renewal would gain so little that nothing need be written: the claim is the actor's, and at least three
/// quarters of `term` are left of it. So much is left of any claim that was called alive. A worker renews regularly after a
/// third of `term`, which leaves two thirds: that one is written.
pub(crate) fn is_fresh(row: &BuildRow, actor: Actor<'_>, term: Term) -> bool {
    let enough = term.now_ms.saturating_add(term.ttl_ms / 4 * 3);
    let held = row.holder.as_ref();
    row.is_held_by(actor) && held.is_some_and(|holder| holder.expires_ms >= enough)
}

/// The row to store if the claim lives on; it never ends earlier than it would have.
pub(crate) fn renew(row: Option<BuildRow>, actor: Actor<'_>, term: Term) -> Option<BuildRow> {
    let Some(mut row) = row else {
        return Some(BuildRow {
            plan: actor.plan,
            attempts: 1,
            interrupted: false,
            holder: Some(actor.holds(term)),
        });
    };
    if row.plan > actor.plan {
        return None;
    }
    let mut renewed = actor.holds(term);
    if row.is_held_by(actor) {
        let before = row.holder.as_ref().map_or(0, |holder| holder.expires_ms);
        renewed.expires_ms = renewed.expires_ms.max(before);
    } else {
        if row.is_live(term.now_ms) {
            return None;
        }
        row.interrupt();
        if row.plan < actor.plan {
            (row.plan, row.attempts) = (actor.plan, 1);
        }
    }
    row.holder = Some(renewed);
    Some(row)
}

/// What becomes of a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Keep,
    Store(BuildRow),
    Remove,
}

/// Ends the actor's claim without an outcome.
pub(crate) fn release(row: Option<BuildRow>, actor: Actor<'_>, counted: bool) -> Change {
    let Some(mut row) = row.filter(|row| row.is_held_by(actor)) else {
        return Change::Keep;
    };
    row.holder = None;
    if !counted {
        row.attempts = row.attempts.saturating_sub(1);
    }
    if row.nothing_to_remember() {
        Change::Remove
    } else {
        Change::Store(row)
    }
}

/// Ends the actor's claim with outcomes; `finished` when the build has all of them. Somebody
/// else's live claim stays: that worker is still to say what it did.
pub(crate) fn settle(
    row: Option<BuildRow>,
    actor: Actor<'_>,
    finished: bool,
    now_ms: u64,
) -> Change {
    let Some(mut row) = row else {
        return Change::Keep;
    };
    let own = row.is_held_by(actor);
    if row.plan > actor.plan || (!own && row.is_live(now_ms)) {
        return Change::Keep;
    }
    if finished {
        return Change::Remove;
    }
    if own {
        row.holder = None;
    } else {
        row.interrupt();
    }
    Change::Store(row)
}

impl Actor<'_> {
    fn holds(&self, term: Term) -> Holder {
        Holder {
            worker: self.worker.to_owned(),
            expires_ms: term.now_ms.saturating_add(term.ttl_ms),
        }
    }
}

#[cfg(test)]
#[path = "build_row_tests.rs"]
mod tests;

//! `conda-oci pause`, `resume` and `cancel`: says in the ledger what workers and the coordinator obey.

use mirror_channel::subdir;
use serde::Serialize;

use super::memory::Known;
use super::{Mirror, Output};
use crate::options::Memory;

/// What is wanted of a mirror's runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Steer {
    Pause,
    Resume,
    Cancel,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    channel: &'a str,
    registry: String,
    action: Steer,
    /// The subdirs that a run is, or may be, at work on.
    subdirs: Vec<&'a str>,
}

/// Does it.
pub(super) async fn run(mirror: &Mirror, what: Steer, output: Output) -> anyhow::Result<()> {
    let Mirror { which, remembered } = mirror;
    anyhow::ensure!(
        matches!(which.memory, Memory::Redis(_)),
        "no run of {} is under way on this machine, and none elsewhere can be reached by a --state that is a folder. A \
         run on one machine is stopped with Ctrl-C or SIGTERM, and the same command goes on",
        mirror.title()
    );
    let known = remembered.subdirs(&which.subdirs).await?;
    let subdirs: Vec<&str> = match what {
        Steer::Cancel => {
            let under_way = known.iter().filter(|known| known.is_under_way());
            under_way.map(|known| known.subdir.as_str()).collect()
        }
        _ => known.iter().map(|known| known.subdir.as_str()).collect(),
    };
    // A run of all subdirs has some before it that the ledger does not know yet.
    let all: Vec<&str> = match which.subdirs.is_empty() {
        true => subdir::known(),
        false => which.subdirs.iter().map(String::as_str).collect(),
    };
    let ledger = &*remembered.ledger;
    match what {
        Steer::Pause | Steer::Resume => {
            for subdir in all {
                ledger.set_paused(subdir, what == Steer::Pause).await?;
            }
        }
        Steer::Cancel if subdirs.is_empty() => {}
        Steer::Cancel => {
            let plan = last_plan(&known);
            for subdir in all {
                ledger.cancel(subdir, plan).await?;
            }
        }
    }
    let answer = Answer {
        channel: &which.channel.name,
        registry: which.registry.to_string(),
        action: what,
        subdirs,
    };
    output.say(&answer, || text(&mirror.title(), &answer))?;
    Ok(())
}

/// A number that no plan under way is above. That of a run that still plans is below the end of its lease.
fn last_plan(known: &[Known]) -> u64 {
    let plans = known.iter().flat_map(|known| {
        let planned = known.tally.as_ref().map(|tally| tally.plan);
        let planning = known.holder.as_ref().map(|holder| holder.expires_ms);
        [planned, planning].into_iter().flatten()
    });
    plans.max().unwrap_or(0)
}

fn text(title: &str, answer: &Answer<'_>) -> String {
    let subdirs = match answer.subdirs.as_slice() {
        [] => String::new(),
        subdirs => format!(" ({})", subdirs.join(", ")),
    };
    match answer.action {
        Steer::Pause => format!(
            "{title}: paused{subdirs}. What is being transferred is brought to its end; `conda-oci resume` lets the \
             rest go on\n"
        ),
        Steer::Resume => {
            format!("{title}: resumed{subdirs}. All workers are back within half a minute\n")
        }
        Steer::Cancel if answer.subdirs.is_empty() => {
            format!("{title}: nothing is under way\n")
        }
        Steer::Cancel => format!(
            "{title}: cancelled{subdirs}. What was mirrored stays; workers drop what is queued as it reaches them\n"
        ),
    }
}

#[cfg(test)]
mod tests {
    use mirror_ledger::{Control, LeaseHolder, Tally};

    use super::*;

    fn known(plan: Option<u64>, expires_ms: Option<u64>) -> Known {
        Known {
            subdir: "noarch".to_owned(),
            state: None,
            tally: plan.map(|plan| Tally::begun(plan, 0, 3, 3, 0)),
            control: Control::default(),
            holder: expires_ms.map(|expires_ms| LeaseHolder {
                owner: "w".to_owned(),
                expires_ms,
            }),
        }
    }

    #[test]
    fn a_cancellation_reaches_every_plan_also_one_that_is_still_made() {
        assert_eq!(last_plan(&[known(Some(7), None), known(Some(5), None)]), 7);
        assert_eq!(
            last_plan(&[known(Some(7), Some(90)), known(None, None)]),
            90
        );
        assert_eq!(last_plan(&[known(Some(70), Some(9))]), 70);
    }

    #[test]
    fn only_what_has_a_run_or_open_work_is_under_way() {
        assert!(known(Some(7), None).is_under_way());
        assert!(known(None, Some(9)).is_under_way());
        assert!(!known(None, None).is_under_way());
        let mut cancelled = known(Some(7), None);
        cancelled.control.cancelled = 7;
        assert!(!cancelled.is_under_way());
        let mut ended = known(Some(7), None);
        ended.tally.as_mut().expect("it has one").ended_ms = Some(1);
        assert!(!ended.is_under_way());
    }
}

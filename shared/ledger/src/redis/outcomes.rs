//! [`Outcomes`] in Redis.

use async_trait::async_trait;
use mirror_runtime::clock::MAX_PLAN;

use super::packed::{self, masked};
use super::place::Place;
use super::scripts::{self, Invocation};
use super::{Answer, RedisLedger};
use crate::ledger::{Outcomes, Pulse, Settled, Settlement};
use crate::outcome::{FileOutcome, Recorded};
use crate::subdir_state::SubdirState;

/// Files in one request: a millisecond or two of the server, in which nobody else is served.
const AT_ONCE: usize = 1000;

/// A page of failures; each may have more than a kilobyte.
const PAGE: usize = 1000;

impl RedisLedger {
    fn bytes_of(&self, what: &'static str, place: &Place, bytes: &[u8]) -> Answer<Recorded> {
        packed::unpack(place, bytes).map_err(|error| self.unreadable(what, error))
    }

    /// Adds the files of a script of `outcomes.lua`. Their buckets are the last keys.
    fn push_files(
        &self,
        subdir: &str,
        plan: u64,
        files: &[(String, FileOutcome)],
        to: &mut Invocation,
    ) {
        let names = self.names(subdir);
        for (file, outcome) in files {
            let place = self.placement.of(file);
            to.key(names.bucket(place.bucket));
            to.push(place.field());
            to.push(file);
            let wanted = match outcome {
                FileOutcome::Done { .. } => {
                    to.push("done");
                    None
                }
                FileOutcome::Failed(failure) => {
                    to.push("failed");
                    failure.sha256
                }
            };
            to.push(packed::pack(&place, plan, outcome));
            match wanted {
                None => to.push(""),
                Some(sha256) => to.push(&masked(&place, sha256)[..]),
            }
            to.push(match outcome {
                FileOutcome::Done { size, .. } => *size,
                FileOutcome::Failed(_) => 0,
            });
        }
    }
}

/// A plan's number as scripts and packed outcomes can have it.
pub(super) fn checked(plan: u64) -> Answer<u64> {
    match plan {
        ..=MAX_PLAN => Ok(plan),
        _ => Err(crate::LedgerError::PlanTooHigh(plan)),
    }
}

#[async_trait]
impl Outcomes for RedisLedger {
    async fn pulse(&self, subdir: &str) -> Answer<Pulse> {
        let new = format!("{:032x}", fastrand::u128(..));
        let keys = ["id", "beats"].map(|what| self.names(subdir).of(what));
        let call = scripts::PULSE.on(keys).arg(new);
        let (id, beat) = self.connection.ask("pulse", call).await?;
        Ok(Pulse { id, beat })
    }

    async fn get_many(&self, subdir: &str, files: &[String]) -> Answer<Vec<Option<Recorded>>> {
        let names = self.names(subdir);
        let mut found = Vec::with_capacity(files.len());
        for some in files.chunks(AT_ONCE) {
            let places: Vec<Place> = some.iter().map(|file| self.placement.of(file)).collect();
            let mut call = scripts::LOOK_UP.on([names.of("failures")]);
            for (file, place) in some.iter().zip(&places) {
                call.key(names.bucket(place.bucket));
                call.push(place.field());
                call.push(file);
            }
            let rows: Vec<Option<Vec<u8>>> = self.connection.ask("outcomes", call).await?;
            if rows.len() != some.len() {
                return Err(self.unreadable("outcomes", "fewer answers than questions"));
            }
            for (place, row) in places.iter().zip(rows) {
                let row = row.map(|row| self.bytes_of("outcomes", place, &row));
                found.push(row.transpose()?);
            }
        }
        Ok(found)
    }

    async fn settle(&self, settlement: Settlement) -> Answer<Settled> {
        let Settlement {
            subdir,
            stem,
            worker,
            plan,
            files,
            finished,
            counted,
        } = settlement;
        let names = self.names(&subdir);
        let plan = checked(plan)?;
        let mut call = scripts::SETTLE
            .on([
                names.one("build", &stem),
                names.of("failures"),
                names.of("failed"),
                names.of("tally"),
            ])
            .arg(plan)
            .arg(worker)
            .arg(u8::from(finished))
            .arg(u8::from(counted));
        self.push_files(&subdir, plan, &files, &mut call);
        let later: u64 = self.connection.ask("settle", call).await?;
        Ok(match later {
            0 => Settled::Accepted,
            by => Settled::Superseded { by },
        })
    }

    async fn adopt(
        &self,
        subdir: &str,
        plan: u64,
        outcomes: Vec<(String, FileOutcome)>,
    ) -> Answer<u64> {
        let names = self.names(subdir);
        let plan = checked(plan)?;
        let mut written = 0;
        for some in outcomes.chunks(AT_ONCE) {
            let mut call = scripts::ADOPT
                .on(["failures", "failed", "tally"].map(|what| names.of(what)))
                .arg(plan);
            self.push_files(subdir, plan, some, &mut call);
            written += self.connection.ask::<u64>("adopt", call).await?;
        }
        Ok(written)
    }

    async fn failures(
        &self,
        subdir: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<(String, Recorded)>> {
        let names = self.names(subdir);
        let mut found: Vec<(String, Recorded)> = Vec::new();
        while found.len() < limit {
            let page = PAGE.min(limit - found.len());
            let last = found.last().map(|(file, _)| file.as_str()).or(after);
            let start = last.map_or_else(|| "-".to_owned(), |last| format!("({last}"));
            let call = scripts::FAILURES
                .on([names.of("failures"), names.of("failed")])
                .arg(start)
                .arg(page);
            let rows: Vec<(String, Vec<u8>)> = self.connection.ask("failures", call).await?;
            let count = rows.len();
            for (file, row) in rows {
                let recorded = self.bytes_of("failures", &self.placement.of(&file), &row)?;
                found.push((file, recorded));
            }
            if count < page {
                break;
            }
        }
        Ok(found)
    }

    async fn count_failures(&self, subdir: &str) -> Answer<u64> {
        let mut count = ::redis::cmd("ZCARD");
        count.arg(self.names(subdir).of("failed"));
        self.connection.ask("failures", count).await
    }

    async fn forget(&self, subdir: &str, files: &[String]) -> Answer<u64> {
        let names = self.names(subdir);
        let mut forgotten = 0;
        for some in files.chunks(AT_ONCE) {
            let keys = ["failures", "failed", "forgotten"].map(|what| names.of(what));
            let mut call = scripts::FORGET.on(keys);
            for file in some {
                let place = self.placement.of(file);
                call.key(names.bucket(place.bucket));
                call.push(place.field());
                call.push(file);
            }
            forgotten += self.connection.ask::<u64>("forget", call).await?;
        }
        Ok(forgotten)
    }

    async fn subdir_state(&self, subdir: &str) -> Answer<Option<SubdirState>> {
        let mut get = ::redis::cmd("GET");
        get.arg(self.names(subdir).of("state"));
        let json: Option<Vec<u8>> = self.connection.ask("subdir state", get).await?;
        let read = |json: Vec<u8>| {
            serde_json::from_slice(&json).map_err(|error| self.unreadable("subdir state", error))
        };
        json.map(read).transpose()
    }

    async fn set_subdir_state(&self, subdir: &str, state: &SubdirState) -> Answer<Settled> {
        let json = serde_json::to_vec(state).expect("a state is numbers and texts");
        let call = scripts::SET_STATE
            .on([self.names(subdir).of("state")])
            .arg(state.plan)
            .arg(json);
        let later: u64 = self.connection.ask("set subdir state", call).await?;
        Ok(match later {
            0 => Settled::Accepted,
            by => Settled::Superseded { by },
        })
    }

    async fn begin_plan(&self, subdir: &str) -> Answer<u64> {
        let names = self.names(subdir);
        let keys = ["plan", "control", "forgotten"].map(|what| names.of(what));
        let call = scripts::BEGIN_PLAN.on(keys);
        self.connection.ask("begin plan", call).await
    }
}

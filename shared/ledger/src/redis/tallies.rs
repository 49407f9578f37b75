//! [`Tallies`] in Redis. Outcomes are counted by the scripts that write them.

use std::collections::HashMap;

use ::redis::Value;
use async_trait::async_trait;

use super::outcomes::checked;
use super::scripts::Invocation;
use super::{Answer, RedisLedger, scripts};
use crate::tally::{Counts, Tallies, Tally};

impl RedisLedger {
    async fn tell(&self, what: &'static str, said: Invocation) -> Answer<()> {
        let said = self.connection.ask::<Value>(what, said).await;
        said.map(|_| ())
    }
}

#[async_trait]
impl Tallies for RedisLedger {
    async fn begin_tally(
        &self,
        subdir: &str,
        plan: u64,
        floor: u64,
        files: u64,
        bytes: u64,
    ) -> Answer<()> {
        let begun = scripts::BEGIN_TALLY
            .on([self.names(subdir).of("tally")])
            .arg(checked(plan)?)
            .arg(floor)
            .arg(files)
            .arg(bytes);
        self.tell("begin tally", begun).await
    }

    async fn tally(&self, subdir: &str) -> Answer<Option<Tally>> {
        let mut get = ::redis::cmd("HGETALL");
        get.arg(self.names(subdir).of("tally"));
        let row: HashMap<String, u64> = self.connection.ask("tally", get).await?;
        // The fields have the names of the JSON, and so its patience with other versions.
        let read = |row| {
            let row = serde_json::to_value(row).and_then(serde_json::from_value);
            row.map_err(|error| self.unreadable("tally", error))
        };
        (!row.is_empty()).then(|| read(row)).transpose()
    }

    async fn end_tally(&self, subdir: &str, plan: u64, counts: Counts) -> Answer<()> {
        let ended = scripts::END_TALLY
            .on([self.names(subdir).of("tally")])
            .arg(checked(plan)?)
            .arg(counts.done)
            .arg(counts.done_bytes)
            .arg(counts.failed)
            .arg(counts.absent);
        self.tell("end tally", ended).await
    }

    async fn has_forgotten(&self, subdir: &str) -> Answer<bool> {
        let mut exists = ::redis::cmd("EXISTS");
        exists.arg(self.names(subdir).of("forgotten"));
        self.connection.ask("forgotten", exists).await
    }
}

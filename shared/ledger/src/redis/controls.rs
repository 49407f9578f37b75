//! [`Controls`] in Redis. Claims look at them within their own round trip.

use ::redis::Value;
use async_trait::async_trait;

use super::outcomes::checked;
use super::scripts::Invocation;
use super::{Answer, RedisLedger, scripts};
use crate::ledger::{Control, Controls};

impl RedisLedger {
    fn set_control(&self, subdir: &str) -> Invocation {
        scripts::SET_CONTROL.on([self.names(subdir).of("control")])
    }

    async fn say(&self, what: &'static str, said: Invocation) -> Answer<()> {
        let said = self.connection.ask::<Value>(what, said).await;
        said.map(|_| ())
    }
}

#[async_trait]
impl Controls for RedisLedger {
    async fn control(&self, subdir: &str) -> Answer<Control> {
        let mut get = ::redis::cmd("GET");
        get.arg(self.names(subdir).of("control"));
        let row: Option<String> = self.connection.ask("control", get).await?;
        let Some(row) = row else {
            return Ok(Control::default());
        };
        let read = row.split_once(' ').and_then(|(paused, cancelled)| {
            Some(Control {
                paused: paused == "1",
                cancelled: cancelled.parse().ok()?,
            })
        });
        read.ok_or_else(|| self.unreadable("control", &row))
    }

    async fn set_paused(&self, subdir: &str, paused: bool) -> Answer<()> {
        let word = if paused { "pause" } else { "resume" };
        self.say("pause", self.set_control(subdir).arg(word)).await
    }

    async fn cancel(&self, subdir: &str, plan: u64) -> Answer<()> {
        let said = self.set_control(subdir).arg("cancel").arg(checked(plan)?);
        self.say("cancel", said).await
    }
}

//! [`Claims`] in Redis.

use std::time::Duration;

use ::redis::{FromRedisValue, Value};
use async_trait::async_trait;

use super::outcomes::checked;
use super::{Answer, RedisLedger, scripts};
use crate::ledger::{Claim, Claims};

/// Builds in one request.
const AT_ONCE: usize = 1000;

pub(super) fn ms(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}

impl RedisLedger {
    fn claim_of(&self, answer: Vec<Value>) -> Answer<Claim> {
        let told = format!("{answer:?}");
        let mut fields = answer.into_iter();
        let word = fields.next().map(String::from_redis_value);
        let fields: Vec<Value> = fields.collect();
        let claim = match (word, fields.as_slice()) {
            (Some(Ok(word)), [Value::Int(attempt), Value::Int(interrupted)])
                if word == "granted" =>
            {
                u32::try_from(*attempt).ok().map(|attempt| Claim::Granted {
                    attempt,
                    interrupted: *interrupted == 1,
                })
            }
            (Some(Ok(word)), [Value::BulkString(worker), Value::Int(expires)])
                if word == "busy" =>
            {
                Some(Claim::Busy {
                    worker: String::from_utf8_lossy(worker).into_owned(),
                    expires_ms: expires.cast_unsigned(),
                })
            }
            (Some(Ok(word)), [Value::Int(plan)]) if word == "superseded" => {
                let plan = plan.cast_unsigned();
                Some(Claim::Superseded { plan })
            }
            (Some(Ok(word)), []) if word == "paused" => Some(Claim::Paused),
            _ => None,
        };
        claim.ok_or_else(|| self.unreadable("claim", told))
    }
}

#[async_trait]
impl Claims for RedisLedger {
    async fn claim(
        &self,
        subdir: &str,
        stem: &str,
        plan: u64,
        worker: &str,
        ttl: Duration,
    ) -> Answer<Claim> {
        let names = self.names(subdir);
        // Should the answer be lost, the same claim is sent again.
        let nonce = format!("{:016x}", fastrand::u64(..));
        let call = scripts::CLAIM
            .on([names.one("build", stem), names.of("control")])
            .arg(checked(plan)?)
            .arg(worker)
            .arg(ms(ttl))
            .arg(nonce);
        let answer = self.connection.ask("claim", call).await?;
        self.claim_of(answer)
    }

    async fn renew(
        &self,
        subdir: &str,
        stem: &str,
        plan: u64,
        worker: &str,
        ttl: Duration,
    ) -> Answer<bool> {
        let names = self.names(subdir);
        let call = scripts::RENEW
            .on([names.one("build", stem), names.of("control")])
            .arg(checked(plan)?)
            .arg(worker)
            .arg(ms(ttl));
        self.connection.ask("renew claim", call).await
    }

    async fn release(
        &self,
        subdir: &str,
        stem: &str,
        plan: u64,
        worker: &str,
        counted: bool,
    ) -> Answer<()> {
        let call = scripts::RELEASE
            .on([self.names(subdir).one("build", stem)])
            .arg(checked(plan)?)
            .arg(worker)
            .arg(u8::from(counted));
        let released = self.connection.ask::<Value>("release claim", call);
        released.await.map(|_| ())
    }

    async fn claimed(&self, subdir: &str, stems: &[String]) -> Answer<Vec<bool>> {
        let names = self.names(subdir);
        let mut claimed = Vec::with_capacity(stems.len());
        for some in stems.chunks(AT_ONCE) {
            let keys = some.iter().map(|stem| names.one("build", stem));
            let call = scripts::CLAIMED.on(keys);
            claimed.extend(self.connection.ask::<Vec<bool>>("claims", call).await?);
        }
        Ok(claimed)
    }
}

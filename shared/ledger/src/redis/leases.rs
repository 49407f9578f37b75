//! [`Lease`] in Redis: a key that expires.

use std::time::Duration;

use ::redis::Value;
use async_trait::async_trait;

use super::claims::ms;
use super::scripts::Invocation;
use super::{Answer, RedisLedger, scripts};
use crate::ledger::{Lease, LeaseGrant, LeaseHolder};

/// Redis refuses a time to live of nothing.
fn at_least_one(ttl: Duration) -> u64 {
    ms(ttl).max(1)
}

impl RedisLedger {
    /// What a script says that answers who holds the lease.
    async fn holder(&self, what: &'static str, call: Invocation) -> Answer<Option<LeaseHolder>> {
        let answer: Vec<Value> = self.connection.ask(what, call).await?;
        match answer.as_slice() {
            [] => Ok(None),
            [Value::BulkString(owner), Value::Int(until)] => Ok(Some(LeaseHolder {
                owner: String::from_utf8_lossy(owner).into_owned(),
                expires_ms: until.cast_unsigned(),
            })),
            other => Err(self.unreadable(what, format!("{other:?}"))),
        }
    }
}

#[async_trait]
impl Lease for RedisLedger {
    async fn acquire_lease(&self, subdir: &str, owner: &str, ttl: Duration) -> Answer<LeaseGrant> {
        let call = scripts::ACQUIRE_LEASE
            .on([self.names(subdir).of("lease")])
            .arg(owner)
            .arg(at_least_one(ttl));
        Ok(match self.holder("acquire lease", call).await? {
            None => LeaseGrant::Granted,
            Some(LeaseHolder { owner, expires_ms }) => LeaseGrant::Held { owner, expires_ms },
        })
    }

    async fn renew_lease(&self, subdir: &str, owner: &str, ttl: Duration) -> Answer<bool> {
        let call = scripts::RENEW_LEASE
            .on([self.names(subdir).of("lease")])
            .arg(owner)
            .arg(at_least_one(ttl));
        self.connection.ask("renew lease", call).await
    }

    async fn release_lease(&self, subdir: &str, owner: &str) -> Answer<()> {
        let call = scripts::RELEASE_LEASE
            .on([self.names(subdir).of("lease")])
            .arg(owner);
        let released = self.connection.ask::<Value>("release lease", call);
        released.await.map(|_| ())
    }

    async fn lease_holder(&self, subdir: &str) -> Answer<Option<LeaseHolder>> {
        let call = scripts::LEASE_HOLDER.on([self.names(subdir).of("lease")]);
        self.holder("lease", call).await
    }
}

//! A look at which hosts are left alone, by somebody who sends them nothing and so takes no part in their budgets.

use ::redis::Value;

use super::names::Names;
use super::{Answer, RedisConnection, scripts};

/// A host that asked for patience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// For how long from now it is left alone, in milliseconds.
    pub left_ms: u64,
    /// What it said.
    pub why: String,
}

impl RedisConnection {
    /// Whether `host` (`name[:port]`) is left alone, and why.
    ///
    /// # Errors
    /// When Redis is away for longer than the patience, or refuses.
    pub async fn parked(&self, host: &str) -> Answer<Option<Parked>> {
        let names = Names::new(self.namespace(), &["budget", host]);
        let call = scripts::PARKED.on([names.of("parked")]);
        let answer: Vec<Value> = self.ask("parked host", call).await?;
        match answer.as_slice() {
            [] => Ok(None),
            [Value::Int(left), Value::BulkString(why)] => Ok(Some(Parked {
                left_ms: left.cast_unsigned(),
                why: String::from_utf8_lossy(why).into_owned(),
            })),
            other => Err(self.unreadable("parked host", format!("{other:?}"))),
        }
    }
}

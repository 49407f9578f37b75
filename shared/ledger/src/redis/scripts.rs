//! The scripts, and how they are called: by their hash, which is all that travels once a server has them.

use std::sync::LazyLock;

use ::redis::{Cmd, ToRedisArgs};

/// A script with its hash.
pub(super) struct Script {
    code: &'static str,
    hash: LazyLock<String>,
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $($file:literal)+;)*) => {
        $($(#[$doc])* pub(super) static $name: Script = {
            const CODE: &str = concat!($(include_str!(concat!("lua/", $file, ".lua"))),+);
            Script {
                code: CODE,
                hash: LazyLock::new(|| ::redis::Script::new(CODE).get_hash().to_owned()),
            }
        };)*
    };
}

scripts! {
    LOOK_UP = "look_up";
    SETTLE = "time" "rows" "outcomes" "tally" "settle";
    ADOPT = "outcomes" "tally" "adopt";
    FORGET = "forget";
    FAILURES = "failures";
    PULSE = "pulse";
    SET_STATE = "set_state";
    BEGIN_PLAN = "time" "control" "begin_plan";
    CLAIM = "time" "rows" "control" "claim";
    RENEW = "time" "rows" "control" "renew";
    RELEASE = "rows" "release";
    CLAIMED = "time" "rows" "claimed";
    SET_CONTROL = "control" "set_control";
    ACQUIRE_LEASE = "time" "acquire_lease";
    RENEW_LEASE = "renew_lease";
    RELEASE_LEASE = "release_lease";
    LEASE_HOLDER = "time" "lease_holder";
    BEGIN_TALLY = "time" "begin_tally";
    END_TALLY = "time" "end_tally";
    ADMIT = "time" "admit";
    PARK = "park";
    PARKED = "parked";
    ANNOUNCE = "time" "announce";
    WORKERS = "time" "workers";
}

/// A request to Redis.
pub(super) struct Call {
    request: Cmd,
    script: Option<&'static Script>,
}

/// A call of a script as it is put together: all keys first.
pub(super) struct Invocation {
    script: &'static Script,
    keys: Vec<Vec<u8>>,
    arguments: Vec<Vec<u8>>,
}

impl Script {
    pub(super) fn on<T: ToRedisArgs>(
        &'static self,
        keys: impl IntoIterator<Item = T>,
    ) -> Invocation {
        let mut invocation = Invocation {
            script: self,
            keys: Vec::new(),
            arguments: Vec::new(),
        };
        for key in keys {
            key.write_redis_args(&mut invocation.keys);
        }
        invocation
    }
}

impl Invocation {
    pub(super) fn key(&mut self, key: impl ToRedisArgs) {
        key.write_redis_args(&mut self.keys);
    }

    pub(super) fn push(&mut self, argument: impl ToRedisArgs) {
        argument.write_redis_args(&mut self.arguments);
    }

    pub(super) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        self.push(argument);
        self
    }
}

impl From<Invocation> for Call {
    fn from(invocation: Invocation) -> Self {
        let Invocation {
            script,
            keys,
            arguments,
        } = invocation;
        let mut request = ::redis::cmd("EVALSHA");
        request.arg(script.hash.as_str()).arg(keys.len());
        request.arg(keys).arg(arguments);
        Self {
            request,
            script: Some(script),
        }
    }
}

impl From<Cmd> for Call {
    fn from(request: Cmd) -> Self {
        Self {
            request,
            script: None,
        }
    }
}

impl Call {
    pub(super) fn request(&self) -> &Cmd {
        &self.request
    }

    /// What gives the script to a server that was flushed or started anew; in a cluster, to all nodes.
    pub(super) fn load(&self) -> Option<Cmd> {
        let script = self.script?;
        let mut load = ::redis::cmd("SCRIPT");
        load.arg("LOAD").arg(script.code);
        Some(load)
    }
}

//! `--state`: a folder of ledgers, or the Redis that workers elsewhere share.

use std::path::PathBuf;
use std::str::FromStr;

use mirror_runtime::Secret;
use serde::Deserialize;

/// Where what is done is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum State {
    /// One ledger file for each mirror.
    Folder(PathBuf),
    /// `redis://` or `rediss://`; may hold a password.
    Redis(Secret),
}

impl State {
    /// The folder, if it is one.
    pub(crate) fn folder(&self) -> Option<&PathBuf> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Redis(_) => None,
        }
    }
}

impl FromStr for State {
    type Err = &'static str;

    /// What is refused is not repeated: there may be a password in it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("://") {
            Some(("redis" | "rediss", _)) => Ok(Self::Redis(Secret::new(text))),
            Some(_) => {
                Err("expected a folder, or the address of a Redis (redis://… or rediss://…)")
            }
            None => Ok(Self::Folder(text.into())),
        }
    }
}

impl TryFrom<String> for State {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_and_a_redis_are_told_apart_and_a_password_is_not_repeated() {
        assert_eq!("./x".parse(), Ok(State::Folder("./x".into())));
        let redis: State = "redis://:hunter2@h".parse().unwrap();
        assert!(matches!(redis, State::Redis(_)));
        assert!(!format!("{redis:?}").contains("hunter2"));
        let error = "http://me:hunter2@h".parse::<State>().unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

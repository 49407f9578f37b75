//! What our queues are called: the mirror's name, the version of the messages in it, and what the queue is for.
//! Mirrors of other names share a broker without meeting.

use std::time::Duration;

use crate::backoff::LEVELS;
use crate::error::QueueError;
use crate::task::{VERSION, readable_versions};

/// Bytes a queue name may have in AMQP, less those we append.
const MAX_NAME: usize = 200;

/// The queues for messages of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    base: String,
}

impl Names {
    /// What a worker consumes; the first is where tasks are published.
    pub(super) fn consumed(name: &str) -> Vec<Self> {
        readable_versions(VERSION)
            .map(|version| Self::of(name, version))
            .collect()
    }

    fn of(name: &str, version: u64) -> Self {
        Self {
            base: format!("{name}.v{version}"),
        }
    }

    /// Tasks that can be worked on.
    pub(super) fn main(&self) -> &str {
        &self.base
    }

    /// Tasks that wait for one of [`LEVELS`].
    pub(super) fn delay(&self, level: Duration) -> String {
        format!("{}.delay-{}s", self.base, level.as_secs())
    }

    /// All of those.
    pub(super) fn delays(&self) -> impl Iterator<Item = (Duration, String)> {
        LEVELS.into_iter().map(|level| (level, self.delay(level)))
    }

    /// What nobody can work on.
    pub(super) fn dead(&self) -> String {
        format!("{}.dead", self.base)
    }
}

/// Whether a mirror's queues can be called so.
pub(super) fn check(name: &str) -> Result<(), QueueError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let why = if name.is_empty() || name.len() > MAX_NAME {
        format!("must have 1 to {MAX_NAME} characters")
    } else if !name.chars().all(plain) {
        "may have letters, digits, `.`, `_` and `-`".to_owned()
    } else if name.starts_with("amq.") {
        "`amq.` is the broker's own".to_owned()
    } else {
        return Ok(());
    };
    Err(QueueError::Setting {
        setting: "the name",
        why,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_name_says_the_mirror_and_the_version_of_its_messages() {
        let names = Names::of("conda-oci", 1);
        let delays: Vec<_> = names.delays().map(|(_, name)| name).collect();
        assert_eq!(names.main(), "conda-oci.v1");
        assert_eq!(names.dead(), "conda-oci.v1.dead");
        assert_eq!(
            delays,
            [
                "conda-oci.v1.delay-1s",
                "conda-oci.v1.delay-5s",
                "conda-oci.v1.delay-30s",
                "conda-oci.v1.delay-300s"
            ]
        );
    }

    #[test]
    fn what_is_written_is_consumed_first() {
        assert_eq!(Names::consumed("x")[0], Names::of("x", VERSION));
    }

    #[test]
    fn a_name_that_the_broker_would_refuse_is_refused_here() {
        for name in ["", "amq.x", "a b", "ü", "a/b", &"x".repeat(201)] {
            check(name).unwrap_err();
        }
        check("conda-oci.Team_2").unwrap();
    }
}

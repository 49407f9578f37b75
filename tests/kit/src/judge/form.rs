//! The forms in which a channel has its index, and whether the client read the one that was meant.

use anyhow::{Result, ensure};
use rattler_repodata_gateway::SourceConfig;

/// The form of the index that the client is to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `repodata.json` or `repodata.json.zst`, as the client likes.
    Whole,
    /// `repodata.json`.
    Json,
    /// `repodata.json.zst`.
    Zst,
    /// The shards of the names that are asked for.
    Shards,
}

impl Form {
    /// All that a channel must have.
    pub const EACH: [Self; 3] = [Self::Json, Self::Zst, Self::Shards];

    pub(super) fn source(self) -> SourceConfig {
        SourceConfig {
            sharded_enabled: self == Self::Shards,
            zstd_enabled: self != Self::Json,
            bz2_enabled: false,
            ..SourceConfig::default()
        }
    }

    /// That the client read this form: from a missing one it falls back to another in silence.
    pub(super) fn check(self, served: &[String]) -> Result<()> {
        let is_it = |file: &String| match self {
            Self::Whole => file.starts_with("repodata.json"),
            Self::Json => file == "repodata.json",
            Self::Zst => file == "repodata.json.zst",
            Self::Shards => !file.starts_with("repodata.json"),
        };
        ensure!(
            !served.is_empty() && served.iter().all(is_it),
            "asked for {self:?}, rattler read {served:?}"
        );
        Ok(())
    }
}

impl From<bool> for Form {
    fn from(sharded: bool) -> Self {
        if sharded { Self::Shards } else { Self::Whole }
    }
}

//! What is remembered of a mirror: its ledger, opened without making one, and the subdirs that it knows.

use std::sync::Arc;

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mirror_channel::subdir;
use mirror_ledger::{
    Control, LeaseHolder, Ledger, LedgerError, RedbLedger, RedisConnection, SubdirState, Tally,
};

use crate::cli::Which;
use crate::options::Memory;
use crate::places;

/// Subdirs that are asked for at once.
const AT_ONCE: usize = 8;

/// A ledger, and the Redis it is in, if it is in one.
pub(super) struct Remembered {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) redis: Option<RedisConnection>,
}

/// A subdir as the ledger knows it.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) subdir: String,
    pub(super) state: Option<SubdirState>,
    pub(super) tally: Option<Tally>,
    pub(super) control: Control,
    pub(super) holder: Option<LeaseHolder>,
}

impl Known {
    /// Whether the ledger knows of any run.
    pub(super) fn is_known(&self) -> bool {
        self.state.is_some() || self.tally.is_some() || self.holder.is_some()
    }

    /// Whether a run is at work, or left work to workers.
    pub(super) fn is_under_way(&self) -> bool {
        let open = |tally: &Tally| tally.is_open() && self.control.cancelled < tally.plan;
        self.holder.is_some() || self.tally.as_ref().is_some_and(open)
    }
}

/// Opens the ledger of a mirror.
///
/// # Errors
/// When there is none, or a run on this machine has it; the text names its process.
pub(super) async fn open(which: &Which) -> anyhow::Result<Remembered> {
    let folder = match &which.memory {
        Memory::Redis(options) => {
            let redis = RedisConnection::connect(options.clone()).await?;
            let ledger = redis.ledger(&which.registry.to_string(), &which.channel.name);
            return Ok(Remembered {
                ledger: Arc::new(ledger),
                redis: Some(redis),
            });
        }
        Memory::Folder(folder) => folder,
    };
    let path = places::ledger(folder, &which.registry, &which.channel.name)?;
    let shown = super::title(which);
    anyhow::ensure!(
        path.exists(),
        "nothing is remembered of {shown}: there is no ledger {}; was it mirrored with another --state, or by another \
         user?",
        path.display()
    );
    let opened = tokio::task::spawn_blocking({
        let path = path.clone();
        move || RedbLedger::open(&path, "conda-oci, a look at the ledger")
    });
    let ledger = opened.await?.map_err(|error| {
        let in_use = matches!(error, LedgerError::LockedBy { .. });
        let error = anyhow::Error::new(error);
        match in_use {
            true => error.context("a run on one machine keeps its ledger to itself until it ends"),
            false => error,
        }
    })?;
    Ok(Remembered {
        ledger: Arc::new(ledger),
        redis: None,
    })
}

impl Remembered {
    /// These subdirs; of none, every one that the ledger knows. In the order of their names, `noarch` last.
    pub(super) async fn subdirs(&self, wanted: &[String]) -> anyhow::Result<Vec<Known>> {
        let all = wanted.is_empty();
        let mut known: Vec<Known> = self
            .look(match all {
                true => subdir::known().into_iter().map(str::to_owned).collect(),
                false => wanted.to_vec(),
            })
            .await?;
        known.retain(|known| !all || known.is_known());
        known.sort_by(|a, b| {
            let key = |known: &Known| (known.subdir == subdir::NOARCH, known.subdir.clone());
            key(a).cmp(&key(b))
        });
        Ok(known)
    }

    async fn look(&self, subdirs: Vec<String>) -> anyhow::Result<Vec<Known>> {
        let one = |subdir: String| async move {
            let ledger = &self.ledger;
            let (state, tally, control, holder) = futures::try_join!(
                ledger.subdir_state(&subdir),
                ledger.tally(&subdir),
                ledger.control(&subdir),
                ledger.lease_holder(&subdir),
            )?;
            Ok::<_, LedgerError>(Known {
                subdir,
                state,
                tally,
                control,
                holder,
            })
        };
        let looked = stream::iter(subdirs).map(one).buffered(AT_ONCE);
        looked
            .try_collect()
            .await
            .context("look at what is remembered")
    }
}

//! Whether a ledger still knows what it knew when the plan was made: it may have been emptied, or have come back older than
//! it was. What it called done and had been taken in would then be missing where it is published.

use std::sync::atomic::{AtomicU64, Ordering};

use mirror_ledger::{Ledger, LedgerError, Pulse};

/// What a ledger last said of itself, for one subdir.
#[derive(Debug)]
pub(crate) struct Witness {
    id: String,
    beat: AtomicU64,
}

impl Witness {
    pub(crate) async fn of(ledger: &dyn Ledger, subdir: &str) -> Result<Self, LedgerError> {
        let Pulse { id, beat } = ledger.pulse(subdir).await?;
        let beat = AtomicU64::new(beat);
        Ok(Self { id, beat })
    }

    /// Whether it has lost nothing that was there at the last look.
    pub(crate) async fn stands(
        &self,
        ledger: &dyn Ledger,
        subdir: &str,
    ) -> Result<bool, LedgerError> {
        let Pulse { id, beat } = ledger.pulse(subdir).await?;
        Ok(id == self.id && self.beat.fetch_max(beat, Ordering::Relaxed) < beat)
    }
}

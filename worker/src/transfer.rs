//! One task under its claim: look, bring each file, put the manifest.
//!
//! Files go one at a time, each with its own room in the spool. A file that fails does not stop the
//! other; what was transferred is named by the manifest before anything is reported as done.

use mirror_ledger::FileOutcome;
use mirror_oci::layout::Place;
use mirror_oci::manifest::Descriptor;
use mirror_oci::package::Wanted;
use mirror_queue::Task;
use mirror_runtime::telemetry::{Step as Doing, step};
use mirror_runtime::{Disposed as _, Disposition, fail_point};

use crate::context::Context;
use crate::error::TransferError;
use crate::extract::Info;
use crate::fetch::Fetched;
use crate::mirrors::Target;
use crate::spans;
use crate::steps::{Asked, Step, steps};

/// What became of each file of a task.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    pub done: Vec<(String, FileOutcome)>,
    pub failed: Vec<(Wanted, TransferError)>,
    /// What the task as a whole met: its manifest could not be read or put, or the host asks for
    /// patience. Files neither done nor failed share its fate.
    pub stopped: Option<TransferError>,
}

/// How much is known of the tag before the transfer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Knowledge {
    /// The manifest is to be looked at before anything is downloaded.
    pub probe: bool,
    /// Somebody may have pushed blobs of this build and died.
    pub interrupted: bool,
}

/// Asked right before the manifest: whether this plan still wants the build.
pub(crate) trait StillWanted {
    /// `false` stops the transfer without a manifest.
    fn still_wanted(&self) -> impl Future<Output = bool> + Send;
}

pub(crate) struct Transfer<'a> {
    pub context: &'a Context,
    pub target: &'a Target,
    pub task: &'a Task,
    pub place: &'a Place,
    pub files: &'a [Asked],
    pub knowledge: Knowledge,
}

/// What stays at hand until the manifest is in place: the last file and every info.
#[derive(Default)]
pub(crate) struct AtHand {
    pub last: Option<Fetched>,
    pub infos: Vec<Info>,
}

impl Transfer<'_> {
    /// Runs the task. `None`: the build is no longer wanted, nothing was named.
    pub(crate) async fn run(&self, wanted: &impl StillWanted) -> Option<Settled> {
        let mut settled = Settled::default();
        let existing = match self.knowledge.probe {
            false => None,
            true => match step(Doing::Probe, spans::probe(self.task), self.probe()).await {
                Ok(existing) => match self.task.renew {
                    true => match self.sound_rest(existing).await {
                        Ok(rest) => rest,
                        Err(error) => {
                            settled.stopped = Some(error);
                            return Some(settled);
                        }
                    },
                    false => existing,
                },
                Err(error) => {
                    settled.stopped = Some(error);
                    return Some(settled);
                }
            },
        };
        let mut transferred = Vec::new();
        let mut at_hand = AtHand::default();
        let allowed = self.task.allow_unverified;
        for one in steps(self.files, existing.as_ref(), allowed) {
            match one {
                Step::Absent(wanted) => {
                    let file = wanted.file.as_str().to_owned();
                    settled
                        .failed
                        .push((wanted, TransferError::NotHeld { file }));
                }
                Step::Refused(wanted) => {
                    let file = wanted.file.as_str().to_owned();
                    settled
                        .failed
                        .push((wanted, TransferError::Unverifiable { file }));
                }
                Step::Held(wanted, layer) => settled.done.push(done(&wanted, &layer)),
                Step::Fetch(_) if settled.stopped.is_some() => {}
                Step::Fetch(wanted) => match self
                    .bring(&wanted, existing.as_ref(), &transferred, &mut at_hand)
                    .await
                {
                    Ok(file) => transferred.push((wanted, file)),
                    Err(error) if concerns_all(&error) => settled.stopped = Some(error),
                    Err(error) => settled.failed.push((wanted, error)),
                },
            }
        }
        if transferred.is_empty() {
            return Some(settled);
        }
        fail_point::hit("before-manifest").await;
        if !wanted.still_wanted().await {
            return None;
        }
        if let Err(error) = self.name(&transferred, existing.as_ref(), &at_hand).await {
            settled.stopped = Some(error);
            return Some(settled);
        }
        fail_point::hit("after-manifest").await;
        settled.done.extend(
            transferred
                .iter()
                .map(|(wanted, file)| done(wanted, &file.layer)),
        );
        Some(settled)
    }
}

/// Whether an error is about the host or this machine's end, not about one file.
fn concerns_all(error: &TransferError) -> bool {
    matches!(
        error.disposition(),
        Disposition::Throttled { .. } | Disposition::Cancelled
    )
}

/// The outcome of a file that the manifest names.
fn done(wanted: &Wanted, layer: &Descriptor) -> (String, FileOutcome) {
    let outcome = FileOutcome::Done {
        sha256: layer.digest.sha256(),
        md5: match wanted.sha256 {
            None => wanted.md5.or(layer.md5()),
            Some(_) => None,
        },
        size: layer.size,
    };
    (wanted.file.as_str().to_owned(), outcome)
}

//! One task under its claim: look, download, take out `info/`, push the blobs, put the manifest.
//!
//! Files go one at a time, each with its own room in the spool. A file that fails does not stop the
//! other; what was transferred is named by the manifest before anything is reported as done.

use mirror_channel::name::{ArchiveType, FileName};
use mirror_ledger::FileOutcome;
use mirror_oci::layout::Place;
use mirror_oci::manifest::{Descriptor, Manifest};
use mirror_oci::package::{InfoLayers, Transferred, Wanted, package_layer};
use mirror_oci::{Body, Digest, Presence};
use mirror_queue::Task;
use mirror_runtime::{Disposed as _, Disposition, fail_point, redact};
use url::Url;

use crate::context::Context;
use crate::error::TransferError;
use crate::extract::{self, Info};
use crate::fetch::{Fetched, fetch};
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
            true => match self.probe().await {
                Ok(existing) => existing,
                Err(error) => {
                    settled.stopped = Some(error);
                    return Some(settled);
                }
            },
        };
        let mut transferred = Vec::new();
        let mut at_hand = AtHand::default();
        let allowed = self.task.allow_unverified;
        for step in steps(self.files, existing.as_ref(), allowed) {
            match step {
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

    /// Downloads one file and pushes its blobs.
    async fn bring(
        &self,
        wanted: &Wanted,
        existing: Option<&Manifest>,
        before: &[(Wanted, Transferred)],
        at_hand: &mut AtHand,
    ) -> Result<Transferred, TransferError> {
        let file = &wanted.file;
        // The room of the file before is given back before room for this one is asked for.
        at_hand.last = None;
        let progress = self.context.activity.begin(file.as_str(), wanted.size);
        let url = self.url(file);
        let fetched = fetch(
            &self.context.fetcher,
            &self.context.spool,
            &url,
            wanted,
            self.task.allow_unverified,
            &progress,
        )
        .await?;
        let info = self.info(file, &fetched.body).await?;
        if let Some(other) = info.other_than(file.stem()) {
            tracing::warn!(
                url = redact::url(&url),
                "its info/index.json is that of {other}; mirrored as {}, the name of the file",
                file.stem()
            );
        }

        let digest = Digest::from_sha256(fetched.sha256);
        let layer = package_layer(
            file,
            digest,
            fetched.body.len(),
            fetched.md5,
            info.created.clone(),
        );
        let blob = |blob: &extract::Blob| (blob.digest, blob.body.len());
        let info_layers = InfoLayers::new(
            file.stem(),
            blob(&info.archive),
            blob(&info.index),
            info.created.clone(),
        );

        // The info of the .conda is the build's: that of a .tar.bz2 beside it would never be named.
        let has_conda = before
            .iter()
            .any(|(_, file)| file.archive == ArchiveType::Conda)
            || self.files.iter().any(|Asked { wanted, .. }| {
                wanted.file.archive() == ArchiveType::Conda
                    && existing.is_some_and(|manifest| wanted.layer_in(manifest).is_some())
            });
        let infos = if file.archive() == ArchiveType::TarBz2 && has_conda {
            Vec::new()
        } else {
            vec![&info.archive, &info.index]
        };
        let presence = match self.knowledge.interrupted || existing.is_some() {
            true => Presence::Unknown,
            false => Presence::Absent,
        };
        let repository = &self.place.repository;
        let destination = &self.context.destination;
        fail_point::hit("before-upload").await;
        let push_infos = futures::future::try_join_all(
            infos
                .into_iter()
                .map(|blob| destination.push_blob(repository, &blob.digest, &blob.body, presence)),
        );
        futures::try_join!(
            destination.ensure_config(repository),
            destination.push_blob(repository, &digest, &fetched.body, presence),
            push_infos,
        )?;
        fail_point::hit("after-upload").await;
        at_hand.infos.push(info);
        at_hand.last = Some(fetched);
        Ok(Transferred {
            archive: file.archive(),
            layer,
            info: info_layers,
        })
    }

    async fn info(&self, file: &FileName, body: &Body) -> Result<Info, TransferError> {
        let (limits, spool) = (self.context.limits, self.context.spool.dir());
        let subdir = self.task.subdir.clone();
        let taken = extract::extract_body(body.clone(), file.archive(), subdir, limits, spool);
        taken.await.map_err(|source| TransferError::Extract {
            file: file.as_str().to_owned(),
            source,
        })
    }

    fn url(&self, file: &FileName) -> Url {
        let mut url = self.task.source.clone();
        url.path_segments_mut()
            .expect("a task's source is a folder of http, https or file")
            .pop_if_empty()
            .push(file.as_str());
        url
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

//! One file of a task: downloaded, its `info/` taken out, its blobs pushed.
//!
//! These go side by side where it pays: the blob of a large file is sent while it comes, once the rest of it is near, and
//! the info of a large `.tar.bz2` is looked for from its first byte on. Nothing that was found or sent before the file is
//! known to be what its record says counts, and no registry has all of its bytes before.

use std::sync::Arc;

use futures::FutureExt as _;
use mirror_channel::name::{ArchiveType, FileName};
use mirror_oci::manifest::Manifest;
use mirror_oci::package::{InfoLayers, Transferred, Wanted, package_layer};
use mirror_oci::{Body, Digest, Presence};
use mirror_runtime::telemetry::{Step, step};
use mirror_runtime::{fail_point, redact};
use tracing::{Instrument as _, Span};

use crate::error::TransferError;
use crate::extract::{self, Extraction, Info};
use crate::fetch::{Download, fetch};
use crate::meanwhile::{Arriving, Meanwhile, Upload, no_upload, upload_early};
use crate::spans;
use crate::steps::Asked;
use crate::transfer::{AtHand, Transfer};

/// Smaller files come so quickly that nothing is to be done meanwhile.
const LARGE: u64 = 8 << 20;

impl Transfer<'_> {
    /// Downloads one file and pushes its blobs.
    pub(crate) async fn bring(
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
        let with_info = self.names_info_of(file, existing, before);
        if !self.task.renew
            && let Some(mounted) = self.mount(wanted, with_info).await?
        {
            return Ok(mounted);
        }
        let url = self.task.url(file.as_str());
        let maybe = self.knowledge.interrupted || existing.is_some();
        let presence = match maybe && !self.task.renew {
            true => Presence::Unknown,
            // What is there of a damaged build is not asked for: it is there, and wrong.
            false => Presence::Absent,
        };
        let download = Download {
            sources: &self.context.sources,
            spool: &self.context.spool,
            url: &url,
            wanted,
            allow_unverified: self.task.allow_unverified,
            progress: &progress,
        };
        let task = Span::current();
        let begin = |arriving| self.meanwhile(wanted, presence, &task, arriving);
        let span = spans::download(&url, wanted);
        let (fetched, mut meanwhile) = step(Step::Download, span, fetch(download, begin)).await?;
        let followed = meanwhile.take_info();
        let info = self.info(file, &fetched.body, followed);
        let info = step(Step::Extract, spans::extract(wanted), info);
        let info = match meanwhile.during(info).await {
            Ok(info) => info,
            Err(error) => {
                // A blob that is there already stays without a manifest, which harms nobody.
                meanwhile.abandon().await;
                return Err(error);
            }
        };
        if let Some(other) = info.other_than(file.stem()) {
            tracing::warn!(
                url = redact::url(&url),
                "its info/index.json is that of {other}; mirrored as {}, the name of the file",
                file.stem()
            );
        }

        let digest = Digest::from_sha256(fetched.hashes.sha256);
        let layer = package_layer(
            file,
            digest,
            fetched.body.len(),
            fetched.hashes.md5,
            info.created.clone(),
        );
        let blob = |blob: &extract::Blob| (blob.digest, blob.body.len());
        let info_layers = InfoLayers::new(
            file.stem(),
            blob(&info.archive),
            blob(&info.index),
            info.created.clone(),
        );
        let infos = match with_info {
            true => vec![&info.archive, &info.index],
            false => Vec::new(),
        };
        let repository = &self.place.repository;
        let destination = &self.target.destination;
        fail_point::hit("before-upload").await;
        if self.task.renew {
            destination.forget_config(repository);
        }
        let push_infos = futures::future::try_join_all(
            infos
                .into_iter()
                .map(|blob| destination.push_blob(repository, &blob.digest, &blob.body, presence)),
        );
        let push_package = async {
            let presence = match meanwhile.uploaded().await {
                Upload::Done => return Ok(()),
                Upload::Tried => Presence::Unknown,
                Upload::NotBegun => presence,
            };
            let pushed = destination.push_blob(repository, &digest, &fetched.body, presence);
            pushed.await.map(drop)
        };
        futures::try_join!(
            destination.ensure_config(repository),
            push_package,
            push_infos
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

    /// What is done with a file while it comes.
    fn meanwhile(
        &self,
        wanted: &Wanted,
        presence: Presence,
        task: &Span,
        arriving: Arriving,
    ) -> Meanwhile<'_> {
        let Arriving {
            growing,
            reservation,
            near,
        } = arriving;
        if growing.len() < LARGE {
            return Meanwhile::nothing();
        }
        let context = self.context;
        let may_follow = match wanted.file.archive() {
            ArchiveType::TarBz2 => context.spool.try_follow(),
            // Its directory is at its end.
            ArchiveType::Conda => None,
        };
        let info = may_follow.map(|leave| {
            let held = (leave, Arc::clone(&reservation));
            let (subdir, limits) = (self.task.subdir.clone(), context.limits);
            Extraction::follow(growing.clone(), held, subdir, limits, context.spool.dir())
        });
        let digest = wanted.sha256.map(Digest::from_sha256);
        let repository = &self.place.repository;
        let takes_growing = self.target.destination.takes_growing(growing.len());
        let upload = |abandoned| match takes_growing.zip(digest) {
            // It may outlive the download, so it is no child of that.
            Some((registry, digest)) => upload_early(
                registry, repository, digest, growing, near, presence, abandoned,
            )
            .instrument(task.clone())
            .boxed(),
            None => no_upload(),
        };
        Meanwhile::new(upload, info)
    }

    /// Whether the manifest will name the info of this file: of two formats it is that of the `.conda`.
    fn names_info_of(
        &self,
        file: &FileName,
        existing: Option<&Manifest>,
        before: &[(Wanted, Transferred)],
    ) -> bool {
        let is_conda = |archive| archive == ArchiveType::Conda;
        let has_conda = before.iter().any(|(_, file)| is_conda(file.archive))
            || self.files.iter().any(|Asked { wanted, .. }| {
                is_conda(wanted.file.archive())
                    && existing.is_some_and(|manifest| wanted.layer_in(manifest).is_some())
            });
        is_conda(file.archive()) || !has_conda
    }

    /// The info of a file, by the extraction that is under way if there is one.
    async fn info(
        &self,
        file: &FileName,
        body: &Body,
        followed: Option<Extraction>,
    ) -> Result<Info, TransferError> {
        let (limits, spool) = (self.context.limits, self.context.spool.dir());
        let (body, subdir) = (body.clone(), self.task.subdir.clone());
        let taken =
            extract::extract_body(followed, body, file.archive(), subdir, limits, spool).await;
        taken.map_err(|source| TransferError::Extract {
            file: file.as_str().to_owned(),
            source,
        })
    }
}

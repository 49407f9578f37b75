//! The manifest of a build: looked at before a transfer, put after it, and mended where the registry lost a blob of it.

use mirror_oci::layout::Place;
use mirror_oci::manifest::Manifest;
use mirror_oci::package::{Transferred, Wanted, assemble};
use mirror_oci::{Digest, Presence};

use crate::error::TransferError;
use crate::transfer::{AtHand, Transfer};

impl Transfer<'_> {
    /// The manifest at the tag, if there is one of ours.
    pub(crate) async fn probe(&self) -> Result<Option<Manifest>, TransferError> {
        let Place { repository, tag } = self.place;
        let Some(stored) = self.target.destination.manifest(repository, tag).await? else {
            return Ok(None);
        };
        match Manifest::from_bytes(&stored.bytes) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(error) => {
                tracing::warn!(repository, tag, %error, "the tag holds something that is none of ours; it will be replaced");
                Ok(None)
            }
        }
    }

    /// Puts the manifest. If the registry says that a blob is missing, everything is looked for once
    /// more and what is missing pushed again.
    pub(crate) async fn name(
        &self,
        transferred: &[(Wanted, Transferred)],
        existing: Option<&Manifest>,
        at_hand: &AtHand,
    ) -> Result<(), TransferError> {
        let listed: Vec<Wanted> = self.files.iter().map(|file| file.wanted.clone()).collect();
        let files: Vec<Transferred> = transferred.iter().map(|(_, file)| file.clone()).collect();
        let manifest = assemble(&listed, &files, existing)
            .expect("at least one file was transferred")
            .annotated(&self.task.annotations);
        let bytes = manifest.to_bytes();
        let Place { repository, tag } = self.place;
        let destination = &self.target.destination;
        match destination.put_manifest(repository, tag, &bytes).await {
            Err(error) if error.is_blob_unknown() => {
                tracing::warn!(repository, tag, %error, "the registry lost a blob; pushing what is missing");
                self.push_missing(at_hand, &manifest).await?;
                destination.put_manifest(repository, tag, &bytes).await?;
            }
            put => {
                put?;
            }
        }
        Ok(())
    }

    async fn push_missing(
        &self,
        at_hand: &AtHand,
        manifest: &Manifest,
    ) -> Result<(), TransferError> {
        let repository = &self.place.repository;
        let destination = &self.target.destination;
        destination.forget_config(repository);
        destination.ensure_config(repository).await?;
        let infos = at_hand
            .infos
            .iter()
            .flat_map(|info| [&info.archive, &info.index]);
        let bodies = infos.map(|blob| (blob.digest, &blob.body)).chain(
            at_hand
                .last
                .iter()
                .map(|file| (Digest::from_sha256(file.hashes.sha256), &file.body)),
        );
        for (digest, body) in bodies {
            if manifest.layers.iter().any(|layer| layer.digest == digest) {
                destination
                    .push_blob(repository, &digest, body, Presence::Unknown)
                    .await?;
            }
        }
        // A file whose bytes are gone comes back with the next try of the task, if it is the one missing.
        Ok(())
    }
}

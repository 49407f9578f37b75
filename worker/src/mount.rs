//! A file that another repository of the destination's own registry has: mounted, neither downloaded nor uploaded.
//!
//! The manifest at the source says which blobs; that they are what they are called is the registry's own promise, and
//! that the package is the wanted one its sha256. The info layers are taken as they are there.

use mirror_oci::Digest;
use mirror_oci::layout::Place;
use mirror_oci::manifest::{CREATION_TIME, Descriptor, Manifest};
use mirror_oci::package::{InfoLayers, Transferred, Wanted, package_layer};
use mirror_oci::registry::Registry;
use mirror_runtime::{Disposed as _, Disposition};

use crate::error::TransferError;
use crate::transfer::Transfer;

/// The longest time of creation that is taken over; the format has 16 characters.
const LONGEST_TIME: usize = 32;

impl Transfer<'_> {
    /// Mounts the file's blobs; with `with_info` those of its info too. `None`: it must be moved.
    pub(crate) async fn mount(
        &self,
        wanted: &Wanted,
        with_info: bool,
    ) -> Result<Option<Transferred>, TransferError> {
        let sources = &self.context.sources;
        // A record without a sha256 does not say which blob is meant.
        let (Some(mirror), Some(_)) = (sources.mirror(&self.task.source)?, wanted.sha256) else {
            return Ok(None);
        };
        let destination = &self.target.destination;
        let Some(registry) = destination.shares_registry(&mirror.destination) else {
            return Ok(None);
        };
        let Ok(Place {
            repository: from,
            tag,
        }) = mirror.layout.package(&wanted.file)
        else {
            return Ok(None);
        };
        let Some(manifest) = mirror.manifest(&from, &tag).await? else {
            return Ok(None);
        };
        let Some(file) = as_ours(wanted, &manifest) else {
            return Ok(None);
        };
        let mut digests = vec![file.layer.digest];
        if with_info {
            digests.extend([file.info.archive.digest, file.info.index.digest]);
        }
        if from != self.place.repository && !self.mount_all(registry, &from, &digests).await? {
            tracing::debug!(from, tag, "not mounted; it is moved instead");
            return Ok(None);
        }
        destination.ensure_config(&self.place.repository).await?;
        Ok(Some(file))
    }

    /// Whether all of them are there now.
    async fn mount_all(
        &self,
        registry: &Registry,
        from: &str,
        digests: &[Digest],
    ) -> Result<bool, TransferError> {
        for digest in digests {
            match registry.mount(&self.place.repository, digest, from).await {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => match error.disposition() {
                    // What may be pushed may all the same not be mounted, or not from there.
                    Disposition::Denied | Disposition::Permanent => {
                        tracing::debug!(from, %error, "a mount was refused");
                        return Ok(false);
                    }
                    _ => return Err(mirror_oci::DestinationError::from(error).into()),
                },
            }
        }
        Ok(true)
    }
}

/// The file as our manifests name it, from a manifest that has it; `None` where that says too little.
fn as_ours(wanted: &Wanted, manifest: &Manifest) -> Option<Transferred> {
    let layer = wanted.layer_in(manifest)?;
    let info = InfoLayers::of(manifest)?;
    // In a manifest of ours all layers have the same time.
    let created = |layer: &Descriptor| {
        let time = layer.annotations.get(CREATION_TIME)?;
        (time.len() <= LONGEST_TIME).then(|| time.clone())
    };
    let md5 = wanted.md5.or(layer.md5())?;
    let of_info = created(&info.archive);
    let blob = |layer: &Descriptor| (layer.digest, layer.size);
    Some(Transferred {
        archive: wanted.file.archive(),
        layer: package_layer(&wanted.file, layer.digest, layer.size, md5, created(layer)),
        info: InfoLayers::new(
            wanted.file.stem(),
            blob(&info.archive),
            blob(&info.index),
            of_info,
        ),
    })
}

//! What of a damaged build may stay: `conda-oci verify` found something wrong with what its manifest names.

use mirror_channel::name::ArchiveType;
use mirror_oci::Seen;
use mirror_oci::layout;
use mirror_oci::manifest::{Descriptor, Manifest, TITLE};
use mirror_queue::Action;

use crate::error::TransferError;
use crate::transfer::Transfer;

impl Transfer<'_> {
    /// The manifest without the files that are to be brought anew, and without other packages that are not there any
    /// more: a manifest that names those is refused.
    pub(crate) async fn sound_rest(
        &self,
        existing: Option<Manifest>,
    ) -> Result<Option<Manifest>, TransferError> {
        let Some(mut existing) = existing else {
            return Ok(None);
        };
        for archive in [ArchiveType::Conda, ArchiveType::TarBz2] {
            let media_type = layout::package_media_type(archive);
            let mut files = self.files.iter();
            let anew = files.any(|file| {
                file.wanted.file.archive() == archive && file.action == Action::Transfer
            });
            let gone = match existing.layer(media_type) {
                None => continue,
                Some(_) if anew => true,
                // Another package's manifest may have come to be at the tag.
                Some(layer) if !is_of(layer, &self.task.stem(), archive) => true,
                Some(layer) => {
                    let (destination, place) = (&self.target.destination, self.place);
                    destination.look_at_blob(&place.repository, layer).await? != Seen::Sound
                }
            };
            if gone {
                existing
                    .layers
                    .retain(|layer| layer.media_type != media_type);
            }
        }
        Ok(Some(existing))
    }
}

/// Whether a layer is titled as the file of this format of the build `stem`.
fn is_of(layer: &Descriptor, stem: &str, archive: ArchiveType) -> bool {
    let title = layer.annotations.get(TITLE).map(String::as_str);
    let of = title.and_then(|title| title.strip_suffix(archive.extension())?.strip_suffix('.'));
    of == Some(stem)
}

//! One build: the manifest at its tag names each of its files as the index lists them, and every blob it names is there.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use mirror_channel::repodata::Record;
use mirror_oci::layout::{self, Place, SubdirLayout};
use mirror_oci::manifest::{Descriptor, Manifest};
use mirror_oci::{Destination, DestinationError};
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

use super::blob::Look;
use super::finding::{Finding, Kind};
use super::walk::unanswered;
use crate::patience::patiently;

/// Repositories whose config is remembered. Builds come in the order of names, so few are looked for twice.
const REMEMBERED: usize = 256;
/// The largest `info/index.json` that is parsed.
const MAX_INFO_INDEX: u64 = 16 << 20;

/// The largest blob that is read without the index saying that it is as large.
const MAX_UNLISTED: u64 = 1 << 30;

type Looked = Arc<OnceCell<()>>;

/// Looks at builds.
pub(crate) struct Checker<'a> {
    pub look: Look<'a>,
    pub layout: &'a SubdirLayout,
    pub scratch: &'a std::path::Path,
    /// Configs looked at lately: all builds of a repository share one.
    configs: Mutex<VecDeque<(String, Looked)>>,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(
        look: Look<'a>,
        layout: &'a SubdirLayout,
        scratch: &'a std::path::Path,
    ) -> Self {
        Self {
            look,
            layout,
            scratch,
            configs: Mutex::default(),
        }
    }

    /// What is wrong with a build whose files the index lists in these records.
    ///
    /// # Errors
    /// When nobody answers.
    pub(crate) async fn check(&self, records: &[Record]) -> anyhow::Result<Vec<Finding>> {
        let mut found = Vec::new();
        // Two builds whose stems have one hash end in one group; here they part.
        for build in records.chunk_by(|a, b| a.file.stem() == b.file.stem()) {
            found.extend(self.build(build).await?);
        }
        Ok(found)
    }

    async fn build(&self, records: &[Record]) -> anyhow::Result<Vec<Finding>> {
        let subject = records[0].file.as_str();
        let place = self.layout.package(&records[0].file);
        let Place { repository, tag } = place.context("a file with a place has it still")?;
        let destination = self.look.destination;
        let stored = patiently(|| destination.manifest(&repository, &tag)).await;
        let stored = match stored {
            Ok(stored) => stored,
            Err(error) => return Ok(vec![unanswered(error, subject, &repository)?.at(tag)]),
        };
        let of_all = |kind, cause: String| {
            let files = records.iter().map(|record| record.file.as_str());
            let findings =
                files.map(|file| Finding::new(kind, file, &repository, cause.clone()).at(&tag));
            Ok(findings.collect())
        };
        let Some(stored) = stored else {
            let cause = format!("no manifest at {repository}:{tag}");
            return of_all(Kind::ManifestMissing, cause);
        };
        let manifest = match Manifest::from_bytes(&stored.bytes) {
            Ok(manifest) => manifest,
            Err(error) => {
                let cause = format!("{repository}:{tag} is {error}");
                return of_all(Kind::ManifestUnreadable, cause);
            }
        };
        let mut found = named(records, &manifest, &repository, &tag);
        let blobs = self.blobs(&manifest, records, &repository);
        found.extend(blobs.await?);
        Ok(found)
    }

    /// Looks at every blob that a manifest names, each once.
    async fn blobs(
        &self,
        manifest: &Manifest,
        records: &[Record],
        repository: &str,
    ) -> anyhow::Result<Vec<Finding>> {
        let mut found = Vec::new();
        let subject = records[0].file.as_str();
        found.extend(self.config(&manifest.config, subject, repository).await?);
        let mut seen = HashSet::new();
        for layer in &manifest.layers {
            if !seen.insert(layer.digest) {
                continue;
            }
            let (subject, what) = told(layer, subject);
            let look = Look {
                deep: self.look.deep && is_readable(layer, records),
                ..self.look
            };
            let damage = look.blob(repository, layer, &subject, what).await?;
            let is_sound = damage.is_none();
            found.extend(damage);
            if look.deep && is_sound && layer.media_type == layout::INFO_INDEX {
                found.extend(self.parsed(layer, &subject, repository).await?);
            }
        }
        Ok(found)
    }

    /// Looks at the config, unless that was done for another build of the repository. Who looks first says what is wrong.
    async fn config(
        &self,
        config: &Descriptor,
        subject: &str,
        repository: &str,
    ) -> anyhow::Result<Option<Finding>> {
        let looked = self.slot(format!("{repository}@{} {}", config.digest, config.size));
        let mut found = None;
        looked
            .get_or_try_init(async || {
                found = self
                    .look
                    .blob(repository, config, subject, "config")
                    .await?;
                anyhow::Ok(())
            })
            .await?;
        Ok(found)
    }

    fn slot(&self, key: String) -> Looked {
        let mut recent = self.configs.lock().expect("no panic under this lock");
        if let Some((_, looked)) = recent.iter().find(|(known, _)| *known == key) {
            return Arc::clone(looked);
        }
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        let looked = Looked::default();
        recent.push_back((key, Arc::clone(&looked)));
        looked
    }

    /// Whether an `info/index.json` is JSON.
    async fn parsed(
        &self,
        layer: &Descriptor,
        subject: &str,
        repository: &str,
    ) -> anyhow::Result<Option<Finding>> {
        let destination: &Destination = self.look.destination;
        let fetched =
            patiently(|| destination.fetch_blob(repository, layer, MAX_INFO_INDEX, self.scratch));
        let problem = match fetched.await {
            Ok(file) => {
                let bytes = tokio::fs::read(file.path()).await?;
                // As whoever pushed it did: a number that no reader holds is the package's affair.
                match serde_json::from_slice::<BTreeMap<String, &RawValue>>(&bytes) {
                    Ok(_) => return Ok(None),
                    Err(error) => error.to_string(),
                }
            }
            Err(error @ (DestinationError::Blob { .. } | DestinationError::TooLarge { .. })) => {
                error.to_string()
            }
            Err(error) => return unanswered(error, subject, repository).map(Some),
        };
        let digest = layer.digest;
        let cause = format!("info/index.json {digest} in {repository} is none: {problem}");
        Ok(Some(
            Finding::new(Kind::InfoUnreadable, subject, repository, cause).at(digest),
        ))
    }
}

/// Whether all of a layer may be read: who says of a blob that it has more bytes than there are would be read for ever.
fn is_readable(layer: &Descriptor, records: &[Record]) -> bool {
    let listed = records.iter().filter_map(|record| record.size);
    layer.size <= listed.max().unwrap_or(0).max(MAX_UNLISTED)
}

/// What a layer is called, and which file of the build it is about: its own name, if it is a package.
fn told(layer: &Descriptor, build: &str) -> (String, &'static str) {
    let of_package = |archive: &str| {
        let stem = build
            .trim_end_matches(".tar.bz2")
            .trim_end_matches(".conda");
        format!("{stem}.{archive}")
    };
    match layer.media_type.as_str() {
        layout::PACKAGE_CONDA => (of_package("conda"), "package"),
        layout::PACKAGE_TAR_BZ2 => (of_package("tar.bz2"), "package"),
        layout::INFO => (build.to_owned(), "info"),
        layout::INFO_INDEX => (build.to_owned(), "info/index.json"),
        _ => (build.to_owned(), "layer"),
    }
}

/// What a manifest gets wrong of the files that the index lists.
fn named(records: &[Record], manifest: &Manifest, repository: &str, tag: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for record in records {
        let file = record.file.as_str();
        let media_type = layout::package_media_type(record.file.archive());
        let mut say = |kind, cause| {
            found.push(Finding::new(kind, file, repository, cause).at(tag));
        };
        let Some(layer) = manifest.layer(media_type) else {
            let cause = format!("{repository}:{tag} names no layer {media_type}");
            say(Kind::LayerMissing, cause);
            continue;
        };
        let differs = match (record.sha256, record.md5) {
            (Some(sha256), _) if layer.digest.sha256() != sha256 => {
                Some(format!("sha256:{}", hex(&sha256)))
            }
            (None, Some(md5)) if layer.md5() != Some(md5) => Some(format!("md5 {}", hex(&md5))),
            _ => None,
        };
        if let Some(wanted) = differs {
            let is = layer.digest;
            let cause = format!("{repository}:{tag} names {is}, the index lists {wanted}");
            say(Kind::LayerDiffers, cause);
        } else if let Some(size) = record.size
            && size != layer.size
        {
            let says = layer.size;
            let cause =
                format!("{repository}:{tag} says that it has {says} bytes, the index lists {size}");
            say(Kind::SizeDiffers, cause);
        }
    }
    for (media_type, what) in [
        (layout::INFO, "info"),
        (layout::INFO_INDEX, "info/index.json"),
    ] {
        if manifest.layer(media_type).is_none() {
            let (subject, cause) = (
                records[0].file.as_str(),
                format!("{repository}:{tag} names no {what} (a layer {media_type})"),
            );
            found.push(Finding::new(Kind::LayerMissing, subject, repository, cause).at(tag));
        }
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use mirror_oci::Digest;
    use mirror_oci::package::{InfoLayers, package_layer};

    use super::*;

    fn record(file: &str, content: &[u8]) -> Record {
        Record {
            file: file.parse().unwrap(),
            sha256: Some(Digest::of(content).sha256()),
            md5: None,
            size: Some(content.len() as u64),
        }
    }

    fn manifest(file: &str, content: &[u8], size: u64) -> Manifest {
        let blob = (Digest::of(b"info"), 4);
        let info = InfoLayers::new("a-1-0", blob, blob, None);
        let package = package_layer(
            &file.parse().unwrap(),
            Digest::of(content),
            size,
            [7; 16],
            None,
        );
        Manifest::new(vec![package, info.archive, info.index], BTreeMap::new())
    }

    fn kinds(records: &[Record], manifest: &Manifest) -> Vec<(Kind, String)> {
        let found = named(records, manifest, "r", "1-0").into_iter();
        found.map(|found| (found.kind, found.subject)).collect()
    }

    #[test]
    fn each_way_in_which_a_manifest_can_be_wrong_of_a_file_is_told_from_the_others() {
        const CONDA: &str = "a-1-0.conda";
        let ours = record(CONDA, b"c");
        let right = manifest(CONDA, b"c", 1);
        assert_eq!(kinds(std::slice::from_ref(&ours), &right), []);
        let both = [ours.clone(), record("a-1-0.tar.bz2", b"t")];
        let missing = (Kind::LayerMissing, "a-1-0.tar.bz2".to_owned());
        assert_eq!(kinds(&both, &right), [missing]);
        let of = |kind| vec![(kind, CONDA.to_owned())];
        let one = std::slice::from_ref(&ours);
        assert_eq!(
            kinds(one, &manifest(CONDA, b"x", 1)),
            of(Kind::LayerDiffers)
        );
        assert_eq!(kinds(one, &manifest(CONDA, b"c", 2)), of(Kind::SizeDiffers));
        let mut bare = right.clone();
        bare.layers.truncate(1);
        assert_eq!(kinds(one, &bare).len(), 2);
        let mut by_md5 = ours;
        (by_md5.sha256, by_md5.md5) = (None, Some([7; 16]));
        assert_eq!(kinds(std::slice::from_ref(&by_md5), &right), []);
        by_md5.md5 = Some([8; 16]);
        assert_eq!(kinds(&[by_md5], &right), of(Kind::LayerDiffers));
    }
}

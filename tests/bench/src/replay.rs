//! What a mirror pushes, to the byte: read from a folder of image layouts that conda-oci itself filled.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use serde::Deserialize;

/// Where the bytes of a blob come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Memory(Bytes),
    File(PathBuf),
    /// Downloaded, and sent on as they come.
    Url(String),
}

/// One blob to push.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) digest: String,
    pub(crate) size: u64,
    pub(crate) source: Source,
    /// The package's file name, where it is a package.
    pub(crate) file: Option<String>,
}

/// One build: its blobs, then its manifest.
#[derive(Debug, Clone)]
pub(crate) struct Build {
    pub(crate) repository: String,
    pub(crate) tag: String,
    pub(crate) manifest: Bytes,
    pub(crate) blobs: Vec<Blob>,
}

/// Everything that a mirror pushes, without its indexes.
#[derive(Debug, Clone)]
pub(crate) struct Replay {
    /// `<channel>/<subdir>`.
    pub(crate) subdir: String,
    pub(crate) builds: Vec<Build>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: HashMap<String, String>,
    #[serde(rename = "mediaType")]
    media_type: String,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Descriptor>,
}

impl Replay {
    /// Reads the packages in `<root>/<subdir>`, a folder of image layouts. Blobs up to 1 MB are
    /// kept in memory.
    ///
    /// # Errors
    /// If something in it is no image layout.
    pub(crate) fn read(root: &Path, subdir: &str) -> Result<Self> {
        let mut builds = Vec::new();
        let folder = root.join(subdir);
        let layouts =
            fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
        for layout in layouts {
            let layout = layout?;
            let name = layout.file_name().to_string_lossy().into_owned();
            if name == "repodata.json" || !layout.path().join("index.json").is_file() {
                continue;
            }
            read_layout(&layout.path(), &format!("{subdir}/{name}"), &mut builds)?;
        }
        ensure!(!builds.is_empty(), "{} holds no package", folder.display());
        // Builds of one name go one after the other, as an index lists them.
        builds.sort_by(|a, b| (&a.repository, &a.tag).cmp(&(&b.repository, &b.tag)));
        Ok(Self {
            subdir: subdir.to_owned(),
            builds,
        })
    }

    /// The same with the packages' bytes from elsewhere, by file name.
    pub(crate) fn with_packages(&self, source: impl Fn(&str) -> Source) -> Self {
        let mut changed = self.clone();
        for blob in changed.builds.iter_mut().flat_map(|build| &mut build.blobs) {
            if let Some(file) = &blob.file {
                blob.source = source(file);
            }
        }
        changed
    }

    /// Only the first builds, so many.
    pub(crate) fn first(&self, builds: usize) -> Self {
        Self {
            subdir: self.subdir.clone(),
            builds: self.builds.iter().take(builds).cloned().collect(),
        }
    }
}

fn read_layout(layout: &Path, repository: &str, builds: &mut Vec<Build>) -> Result<()> {
    let read = |path: PathBuf| fs::read(&path).with_context(|| format!("read {}", path.display()));
    let blob_path = |digest: &str| {
        let hex = digest.trim_start_matches("sha256:");
        layout.join("blobs/sha256").join(hex)
    };
    let index: Index = serde_json::from_slice(&read(layout.join("index.json"))?)?;
    for tagged in index.manifests {
        let Some(tag) = tagged.annotations.get("org.opencontainers.image.ref.name") else {
            continue;
        };
        let bytes = read(blob_path(&tagged.digest))?;
        let manifest: Manifest = serde_json::from_slice(&bytes)?;
        let mut blobs = Vec::new();
        for layer in manifest.layers {
            let path = blob_path(&layer.digest);
            let source = match layer.size <= 1 << 20 {
                true => Source::Memory(read(path)?.into()),
                false => Source::File(path),
            };
            let is_package = layer
                .media_type
                .starts_with("application/vnd.conda.package.");
            let title = layer.annotations.get("org.opencontainers.image.title");
            blobs.push(Blob {
                file: title.filter(|_| is_package).cloned(),
                digest: layer.digest,
                size: layer.size,
                source,
            });
        }
        builds.push(Build {
            repository: repository.to_owned(),
            tag: tag.clone(),
            manifest: bytes.into(),
            blobs,
        });
    }
    Ok(())
}

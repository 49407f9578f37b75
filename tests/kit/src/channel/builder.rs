//! Collects what a channel shall hold, then writes it.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::{Channel, Listing, MadeFile, document::Spelling};
use crate::package::{MadePackage, PackageSpec, digests_of};

/// A channel to be made.
#[derive(Debug)]
pub struct ChannelBuilder {
    dir: std::path::PathBuf,
    subdirs: BTreeSet<String>,
    packages: Vec<(PackageSpec, Listing)>,
    wheels: Vec<Wheel>,
    info: Vec<(String, String, Value)>,
    top_level: Vec<(String, String, String)>,
    spelling: Spelling,
}

#[derive(Debug)]
struct Wheel {
    name: String,
    version: String,
}

impl ChannelBuilder {
    /// An empty channel in this folder, which is created.
    pub fn new(dir: impl AsRef<Path>) -> Self {
        Self {
            dir: dir.as_ref().to_owned(),
            subdirs: BTreeSet::new(),
            packages: Vec::new(),
            wheels: Vec::new(),
            info: Vec::new(),
            top_level: Vec::new(),
            spelling: Spelling {
                lines: false,
                zst: true,
                from_packages: false,
            },
        }
    }

    /// A subdir that exists even if it has no package.
    pub fn subdir(mut self, subdir: &str) -> Self {
        self.subdirs.insert(subdir.to_owned());
        self
    }

    /// A package, listed as usual.
    pub fn package(self, spec: PackageSpec) -> Self {
        self.package_as(spec, Listing::indexed())
    }

    /// A package, listed in this way.
    pub fn package_as(mut self, spec: PackageSpec, listing: Listing) -> Self {
        self.packages.push((spec, listing));
        self
    }

    /// A file that stands for a wheel in `noarch`, listed below `v3.whl`. Its bytes are no real wheel.
    pub fn wheel(mut self, name: &str, version: &str) -> Self {
        self.wheels.push(Wheel {
            name: name.to_owned(),
            version: version.to_owned(),
        });
        self
    }

    /// A field of a subdir's `info`.
    pub fn info(mut self, subdir: &str, key: &str, value: Value) -> Self {
        self.info.push((subdir.to_owned(), key.to_owned(), value));
        self
    }

    /// `info.base_url` of a subdir: files are fetched from there.
    pub fn base_url(self, subdir: &str, base_url: &str) -> Self {
        self.info(subdir, "base_url", json!(base_url))
    }

    /// A top-level key of a subdir's index; `raw_json` is copied as it stands.
    pub fn top_level(mut self, subdir: &str, key: &str, raw_json: &str) -> Self {
        self.top_level
            .push((subdir.to_owned(), key.to_owned(), raw_json.to_owned()));
        self
    }

    /// No `repodata.json.zst`.
    pub fn without_zst(mut self) -> Self {
        self.spelling.zst = false;
        self
    }

    /// Always a `repodata_from_packages.json`; otherwise only where a file is yanked.
    pub fn with_from_packages(mut self) -> Self {
        self.spelling.from_packages = true;
        self
    }

    /// Indexes with one record a line, for people who read a diff.
    pub fn one_record_a_line(mut self) -> Self {
        self.spelling.lines = true;
        self
    }

    /// Writes the channel.
    pub fn build(self) -> anyhow::Result<Channel> {
        fs::create_dir_all(&self.dir).with_context(|| format!("create {}", self.dir.display()))?;
        let name = self
            .dir
            .file_name()
            .context("a channel folder has a name")?
            .to_string_lossy()
            .into_owned();
        let mut channel = Channel {
            dir: self.dir,
            name,
            files: Vec::new(),
            documents: Default::default(),
            spelling: self.spelling,
        };
        for subdir in &self.subdirs {
            channel.document(subdir);
        }
        for (spec, listing) in self.packages {
            channel.place(spec, listing)?;
        }
        for wheel in self.wheels {
            wheel.place(&mut channel)?;
        }
        for (subdir, key, value) in self.info {
            channel.document(&subdir).set_info(&key, Some(value));
        }
        for (subdir, key, raw_json) in self.top_level {
            channel.document(&subdir).set_top_level(&key, &raw_json);
        }
        for subdir in channel.documents.keys() {
            channel.write_index(subdir)?;
        }
        Ok(channel)
    }
}

impl Wheel {
    fn place(self, channel: &mut Channel) -> anyhow::Result<()> {
        let Self { name, version } = self;
        let build = "py3_none_any_0";
        let file_name = format!("{name}-{version}-{build}.whl");
        let bytes = format!("stands for the wheel of {name} {version}\n").into_bytes();
        let folder = channel.dir.join("noarch");
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        let path = folder.join(&file_name);
        fs::write(&path, &bytes).with_context(|| format!("write {}", path.display()))?;
        let digests = digests_of(bytes.as_slice()).context("hash a wheel")?;
        let record = json!({
            "name": name, "version": version, "build": build, "build_number": 0, "depends": [], "noarch": "python",
            "subdir": "noarch", "sha256": digests.sha256, "size": digests.size, "url": file_name,
        });
        let record: Map<String, Value> = record.as_object().cloned().unwrap_or_default();
        let made = MadePackage {
            subdir: "noarch".to_owned(),
            file_name,
            sha256: digests.sha256,
            md5: digests.md5,
            size: digests.size,
            record,
        };
        channel.document("noarch");
        channel.files.push(MadeFile::new(
            &channel.dir,
            made,
            None,
            Listing::revision3(),
        ));
        Ok(())
    }
}

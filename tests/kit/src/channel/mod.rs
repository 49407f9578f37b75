//! Makes conda channels on disk, as an upstream would serve them, with everything in them that upstreams have.
//!
//! A channel is a folder `<dir>/<subdir>/{repodata.json, repodata.json.zst, repodata_from_packages.json, files…}`.
//! [`Channel::files`] knows the truth about every file; what a mirror did is compared with that.
//!
//! ## The standard channel
//!
//! [`standard`] has one of everything a mirror has to get right, and the run over it ends well: nothing in it fails.
//!
//! | subdir | file | what it is there for |
//! |---|---|---|
//! | linux-64 | `app-1.0-h0_1.conda` | depends on seven others: what a client solves and installs |
//! | linux-64 | `zlib-1.3.1-h0_1.conda`, `.tar.bz2` | both formats of one build; a symbolic link |
//! | linux-64 | `zlib-1.2.13-h0_0.tar.bz2` | an older version, one format only |
//! | linux-64 | `_libgcc_mutex-0.1-main.tar.bz2` | a name with a leading `_` |
//! | linux-64 | `libgcc-14.2.0-h77fa898_1.conda` | `constrains`, `track_features`, `license_family` |
//! | linux-64 | `epoch-1!2.0-h1_0.conda` | a version with `!` |
//! | linux-64 | `local-1.0+cu118-h1_0.conda` | a version with `+` |
//! | linux-64 | `legacy-2.0-0.tar.bz2` | a record with only an md5 |
//! | linux-64 | `oldstyle-1.0-0.tar.bz2` | no `subdir` in its `info/index.json`, no timestamp |
//! | linux-64 | `odd-1.0-0.conda` | record fields nobody knows, numbers and escapes in unusual spelling |
//! | linux-64 | `yanked-0.9-h0_0.conda` | only in `repodata_from_packages.json` |
//! | linux-64 | `future-1.0-h0_0.conda`, `future-1.0-h0_0.tar.bz2` | CEP 48 records below `v3.conda` and `v3.tar.bz2` |
//! | linux-64 | `Capital-1.0-0.conda` | not representable: a name with a capital letter |
//! | linux-64 | `longtag-1.0-<build of 130 letters>.conda` | not representable: a tag of more than 128 characters |
//! | linux-64 | `tilde-1.0-h~1_0.conda` | not representable: a tag with a character that OCI refuses |
//! | noarch | `greeter-1.0-0.conda`, `.tar.bz2` | `noarch: generic`, with a script; both formats |
//! | noarch | `greeter-data-2.0-0.tar.bz2` | a compressible payload of 200 kB |
//! | noarch | `pleasant-1.0-py3_none_any_0.whl` | not representable: a wheel, below `v3.whl` (its bytes are no real wheel) |
//!
//! linux-64's `info` has a `base_url` (`./`) and `repodata_revisions`; both documents have top-level keys nobody knows,
//! one sorted before `info`. A record with no hash at all is not in it (whether such a file may be mirrored is a
//! question of its own): add one with [`Listing::unhashed`].

mod builder;
mod bulk;
mod document;
mod listing;
mod oci_name;
mod sample;
mod standard;
mod synthetic;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde_json::{Map, Value};

use crate::package::{MadePackage, PackageSpec};

pub use builder::ChannelBuilder;
pub use bulk::{bulk, bulk_of};
pub use listing::{Hashes, Listing, Place};
pub use oci_name::{OciName, oci_name};
pub use sample::sample;
pub use standard::standard;
pub use synthetic::synthetic_repodata;

use document::{Spelling, SubdirDocument};

/// One file of a channel and all that is true about it.
#[derive(Debug, Clone)]
pub struct MadeFile {
    /// Its subdir.
    pub subdir: String,
    /// Its file name.
    pub file_name: String,
    /// The sha256 of its bytes, whatever the index says; lower-case hex.
    pub sha256: String,
    /// The md5 of its bytes, whatever the index says; lower-case hex.
    pub md5: String,
    /// Its size in bytes.
    pub size: u64,
    /// Where it lies on disk.
    pub path: PathBuf,
    /// Whether `repodata.json` lists it (in any of its sections).
    pub indexed: bool,
    /// Whether it has a place in the registry layout: [`oci_name`] knows it.
    pub representable: bool,
    /// Where and how the indexes list it.
    pub listing: Listing,
    /// The record before `listing` changed it.
    pub record: Map<String, Value>,
    spec: Option<PackageSpec>,
}

impl MadeFile {
    fn new(dir: &Path, made: MadePackage, spec: Option<PackageSpec>, listing: Listing) -> Self {
        Self {
            path: dir.join(&made.subdir).join(&made.file_name),
            subdir: made.subdir,
            sha256: made.sha256,
            md5: made.md5,
            size: made.size,
            indexed: listing.place != Place::Yanked,
            representable: oci_name(&made.file_name).is_some(),
            file_name: made.file_name,
            listing,
            record: made.record,
            spec,
        }
    }

    /// The bytes on disk now.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        fs::read(&self.path)
    }
}

/// A channel folder that was made, and can be changed as upstreams change. Every change is on disk, indexes included,
/// when the method returns; files are replaced by renaming, so a live server never sends half of one.
#[derive(Debug)]
pub struct Channel {
    /// The folder.
    pub dir: PathBuf,
    /// The folder's last component: the name a mirror gives the channel.
    pub name: String,
    /// Every file, in the order it was added.
    pub files: Vec<MadeFile>,
    documents: BTreeMap<String, SubdirDocument>,
    spelling: Spelling,
}

impl Channel {
    /// The file of this name, in whatever subdir.
    ///
    /// # Panics
    /// If the channel has no such file: a mistake of the test.
    pub fn file(&self, file_name: &str) -> &MadeFile {
        let found = self.files.iter().find(|file| file.file_name == file_name);
        found.unwrap_or_else(|| panic!("channel {} has no file {file_name}", self.name))
    }

    /// The files that a complete mirror of `repodata.json` lists: indexed and representable.
    pub fn mirrored(&self) -> impl Iterator<Item = &MadeFile> {
        self.files
            .iter()
            .filter(|file| file.indexed && file.representable)
    }

    /// The subdirs, `noarch` among them if it was asked for.
    pub fn subdirs(&self) -> impl Iterator<Item = &str> {
        self.documents.keys().map(String::as_str)
    }

    /// Makes one more package and lists it.
    pub fn add(&mut self, spec: PackageSpec, listing: Listing) -> anyhow::Result<&MadeFile> {
        let subdir = spec.home().to_owned();
        self.place(spec, listing)?;
        self.write_index(&subdir)?;
        Ok(self.files.last().expect("a file was just added"))
    }

    /// Makes the package again, with other bytes under the same name; the other files stay as they are.
    pub fn replace(&mut self, file_name: &str) -> anyhow::Result<&MadeFile> {
        let at = self.position(file_name)?;
        let file = &self.files[at];
        let spec = file
            .spec
            .clone()
            .with_context(|| format!("{file_name} is no package that could be made again"))?;
        let edition = spec.current_edition() + 1;
        let spec = spec.edition(edition);
        let made = spec.write(&self.dir.join(&file.subdir))?;
        self.files[at] = MadeFile::new(&self.dir, made, Some(spec), file.listing.clone());
        self.write_index(&self.files[at].subdir)?;
        Ok(&self.files[at])
    }

    /// Takes the file and its records away.
    pub fn remove(&mut self, file_name: &str) -> anyhow::Result<MadeFile> {
        let file = self.files.remove(self.position(file_name)?);
        self.write_index(&file.subdir)?;
        fs::remove_file(&file.path).with_context(|| format!("remove {}", file.path.display()))?;
        Ok(file)
    }

    /// Lists the file in another way: yanked, say, or with only its md5. Its bytes stay.
    pub fn relist(&mut self, file_name: &str, listing: Listing) -> anyhow::Result<()> {
        let at = self.position(file_name)?;
        let file = &mut self.files[at];
        file.indexed = listing.place != Place::Yanked;
        file.listing = listing;
        self.write_index(&self.files[at].subdir)
    }

    /// Sets or removes `info.base_url` of a subdir.
    pub fn set_base_url(&mut self, subdir: &str, base_url: Option<&str>) -> anyhow::Result<()> {
        self.document(subdir)
            .set_info("base_url", base_url.map(Value::from));
        self.write_index(subdir)
    }

    fn position(&self, file_name: &str) -> anyhow::Result<usize> {
        let found = self
            .files
            .iter()
            .position(|file| file.file_name == file_name);
        found.with_context(|| format!("channel {} has no file {file_name}", self.name))
    }

    fn document(&mut self, subdir: &str) -> &mut SubdirDocument {
        self.documents
            .entry(subdir.to_owned())
            .or_insert_with(|| SubdirDocument::new(subdir))
    }

    fn place(&mut self, spec: PackageSpec, listing: Listing) -> anyhow::Result<()> {
        let folder = self.dir.join(spec.home());
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        let made = spec.write(&folder)?;
        self.document(&made.subdir);
        self.files
            .push(MadeFile::new(&self.dir, made, Some(spec), listing));
        Ok(())
    }

    fn write_index(&self, subdir: &str) -> anyhow::Result<()> {
        let document = self
            .documents
            .get(subdir)
            .with_context(|| format!("channel {} has no {subdir}", self.name))?;
        let files: Vec<&MadeFile> = self
            .files
            .iter()
            .filter(|file| file.subdir == subdir)
            .collect();
        document.write(&self.dir.join(subdir), &files, self.spelling)
    }
}

#[cfg(test)]
mod tests;

//! What a package shall be: the builder.

use std::collections::BTreeMap;

/// The archive format of a package file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// A zip of zstandard archives.
    Conda,
    /// The older bzip2 archive.
    TarBz2,
}

impl Format {
    /// The file name extension, without its leading dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Conda => "conda",
            Self::TarBz2 => "tar.bz2",
        }
    }
}

/// What the payload bytes look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// Seeded noise: the archive is about as large as the payload.
    Random,
    /// Numbered lines of text: the archive is far smaller than the payload.
    Compressible,
}

/// One file of the package outside `info/`.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Text(String),
    Script(String),
    Generated { bytes: u64, fill: Fill },
    Link(String),
}

/// A package to be made. Every method that takes `self` returns the changed spec.
#[derive(Debug, Clone)]
pub struct PackageSpec {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) build: String,
    pub(super) build_number: u64,
    pub(super) subdir: String,
    pub(super) noarch: bool,
    pub(super) format: Format,
    pub(super) depends: Vec<String>,
    pub(super) constrains: Vec<String>,
    pub(super) license: String,
    pub(super) summary: String,
    pub(super) timestamp: Option<u64>,
    pub(super) subdir_in_index: bool,
    pub(super) index_fields: BTreeMap<String, serde_json::Value>,
    pub(super) files: BTreeMap<String, Content>,
    pub(super) info_files: BTreeMap<String, Vec<u8>>,
    pub(super) edition: u64,
}

impl PackageSpec {
    /// A `.conda` package for linux-64 with a line of documentation and no payload yet. The build number is the digits
    /// after the last `_` of the build string (the whole string, if it is digits only), else 0.
    pub fn new(name: &str, version: &str, build: &str) -> Self {
        let number = build
            .rsplit('_')
            .next()
            .and_then(|digits| digits.parse().ok());
        let notice = format!("{name} {version}, build {build}: made to try mirrors with.\n");
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            build: build.to_owned(),
            build_number: number.unwrap_or(0),
            subdir: "linux-64".to_owned(),
            noarch: false,
            format: Format::Conda,
            depends: Vec::new(),
            constrains: Vec::new(),
            license: "BSD-3-Clause".to_owned(),
            summary: format!("{name}, a made-up package"),
            timestamp: Some(1_700_000_000_000),
            subdir_in_index: true,
            index_fields: BTreeMap::new(),
            files: BTreeMap::from([(format!("share/doc/{name}/README"), Content::Text(notice))]),
            info_files: BTreeMap::new(),
            edition: 0,
        }
    }

    /// One more dependency, as a match spec (`libgcc >=13`).
    pub fn depends(mut self, spec: &str) -> Self {
        self.depends.push(spec.to_owned());
        self
    }

    /// One more constraint, as a match spec.
    pub fn constrains(mut self, spec: &str) -> Self {
        self.constrains.push(spec.to_owned());
        self
    }

    /// A `noarch: generic` package, in subdir `noarch`.
    pub fn noarch(mut self) -> Self {
        self.noarch = true;
        self.subdir = "noarch".to_owned();
        self
    }

    /// A package for this platform (`linux-64` unless told).
    pub fn subdir(mut self, subdir: &str) -> Self {
        self.subdir = subdir.to_owned();
        self
    }

    /// The archive format.
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// One sentence about the package.
    pub fn summary(mut self, summary: &str) -> Self {
        self.summary = summary.to_owned();
        self
    }

    /// `bytes` of seeded payload at `lib/<name>/<name>.bin`. Over 8 MiB the archive is written with the lowest
    /// compression, so that several hundred megabytes of [`Fill::Random`] take seconds as a `.conda` (bzip2 is slow at
    /// any level).
    pub fn payload(mut self, bytes: u64, fill: Fill) -> Self {
        let path = format!("lib/{0}/{0}.bin", self.name);
        self.files.insert(path, Content::Generated { bytes, fill });
        self
    }

    /// A text file at this path of the environment.
    pub fn text_file(mut self, path: &str, text: &str) -> Self {
        self.files
            .insert(path.to_owned(), Content::Text(text.to_owned()));
        self
    }

    /// An executable script at this path of the environment.
    pub fn script(mut self, path: &str, text: &str) -> Self {
        self.files
            .insert(path.to_owned(), Content::Script(text.to_owned()));
        self
    }

    /// A symbolic link at this path; the target is relative to the link.
    pub fn link(mut self, path: &str, target: &str) -> Self {
        self.files
            .insert(path.to_owned(), Content::Link(target.to_owned()));
        self
    }

    /// One more file below `info/`, or another content for one that is there; `path` starts with `info/`.
    pub fn info_file(mut self, path: &str, bytes: &[u8]) -> Self {
        self.info_files.insert(path.to_owned(), bytes.to_vec());
        self
    }

    /// A field of `info/index.json`, and so of the record, set to this value.
    pub fn index_field(mut self, key: &str, value: serde_json::Value) -> Self {
        self.index_fields.insert(key.to_owned(), value);
        self
    }

    /// When the package says it was built, in Unix milliseconds.
    pub fn timestamp(mut self, milliseconds: u64) -> Self {
        self.timestamp = Some(milliseconds);
        self
    }

    /// A package that does not say when it was built.
    pub fn without_timestamp(mut self) -> Self {
        self.timestamp = None;
        self
    }

    /// Leaves `subdir` out of `info/index.json`, as very old packages do; the record keeps it.
    pub fn without_subdir_in_index(mut self) -> Self {
        self.subdir_in_index = false;
        self
    }

    /// The same name with other bytes: every edition has its own content. The first is 0.
    pub fn edition(mut self, edition: u64) -> Self {
        self.edition = edition;
        self
    }

    /// The edition this spec would make.
    pub fn current_edition(&self) -> u64 {
        self.edition
    }

    /// `<name>-<version>-<build>`.
    pub fn stem(&self) -> String {
        format!("{}-{}-{}", self.name, self.version, self.build)
    }

    /// `<name>-<version>-<build>.<extension>`.
    pub fn file_name(&self) -> String {
        format!("{}.{}", self.stem(), self.format.extension())
    }

    /// The subdir of the channel that the package belongs in.
    pub fn home(&self) -> &str {
        &self.subdir
    }

    /// Bytes of generated payload.
    pub(super) fn payload_bytes(&self) -> u64 {
        let generated = |content: &Content| match content {
            Content::Generated { bytes, .. } => *bytes,
            _ => 0,
        };
        self.files.values().map(generated).sum()
    }
}

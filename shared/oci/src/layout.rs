//! The v0 layout: where a package, an index or a shard lives, decided from names alone.
//!
//! A contract with every client, so nothing here may change for names that exist.

use mirror_channel::name::{ArchiveType, FileName};

/// Media type of every manifest we write.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of the config blob `{}`.
pub const CONFIG: &str = "application/vnd.unknown.config.v1+json";
/// The config blob. Never empty: ECR, Quay and Harbor refuse a config of 0 bytes.
pub const CONFIG_BYTES: &[u8] = b"{}";
/// A `.tar.bz2` package.
pub const PACKAGE_TAR_BZ2: &str = "application/vnd.conda.package.v1";
/// A `.conda` package.
pub const PACKAGE_CONDA: &str = "application/vnd.conda.package.v2";
/// The `info/` folder as tar.gz, members relative to `info/`.
pub const INFO: &str = "application/vnd.conda.info.v1.tar+gzip";
/// `info/index.json`.
pub const INFO_INDEX: &str = "application/vnd.conda.info.index.v1+json";
/// `repodata.json`.
pub const REPODATA: &str = "application/vnd.conda.repodata.v1+json";
/// `repodata.json.zst`.
pub const REPODATA_ZST: &str = "application/vnd.conda.repodata.v1+json+zst";
/// The index of shards.
pub const SHARD_INDEX: &str = "application/vnd.conda.repodata.shards.v1+msgpack+zst";
/// One shard.
pub const SHARD: &str = "application/vnd.conda.repodata.shard.v1+msgpack+zst";
/// The tag of a subdir's published index.
pub const LATEST: &str = "latest";
/// The tag of what `push-cache` added to a subdir's index.
pub const LOCAL: &str = "local";

/// Longest `host/repository` that clients and registries carry, in bytes.
pub const MAX_PATH: usize = 255;

/// A repository (without host) and a tag in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// `[namespace/]channel/subdir/name`.
    pub repository: String,
    /// `version-build`, escaped.
    pub tag: String,
}

/// Why a file has no place in the v0 layout. Reported, never renamed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unrepresentable {
    /// A path component that registries do not take.
    #[error(
        "`{0}` cannot be part of an OCI repository name (lower-case letters, digits, single separators)"
    )]
    Component(String),
    /// A tag that registries do not take.
    #[error(
        "`{0}` cannot be an OCI tag (at most 128 letters, digits, `_`, `.`, `-`; not beginning with `.` or `-`)"
    )]
    Tag(String),
    /// A name that another package's escaped name is the same as.
    #[error("`{0}` is how the layout spells another package's name; the two would share one place")]
    Ambiguous(String),
    /// A path longer than [`MAX_PATH`].
    #[error("`{path}` is {len} bytes long; registries and clients carry at most {MAX_PATH}")]
    TooLong {
        /// Host and repository.
        path: String,
        /// Its length.
        len: usize,
    },
}

/// Everything under one `<registry>[/<namespace>]/<channel>/<subdir>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubdirLayout {
    host: String,
    prefix: String,
}

impl SubdirLayout {
    /// The layout of one subdir. `host` only counts for the length limit (empty for a folder);
    /// `namespace` may be empty.
    ///
    /// # Errors
    /// When a component of namespace, channel or subdir cannot be in a repository name (capitals,
    /// for example): then nothing of the channel can be mirrored.
    pub fn new(
        host: &str,
        namespace: &str,
        channel: &str,
        subdir: &str,
    ) -> Result<Self, Unrepresentable> {
        let prefix = [namespace, channel, subdir]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("/");
        prefix.split('/').try_for_each(checked_component)?;
        let layout = Self {
            host: host.to_owned(),
            prefix,
        };
        layout.checked_length(&layout.shards_repository())?;
        Ok(layout)
    }

    /// The repository of the published index.
    #[must_use]
    pub fn index_repository(&self) -> String {
        format!("{}/repodata.json", self.prefix)
    }

    /// The repository of the shards; each one's tag is the hex of its sha256.
    #[must_use]
    pub fn shards_repository(&self) -> String {
        format!("{}/repodata.json/shards", self.prefix)
    }

    /// Where a package goes, by its file name alone, as clients compute it.
    ///
    /// # Errors
    /// When the name has no valid spelling in OCI.
    pub fn package(&self, file: &FileName) -> Result<Place, Unrepresentable> {
        let version_build = format!("{}-{}", file.version(), file.build());
        if file.name().starts_with("zzz_") {
            return Err(Unrepresentable::Ambiguous(file.name().to_owned()));
        }
        let component = if file.name().starts_with('_') {
            format!("zzz{}", file.name())
        } else {
            file.name().to_owned()
        };
        checked_component(&component)?;
        let repository = format!("{}/{component}", self.prefix);
        self.checked_length(&repository)?;
        let tag = escape_tag(&version_build);
        // `1__p+` would be spelled as `1+p__` is.
        if unescape_tag(&tag) != version_build {
            return Err(Unrepresentable::Ambiguous(version_build));
        }
        if !is_tag(&tag) {
            return Err(Unrepresentable::Tag(tag));
        }
        Ok(Place { repository, tag })
    }

    /// Whether [`package`](Self::package) has a place for the file: the same answer, for millions of files.
    #[must_use]
    pub fn has_place(&self, file: &FileName) -> bool {
        let name = file.name().as_bytes();
        let version_build = &file.stem()[name.len() + 1..];
        let ends = [name.first(), name.last()];
        let is_plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
        // Nothing to escape, and nothing that looks as if it were.
        let spelled = name.iter().all(is_plain)
            && !ends.contains(&Some(&b'-'))
            && is_tag(version_build)
            && !version_build.as_bytes().windows(2).any(|two| two == b"__");
        let fits = self.host.len() + 1 + self.prefix.len() + 1 + name.len() <= MAX_PATH;
        (spelled && fits) || self.package(file).is_ok()
    }

    fn checked_length(&self, repository: &str) -> Result<(), Unrepresentable> {
        let len = self.host.len() + 1 + repository.len();
        if len > MAX_PATH {
            let path = format!("{}/{repository}", self.host);
            return Err(Unrepresentable::TooLong { path, len });
        }
        Ok(())
    }
}

/// The media type of a package layer.
#[must_use]
pub fn package_media_type(archive: ArchiveType) -> &'static str {
    match archive {
        ArchiveType::Conda => PACKAGE_CONDA,
        ArchiveType::TarBz2 => PACKAGE_TAR_BZ2,
    }
}

/// `+`, `!` and `=` as clients spell them in tags.
#[must_use]
pub fn escape_tag(version_build: &str) -> String {
    version_build
        .replace('+', "__p__")
        .replace('!', "__e__")
        .replace('=', "__eq__")
}

/// What a tag is the spelling of.
fn unescape_tag(tag: &str) -> String {
    tag.replace("__p__", "+")
        .replace("__e__", "!")
        .replace("__eq__", "=")
}

/// `^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`.
#[must_use]
pub fn is_tag(text: &str) -> bool {
    text.len() <= MAX_TAG
        && !text.starts_with(['.', '-'])
        && !text.is_empty()
        && text.bytes().all(is_tag_byte)
}

const MAX_TAG: usize = 128;

fn is_tag_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

/// `^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$`, one component of a repository name.
#[must_use]
pub fn is_component(text: &str) -> bool {
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().is_some_and(alphanumeric) && bytes.last().is_some_and(alphanumeric);
    let separators = bytes
        .split(alphanumeric)
        .filter(|separator| !separator.is_empty())
        .all(|separator| match separator {
            b"." | b"_" | b"__" => true,
            run => run.iter().all(|b| *b == b'-'),
        });
    ends && separators
}

fn checked_component(component: &str) -> Result<(), Unrepresentable> {
    if is_component(component) {
        Ok(())
    } else {
        Err(Unrepresentable::Component(component.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn place(file: &str) -> Result<Place, Unrepresentable> {
        let layout = SubdirLayout::new("ghcr.io", "org", "conda-forge", "linux-64").unwrap();
        layout.package(&file.parse::<FileName>().unwrap())
    }

    #[test]
    fn packages_live_where_clients_look_for_them() {
        for (file, repository, tag) in [
            (
                "zlib-1.3.1-h0_1.conda",
                "org/conda-forge/linux-64/zlib",
                "1.3.1-h0_1",
            ),
            (
                "_libgcc_mutex-0.1-main.tar.bz2",
                "org/conda-forge/linux-64/zzz_libgcc_mutex",
                "0.1-main",
            ),
            (
                "a-b-1!2.0+cu12-h1_0.conda",
                "org/conda-forge/linux-64/a-b",
                "1__e__2.0__p__cu12-h1_0",
            ),
            ("x-1=2-0.conda", "org/conda-forge/linux-64/x", "1__eq__2-0"),
        ] {
            let place = place(file).unwrap();
            assert_eq!(
                (place.repository.as_str(), place.tag.as_str()),
                (repository, tag)
            );
        }
    }

    #[test]
    fn names_no_registry_takes_are_told_before_any_request() {
        assert!(matches!(
            place("Foo-1-0.conda"),
            Err(Unrepresentable::Component(_))
        ));
        assert!(matches!(
            place("foo.-1-0.conda"),
            Err(Unrepresentable::Component(_))
        ));
        assert!(matches!(
            place("foo-1~2-0.conda"),
            Err(Unrepresentable::Tag(_))
        ));
        let long = |len| format!("foo-1-{}.conda", "b".repeat(len - 2));
        assert!(place(&long(MAX_TAG)).is_ok());
        assert!(matches!(
            place(&long(MAX_TAG + 1)),
            Err(Unrepresentable::Tag(_))
        ));
        let deep = "n".repeat(230);
        assert!(matches!(
            place(&format!("{deep}-1-0.conda")),
            Err(Unrepresentable::TooLong { .. })
        ));
        assert!(SubdirLayout::new("ghcr.io", "Org", "c", "noarch").is_err());
        assert!(SubdirLayout::new("ghcr.io", "", "c/label/RC", "noarch").is_err());
    }

    #[test]
    fn no_two_files_share_a_place() {
        for file in [
            "zzz_mutex-1-0.conda",
            "a-1__p__2-0.conda",
            "a-1-h__eq__0.conda",
            "a-1__p+-0.conda",
            "a-1-__e_=.conda",
        ] {
            assert!(
                matches!(place(file), Err(Unrepresentable::Ambiguous(_))),
                "{file}"
            );
        }
    }

    #[test]
    fn a_file_has_a_place_if_and_only_if_one_can_be_told() {
        let mut parts: Vec<String> = [
            "a", "a.b", "a_b", "_a", "zzz_a", "A", "a.", "1", "1!2", "1+2", "1=2", "1~2", ".1",
            "a__p__b", "a__b", "p__", "__p", "-",
        ]
        .map(str::to_owned)
        .into();
        parts.extend([60, 61, 62, 63, 64, 120, 124, 125, 126].map(|len| "n".repeat(len)));
        for (host, prefix) in [("", "c"), ("ghcr.io", "conda-forge")] {
            let host = format!("{host}{}", "h".repeat(50));
            let channel = format!("{prefix}{}", "c".repeat(70));
            let layout = SubdirLayout::new(&host, "org", &channel, "linux-64").unwrap();
            let mut places = [0, 0];
            for name in &parts {
                for version in &parts {
                    for build in &parts {
                        let Ok(file) = FileName::parse(&format!("{name}-{version}-{build}.conda"))
                        else {
                            continue;
                        };
                        let has_place = layout.has_place(&file);
                        assert_eq!(has_place, layout.package(&file).is_ok(), "{file}");
                        places[usize::from(has_place)] += 1;
                    }
                }
            }
            assert!(places[0] > 1000 && places[1] > 500, "{places:?}");
        }
    }

    #[test]
    fn components_follow_the_distribution_grammar() {
        for good in ["a", "a.b", "a_b", "a__b", "a---b", "0a", "zzz_openmp_mutex"] {
            assert!(is_component(good), "{good}");
        }
        for bad in [
            "", "_a", "a_", "a___b", "a..b", "a._b", "A", "a/b", "-a", "ä",
        ] {
            assert!(!is_component(bad), "{bad}");
        }
    }
}

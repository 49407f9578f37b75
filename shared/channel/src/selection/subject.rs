//! One record as the patterns see it. Nothing is computed, and no JSON read, before a pattern asks for it.

use std::borrow::Cow;
use std::cell::OnceCell;

use rattler_conda_types::package::BuildString;
use rattler_conda_types::{PackageName, PackageRecord, Version};

use super::facts::Facts;
use super::lower;
use crate::repodata::Record;

/// A record to be matched.
pub(super) struct Subject<'a> {
    record: &'a Record,
    json: &'a [u8],
    name: Cow<'a, str>,
    /// What the file name and the hashes say.
    plain: OnceCell<Package>,
    /// That, and what the JSON says.
    full: OnceCell<Package>,
}

/// A record in rattler's form. What rattler requires and the record does not have is filled with a placeholder, which
/// must not be matched against.
pub(super) struct Package {
    pub(super) record: PackageRecord,
    /// Whether conda can read the version.
    pub(super) has_version: bool,
    /// Whether there is a build number.
    pub(super) has_build_number: bool,
}

impl<'a> Subject<'a> {
    pub(super) fn new(record: &'a Record, json: &'a [u8]) -> Self {
        Self {
            record,
            json,
            name: lower(record.file.name()),
            plain: OnceCell::new(),
            full: OnceCell::new(),
        }
    }

    /// The package's name in lower case.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The file's whole name.
    pub(super) fn file_name(&self) -> &str {
        self.record.file.as_str()
    }

    /// The package, with the fields of its JSON if `with_json`.
    pub(super) fn package(&self, with_json: bool) -> &Package {
        if with_json {
            self.full.get_or_init(|| {
                let mut package = self.read_name();
                let facts = Facts::read(self.json);
                package.has_build_number = facts.build_number.is_some();
                package.record.build_number = facts.build_number.unwrap_or_default();
                package.record.license = facts.license;
                package.record.license_family = facts.license_family;
                package.record.track_features = facts.track_features;
                package.record.flags = facts.flags;
                package
            })
        } else {
            self.plain.get_or_init(|| self.read_name())
        }
    }

    fn read_name(&self) -> Package {
        let file = &self.record.file;
        let version = file.version().parse();
        let has_version = version.is_ok();
        let mut record = PackageRecord::new(
            PackageName::new_unchecked(self.name.as_ref()),
            version.unwrap_or_else(|_| Version::major(0)),
            BuildString::new_unchecked(file.build()),
        );
        record.md5 = self.record.md5.map(Into::into);
        record.sha256 = self.record.sha256.map(Into::into);
        record.size = self.record.size;
        Package {
            record,
            has_version,
            has_build_number: false,
        }
    }
}

//! Makes real conda packages in both archive formats, the same bytes every time.
//!
//! What comes out can be installed by any conda client: `info/index.json`, `about.json`, `files`, `paths.json`
//! (version 1, with the sha256 and size of every path), the recipe and the licence, then the payload. No clock, no
//! random source and no file owner enters the archive, so one spec gives one digest.
//!
//! ```
//! use mirror_kit::package::{Fill, Format, PackageSpec};
//!
//! let spec = PackageSpec::new("zlib", "1.3.1", "h0_1").depends("libgcc >=13").payload(4096, Fill::Random);
//! let (bytes, made) = spec.to_bytes().expect("a package in memory");
//! assert_eq!(made.file_name, "zlib-1.3.1-h0_1.conda");
//! assert_eq!(made.size, bytes.len() as u64);
//! assert_eq!(spec.format(Format::TarBz2).file_name(), "zlib-1.3.1-h0_1.tar.bz2");
//! ```

mod archive;
mod json;
mod metadata;
mod seeded;
mod spec;
mod staging;

pub use archive::MadePackage;
pub(crate) use archive::digests_of;
pub(crate) use json::sorted;
pub(crate) use seeded::Seeded;
pub use spec::{Fill, Format, PackageSpec};

#[cfg(test)]
mod tests;

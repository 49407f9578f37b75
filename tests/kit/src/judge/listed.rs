//! What is asked for, and whether the bytes that came are those that the record lists.

use anyhow::{Context as _, Result, bail, ensure};
use rattler_conda_types::{MatchSpec, ParseMatchSpecOptions, ParseStrictness, RepoDataRecord};
use rattler_digest::{Md5, Sha256, compute_bytes_digest};

pub(super) fn match_specs(specs: &[&str]) -> Result<Vec<MatchSpec>> {
    let options = ParseMatchSpecOptions::from(ParseStrictness::Lenient);
    specs
        .iter()
        .map(|spec| MatchSpec::from_str(spec, options).with_context(|| (*spec).to_owned()))
        .collect()
}

/// # Errors
/// If size or hash are others, or there is no hash.
pub(super) fn check(record: &RepoDataRecord, bytes: &[u8]) -> Result<()> {
    let file = &record.identifier;
    let listed = &record.package_record;
    if let Some(size) = listed.size {
        ensure!(
            size == bytes.len() as u64,
            "{file}: listed {size} bytes, got {}",
            bytes.len()
        );
    }
    match (listed.sha256, listed.md5) {
        (Some(sha256), _) => {
            let got = compute_bytes_digest::<Sha256>(bytes);
            ensure!(
                got == sha256,
                "{file}: listed sha256 {}, got {}",
                hex::encode(sha256),
                hex::encode(got)
            );
        }
        (None, Some(md5)) => {
            let got = compute_bytes_digest::<Md5>(bytes);
            ensure!(
                got == md5,
                "{file}: listed md5 {}, got {}",
                hex::encode(md5),
                hex::encode(got)
            );
        }
        (None, None) => bail!("{file} is listed without a hash"),
    }
    Ok(())
}

//! Generated indexes, read and changed by the way in which the kit spells all their records.

use std::collections::BTreeSet;

use memchr::memmem;
use mirror_ledger::FileOutcome;

/// Of so many names one changes between two publications.
const ONE_IN: usize = 100;

/// The files of a generated index; its records are all spelled in one way.
pub(super) fn files(index: &[u8]) -> impl Iterator<Item = (String, FileOutcome)> {
    memmem::find_iter(index, br#"":{"arch":""#).filter_map(|end| {
        let start = memchr::memrchr(b'"', &index[..end])? + 1;
        let record = &index[end..];
        let sha256 = after(record, br#""sha256":""#)?;
        let size = after(sha256, br#""size":"#)?;
        let digits = size.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let outcome = FileOutcome::Done {
            sha256: hex::decode(sha256.get(..64)?).ok()?.try_into().ok()?,
            md5: None,
            size: std::str::from_utf8(&size[..digits]).ok()?.parse().ok()?,
        };
        Some((String::from_utf8(index[start..end].to_vec()).ok()?, outcome))
    })
}

fn after<'a>(bytes: &'a [u8], needle: &[u8]) -> Option<&'a [u8]> {
    Some(&bytes[memmem::find(bytes, needle)? + needle.len()..])
}

/// Gives another licence to the records of every hundredth name, counted from `round`; no byte moves.
/// Gives the number of names.
pub(super) fn patch(index: &mut [u8], round: usize) -> usize {
    const LICENSE: &[u8] = br#""license":"BSD-"#;
    // From the licence's number to the name, which begins with its own number in four letters.
    const TO_NAME: usize = br#"3-Clause","license_family":"BSD","md5":"","name":""#.len() + 32;
    let places: Vec<usize> = memmem::find_iter(index, LICENSE)
        .map(|at| at + LICENSE.len())
        .collect();
    let mut names = BTreeSet::new();
    for at in places {
        let letters = index[at + TO_NAME..].iter().take(4);
        let number = letters.fold(0, |number, letter| {
            number * 26 + usize::from(letter.wrapping_sub(b'a'))
        });
        if number % ONE_IN == round % ONE_IN {
            index[at] = b'2';
            names.insert(number);
        }
    }
    names.len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    use mirror_kit::channel::synthetic_repodata;

    #[test]
    fn a_generated_index_is_read_and_patched_as_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("repodata.json");
        synthetic_repodata(&path, 10_000).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let before: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let read: Vec<_> = files(&bytes).collect();
        assert_eq!(read.len(), 10_000);
        for (name, outcome) in &read {
            let section = if name.ends_with(".conda") {
                "packages.conda"
            } else {
                "packages"
            };
            let FileOutcome::Done { sha256, size, .. } = outcome else {
                panic!("{name} is done");
            };
            let record = &before[section][name];
            assert_eq!(
                (&record["sha256"], &record["size"]),
                (&hex::encode(sha256).into(), &(*size).into())
            );
        }

        assert_eq!(patch(&mut bytes, 4), 3, "4, 104 and 204 of 304 names");
        let after: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let mut names = BTreeSet::new();
        for section in ["packages", "packages.conda"] {
            for (file, record) in before[section].as_object().unwrap() {
                if after[section][file] != *record {
                    names.insert(record["name"].as_str().unwrap());
                    assert_eq!(after[section][file]["sha256"], record["sha256"]);
                }
            }
        }
        assert_eq!(names.len(), 3);
    }
}

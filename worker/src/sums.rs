//! The hashes of a file as its bytes come, and whether they are those of its record.

use mirror_oci::package::Wanted;
use rattler_digest::digest::Digest as _;
use rattler_digest::{Md5, Sha256};

/// Hashes under way.
pub(crate) struct Sums {
    sha256: Sha256,
    /// It costs several times as much as a sha256, so only where it is needed.
    md5: Option<Md5>,
    /// The record's, where its sha256 vouches for the bytes.
    stated: [u8; 16],
}

/// The hashes of a whole file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hashes {
    pub sha256: [u8; 32],
    /// The file's, or its record's where the record has a sha256 as well.
    pub md5: [u8; 16],
}

impl Sums {
    pub(crate) fn of(wanted: &Wanted) -> Self {
        let stated = wanted.md5.filter(|_| wanted.sha256.is_some());
        Self {
            sha256: Sha256::new(),
            md5: stated.is_none().then(Md5::new),
            stated: stated.unwrap_or_default(),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
    }

    pub(crate) fn finish(self) -> Hashes {
        Hashes {
            sha256: self.sha256.finalize().into(),
            md5: self.md5.map_or(self.stated, |md5| md5.finalize().into()),
        }
    }
}

/// What differs if a file of `size` bytes is not what its record says.
pub(crate) fn difference(wanted: &Wanted, size: u64, came: &Hashes) -> Result<(), String> {
    if let Some(expected) = wanted.size.filter(|expected| *expected != size) {
        return Err(format!("{size} bytes came, its record says {expected}"));
    }
    let differs = |name, came: &[u8], expected: &[u8]| {
        let (came, expected) = (hex::encode(came), hex::encode(expected));
        Err(format!("{name} is {came}, its record says {expected}"))
    };
    match (wanted.sha256, wanted.md5) {
        (Some(expected), _) if expected != came.sha256 => {
            differs("sha256", &came.sha256, &expected)
        }
        (None, Some(expected)) if expected != came.md5 => differs("md5", &came.md5, &expected),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rattler_digest::{compute_bytes_digest, parse_digest_from_hex};

    const CONTENT: &[u8] = b"content";

    fn wanted(sha256: bool, md5: Option<[u8; 16]>) -> Wanted {
        let hash: [u8; 32] = compute_bytes_digest::<Sha256>(CONTENT).into();
        Wanted {
            file: "a-1-0.conda".parse().unwrap(),
            sha256: sha256.then_some(hash),
            md5,
            size: Some(CONTENT.len() as u64),
        }
    }

    fn came(wanted: &Wanted) -> Hashes {
        let mut sums = Sums::of(wanted);
        let (first, rest) = CONTENT.split_at(3);
        sums.update(first);
        sums.update(rest);
        sums.finish()
    }

    #[test]
    fn an_md5_is_the_files_unless_a_sha256_vouches_for_the_records() {
        let own: [u8; 16] = parse_digest_from_hex::<Md5>("9a0364b9e99bb480dd25e1f0284c8555")
            .unwrap()
            .into();
        let stated = Some([7; 16]);
        assert_eq!(came(&wanted(true, None)).md5, own);
        assert_eq!(came(&wanted(false, None)).md5, own);
        assert_eq!(came(&wanted(false, stated)).md5, own);
        assert_eq!(came(&wanted(true, stated)).md5, [7; 16]);
    }

    #[test]
    fn what_differs_is_told_by_the_strongest_hash_of_the_record() {
        let told = |wanted: &Wanted| {
            let size = CONTENT.len() as u64;
            difference(wanted, size, &came(wanted))
                .err()
                .unwrap_or_default()
        };
        assert_eq!(told(&wanted(true, Some([7; 16]))), "");
        assert_eq!(told(&wanted(false, None)), "");
        assert!(told(&wanted(false, Some([7; 16]))).starts_with("md5 is 9a03"));
        let mut other = wanted(true, None);
        other.sha256 = Some([7; 32]);
        assert!(told(&other).starts_with("sha256 is "));
        let short = difference(&other, 3, &came(&other)).unwrap_err();
        assert_eq!(short, "3 bytes came, its record says 7");
    }
}

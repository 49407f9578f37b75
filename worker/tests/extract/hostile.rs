//! Whatever the bytes: an answer, within bounds, and no panic.

use std::io::Read as _;
use std::sync::LazyLock;

use mirror_channel::name::ArchiveType::{self, Conda, TarBz2};
use mirror_kit::package::{Format, PackageSpec};
use mirror_worker::extract::InfoLimits;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::make::{bytes, bz2, conda, take_within};

const LIMITS: InfoLimits = InfoLimits {
    entries: 1000,
    members: 100,
    info_bytes: 256 << 10,
    index_bytes: 16 << 10,
    header_bytes: 16 << 10,
    unpacked_bytes: 1 << 20,
};

fn package(format: Format) -> Vec<u8> {
    let spec = PackageSpec::new("zlib", "1.3.1", "h0_1").format(format);
    spec.to_bytes().unwrap().0
}

static PACKAGES: LazyLock<[(Vec<u8>, ArchiveType); 2]> = LazyLock::new(|| {
    [
        (package(Format::Conda), Conda),
        (package(Format::TarBz2), TarBz2),
    ]
});

static TAR: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut tar = Vec::new();
    let package = &PACKAGES[1].0;
    bzip2::read::BzDecoder::new(package.as_slice())
        .read_to_end(&mut tar)
        .unwrap();
    tar
});

/// A change to some bytes.
#[derive(Debug, Clone)]
enum Damage {
    Byte(Index, u8),
    /// What a number field is most easily broken with.
    Ones(Index),
    Cut(Index),
    Remove(Index, usize),
    Repeat(Index, usize),
}

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Self::Byte(at, byte)),
            2 => any::<Index>().prop_map(Self::Ones),
            1 => any::<Index>().prop_map(Self::Cut),
            1 => (any::<Index>(), 1_usize..600).prop_map(|(at, len)| Self::Remove(at, len)),
            1 => (any::<Index>(), 1_usize..600).prop_map(|(at, len)| Self::Repeat(at, len)),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let all = bytes.len();
        let end = |at: usize, len: usize| (at + len).min(all);
        match self {
            Self::Byte(at, byte) => *at.get_mut(bytes) = *byte,
            Self::Ones(at) => {
                let at = at.index(bytes.len());
                let end = end(at, 8);
                bytes[at..end].fill(0xff);
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Remove(at, len) => {
                let at = at.index(bytes.len());
                let end = end(at, *len);
                bytes.drain(at..end);
            }
            Self::Repeat(at, len) => {
                let at = at.index(bytes.len());
                let again = bytes[at..end(at, *len)].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    prop::collection::vec(Damage::any(), 1..6)
}

fn answers_within_bounds(package: &[u8], archive: ArchiveType) {
    if let Ok(info) = take_within(package, archive, &LIMITS) {
        assert!(bytes(&info.index.body).len() as u64 <= 2 * LIMITS.index_bytes);
        // Headers of its members, and a little for what gzip cannot shrink.
        assert!(info.archive.body.len() <= 2 * LIMITS.unpacked_bytes);
    }
}

proptest! {
    #[test]
    fn random_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        for archive in [Conda, TarBz2] {
            answers_within_bounds(&bytes, archive);
        }
    }

    #[test]
    fn random_bytes_inside_a_right_wrapping_get_an_answer(
        bytes in prop::collection::vec(any::<u8>(), 0..4096),
    ) {
        answers_within_bounds(&bz2(&bytes), TarBz2);
        answers_within_bounds(&conda(&bytes), Conda);
    }

    #[test]
    fn damaged_packages_get_an_answer(damages in damages()) {
        for (package, archive) in &*PACKAGES {
            let mut package = package.clone();
            damages.iter().for_each(|damage| damage.apply(&mut package));
            answers_within_bounds(&package, *archive);
        }
    }

    #[test]
    fn damaged_archives_inside_a_right_wrapping_get_an_answer(
        damages in damages(),
        mended in any::<bool>(),
    ) {
        let mut tar = TAR.clone();
        damages.iter().for_each(|damage| damage.apply(&mut tar));
        if mended {
            mend_checksums(&mut tar);
        }
        answers_within_bounds(&bz2(&tar), TarBz2);
        answers_within_bounds(&conda(&tar), Conda);
    }
}

/// Gives every block that looks like a header a right checksum, so that the damage is looked at.
fn mend_checksums(tar: &mut [u8]) {
    for block in tar.chunks_exact_mut(512) {
        if block[257..262] == *b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}

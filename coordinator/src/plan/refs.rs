//! A planned file in 32 bytes, and how files are grouped into builds.

use mirror_channel::name::ArchiveType;

/// What is to become of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// To be brought to the destination.
    Transfer,
    /// Held already.
    Keep,
    /// Failed in an earlier run, not long enough ago to be tried again.
    Rest,
    /// Listed by a foreign index: to be looked for, never brought.
    Check,
}

/// Which index a record stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    /// `repodata.json`.
    Current,
    /// `repodata_from_packages.json` only: yanked, archived but not published.
    Archive,
}

/// A file of the plan: which build, where its record stands, how large it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileRef {
    /// Hash of `name-version-build`. Two builds with one hash, of which a channel of millions has none, would be one.
    pub stem: u64,
    /// Size in bytes, 0 if the record does not say.
    pub size: u64,
    /// Where its record stands: the offset, and eight bits of the rest of [`Place`] and of the fate.
    packed: u64,
    /// Number of the package name.
    pub name: u32,
}

/// Where a record stands, and what that says of its file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub offset: u64,
    pub listing: Listing,
    pub archive: ArchiveType,
    pub v3: bool,
    /// Whether it says a hash of the file.
    pub hashed: bool,
}

const ARCHIVE_LISTING: u64 = 1;
const CONDA: u64 = 1 << 1;
const V3: u64 = 1 << 2;
const FATE_SHIFT: u32 = 3;
const UNHASHED: u64 = 1 << 5;
const OFFSET_SHIFT: u32 = 8;

impl FileRef {
    pub(crate) fn new(stem: u64, name: u32, size: u64, place: Place, fate: Fate) -> Self {
        let mut packed = place.offset << OFFSET_SHIFT | (fate as u64) << FATE_SHIFT;
        if place.listing == Listing::Archive {
            packed |= ARCHIVE_LISTING;
        }
        if place.archive == ArchiveType::Conda {
            packed |= CONDA;
        }
        if place.v3 {
            packed |= V3;
        }
        if !place.hashed {
            packed |= UNHASHED;
        }
        Self {
            stem,
            size,
            packed,
            name,
        }
    }

    pub(crate) fn offset(self) -> u64 {
        self.packed >> OFFSET_SHIFT
    }

    pub(crate) fn listing(self) -> Listing {
        if self.packed & ARCHIVE_LISTING == 0 {
            Listing::Current
        } else {
            Listing::Archive
        }
    }

    pub(crate) fn archive(self) -> ArchiveType {
        if self.packed & CONDA == 0 {
            ArchiveType::TarBz2
        } else {
            ArchiveType::Conda
        }
    }

    pub(crate) fn is_v3(self) -> bool {
        self.packed & V3 != 0
    }

    pub(crate) fn fate(self) -> Fate {
        match (self.packed >> FATE_SHIFT) & 0b11 {
            0 => Fate::Transfer,
            1 => Fate::Keep,
            2 => Fate::Rest,
            _ => Fate::Check,
        }
    }

    /// A failure that rests is tried again.
    fn wake(&mut self) {
        if self.fate() == Fate::Rest {
            self.packed &= !(0b11 << FATE_SHIFT);
            self.packed |= (Fate::Transfer as u64) << FATE_SHIFT;
        }
    }

    /// When its build's turn is: the current listing first, each in its order.
    fn turn(self) -> u64 {
        (self.packed & ARCHIVE_LISTING) << 63 | self.offset()
    }

    /// Whether the file gives its build a reason to be queued.
    fn is_work(self) -> bool {
        matches!(self.fate(), Fate::Transfer | Fate::Check)
    }
}

/// A stretch of the sorted refs: the files of one build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BuildRef {
    pub start: u32,
    pub len: u32,
}

/// Files grouped into builds.
#[derive(Debug, Default)]
pub(crate) struct Grouped {
    /// All files, those of a build side by side, each once.
    pub refs: Vec<FileRef>,
    /// Builds with something to do, in the order of the index.
    pub work: Vec<BuildRef>,
    /// Builds with nothing to do now, in no order.
    pub idle: Vec<BuildRef>,
}

/// Groups `refs` by build.
pub(crate) fn group(mut refs: Vec<FileRef>) -> Grouped {
    // A file that is listed twice (in both listings, in `packages.conda` and `v3`, or under a repeated key) is one
    // file: the current listing's counts, of two there one with a hash, and of those the first.
    // Nearly all are alone in their build: the rest of the order is only for the others.
    refs.sort_unstable_by_key(|file| file.stem);
    for build in refs.chunk_by_mut(|a, b| a.stem == b.stem) {
        build.sort_unstable_by_key(|file| {
            (
                file.packed & CONDA,
                file.packed & ARCHIVE_LISTING,
                file.packed & UNHASHED,
                file.offset(),
            )
        });
    }
    refs.dedup_by_key(|file| (file.stem, file.packed & CONDA));
    for build in refs.chunk_by_mut(|a, b| a.stem == b.stem) {
        // A resting failure whose build is queued anyway is tried along with it.
        if build.iter().any(|file| file.is_work()) {
            build.iter_mut().for_each(FileRef::wake);
        }
    }
    let (mut work, mut idle) = (Vec::new(), Vec::new());
    let mut start = 0;
    for build in refs.chunk_by(|a, b| a.stem == b.stem) {
        let len = u32::try_from(build.len()).expect("a build has a handful of files");
        let target = if build.iter().any(|file| file.is_work()) {
            &mut work
        } else {
            &mut idle
        };
        target.push((build[0].turn(), BuildRef { start, len }));
        start += len;
    }
    work.sort_unstable_by_key(|(turn, _)| *turn);
    let builds = |turns: Vec<(u64, BuildRef)>| {
        let mut builds: Vec<BuildRef> = turns.into_iter().map(|(_, build)| build).collect();
        // It may have come to be in the place of the larger list.
        builds.shrink_to_fit();
        builds
    };
    Grouped {
        work: builds(work),
        idle: builds(idle),
        refs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(stem: u64, offset: u64, listing: Listing, archive: ArchiveType, fate: Fate) -> FileRef {
        let place = Place {
            offset,
            listing,
            archive,
            v3: false,
            hashed: true,
        };
        FileRef::new(stem, 0, 1, place, fate)
    }

    #[test]
    fn a_ref_gives_back_what_was_packed() {
        for fate in [Fate::Transfer, Fate::Keep, Fate::Rest, Fate::Check] {
            let place = Place {
                offset: 1 << 40,
                listing: Listing::Archive,
                archive: ArchiveType::Conda,
                v3: true,
                hashed: false,
            };
            let packed = FileRef::new(7, 3, 9, place, fate);
            assert_eq!(packed.fate(), fate);
            assert_eq!(packed.offset(), 1 << 40);
            assert_eq!(packed.listing(), Listing::Archive);
            assert_eq!(packed.archive(), ArchiveType::Conda);
            assert!(packed.is_v3());
        }
        assert_eq!(size_of::<FileRef>(), 32);
    }

    #[test]
    fn of_two_records_of_a_file_the_one_with_a_hash_counts() {
        let record = |offset, hashed| {
            let place = Place {
                offset,
                listing: Listing::Current,
                archive: ArchiveType::Conda,
                v3: false,
                hashed,
            };
            FileRef::new(1, 0, 1, place, Fate::Transfer)
        };
        let grouped = group(vec![record(10, false), record(90, true), record(50, false)]);
        let offsets: Vec<u64> = grouped.refs.iter().map(|file| file.offset()).collect();
        assert_eq!(offsets, [90]);
    }

    #[test]
    fn formats_of_a_build_meet_and_idle_builds_stay_out_of_the_work() {
        use ArchiveType::{Conda, TarBz2};
        use Listing::{Archive, Current};
        let grouped = group(vec![
            file(1, 500, Current, Conda, Fate::Keep),
            file(2, 10, Current, TarBz2, Fate::Keep),
            file(1, 20, Current, TarBz2, Fate::Transfer),
            file(1, 20, Archive, TarBz2, Fate::Transfer),
            file(3, 5, Archive, Conda, Fate::Transfer),
            file(3, 9, Archive, Conda, Fate::Keep),
            file(3, 3, Archive, TarBz2, Fate::Rest),
            file(4, 40, Current, TarBz2, Fate::Rest),
        ]);
        assert_eq!(grouped.refs.len(), 6, "a file named twice is one file");
        assert_eq!(grouped.idle.len(), 2);
        let resting = |file: &&FileRef| file.fate() == Fate::Rest;
        let resting: Vec<u64> = grouped
            .refs
            .iter()
            .filter(resting)
            .map(|f| f.stem)
            .collect();
        assert_eq!(resting, [4], "a failure is tried along with its build");
        let builds = grouped.work.iter();
        let builds = builds.map(|build| (grouped.refs[build.start as usize].stem, build.len));
        let builds: Vec<(u64, u32)> = builds.collect();
        assert_eq!(builds, [(1, 2), (3, 2)], "current builds first");
    }
}

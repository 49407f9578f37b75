//! A `repodata.json` as large as anyone's, with no files behind it.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use crate::package::Seeded;

/// Records of one name: conda-forge has about 30,000 names for a million records.
const PER_NAME: u64 = 33;
/// Of these, the older ones are `.tar.bz2`.
const TAR_BZ2_PER_NAME: u64 = 8;

const STARTS: [&str; 16] = [
    "lib", "py", "r-", "node", "rust-", "go-", "qt", "geo", "bio", "data", "web", "cloud", "open",
    "fast", "micro", "x",
];
const WORDS: [&str; 24] = [
    "array", "brick", "cache", "delta", "ember", "flow", "graph", "hash", "index", "jet", "kernel",
    "lens", "matrix", "node", "orbit", "parse", "query", "ring", "stream", "tensor", "unit",
    "vector", "wave", "zone",
];

/// Writes a linux-64 index of `n_records` records of about 480 bytes each, in one line, sorted as indexers sort, in
/// constant memory. The same `n_records` gives the same bytes.
pub fn synthetic_repodata(path: impl AsRef<Path>, n_records: u64) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    out.write_all(br#"{"info":{"subdir":"linux-64"},"packages":{"#)?;
    section(&mut out, n_records, "tar.bz2", 0..TAR_BZ2_PER_NAME)?;
    out.write_all(br#"},"packages.conda":{"#)?;
    section(&mut out, n_records, "conda", TAR_BZ2_PER_NAME..PER_NAME)?;
    out.write_all(br#"},"removed":[],"repodata_version":1}"#)?;
    out.flush()
}

fn section(
    out: &mut impl Write,
    n_records: u64,
    extension: &str,
    builds: std::ops::Range<u64>,
) -> io::Result<()> {
    let mut first = true;
    for index in 0..n_records.div_ceil(PER_NAME) {
        for build in builds.clone() {
            if index * PER_NAME + build >= n_records {
                break;
            }
            if !first {
                out.write_all(b",")?;
            }
            first = false;
            record(out, index, build, extension)?;
        }
    }
    Ok(())
}

/// Names begin with their number in letters, so that writing them in turn is writing them sorted.
fn name_of(index: u64) -> String {
    let mut seeded = Seeded::new(index);
    let mut pick = |words: &[&'static str]| words[seeded.below(words.len() as u64) as usize];
    let (start, word) = (pick(&STARTS), pick(&WORDS));
    let letter = |place: u32| char::from(b'a' + (index / 26_u64.pow(place) % 26) as u8);
    let prefix: String = (0..4).rev().map(letter).collect();
    format!("{prefix}-{start}{word}")
}

fn record(out: &mut impl Write, index: u64, build: u64, extension: &str) -> io::Result<()> {
    let mut seeded = Seeded::new(index * PER_NAME + build + 1);
    let name = name_of(index);
    let version = format!(
        "{}.{:02}.{}",
        1 + build / 10,
        build % 10 + 10,
        seeded.below(10)
    );
    let number = seeded.below(4);
    let hash = format!("{:08x}", seeded.next() & 0xffff_ffff);
    let text = format!("py3{}h{}_{number}", 8 + seeded.below(6), &hash[..7]);
    let mut hex = [0; 48];
    seeded.fill(&mut hex);
    let (md5, sha256) = (hex::encode(&hex[..16]), hex::encode(&hex[16..]));
    let size = 10_000 + seeded.below(14_000_000);
    let timestamp = 1_500_000_000_000 + (build * 8_000_000_000) + seeded.below(4_000_000_000);
    let (needs, also) = (
        name_of(seeded.below(index + 1)),
        name_of(seeded.below(index + 1)),
    );
    write!(
        out,
        concat!(
            r#""{name}-{version}-{text}.{extension}":{{"arch":"x86_64","build":"{text}","build_number":{number},"#,
            r#""depends":["__glibc >=2.17,<3.0.a0","libgcc >=13","{needs} >=1.0,<5.0a0","{also}"],"#,
            r#""license":"BSD-3-Clause","license_family":"BSD","md5":"{md5}","name":"{name}","platform":"linux","#,
            r#""sha256":"{sha256}","size":{size},"subdir":"linux-64","timestamp":{timestamp},"version":"{version}"}}"#
        ),
        name = name,
        version = version,
        text = text,
        extension = extension,
        number = number,
        needs = needs,
        also = also,
        md5 = md5,
        sha256 = sha256,
        size = size,
        timestamp = timestamp,
    )
}

//! A `.tar.bz2` as old tools wrote them: `info/` at its end, behind everything else.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bzip2::Compression;
use bzip2::read::BzDecoder;
use bzip2::write::BzEncoder;
use mirror_kit::channel::{Channel, ChannelBuilder};
use mirror_kit::package::{Format, PackageSpec};
use rattler_digest::{Md5, Sha256, compute_file_digest};
use tar::{Archive, Builder, EntryType, Header};

/// Makes a channel of one such package with `bytes` of noise, and says where it is, with its sha256.
///
/// # Errors
/// If it cannot be written.
pub(super) fn info_last(dir: &Path, bytes: u64) -> Result<(Channel, String)> {
    let spec = PackageSpec::new("last", "1.0", "0").format(Format::TarBz2);
    let channel = ChannelBuilder::new(dir)
        .without_zst()
        .package(spec)
        .build()?;
    let small = &channel.files[0];
    let target = small.path.with_extension("part");
    write(&small.path, &target, bytes)?;
    let sha256 = hex::encode(compute_file_digest::<Sha256>(&target)?);
    let md5 = hex::encode(compute_file_digest::<Md5>(&target)?);
    let size = fs::metadata(&target)?.len();
    fs::rename(&target, &small.path)?;
    let index = dir.join("linux-64/repodata.json");
    let text = fs::read_to_string(&index)?
        .replace(&small.sha256, &sha256)
        .replace(&small.md5, &md5)
        .replace(
            &format!("\"size\":{}", small.size),
            &format!("\"size\":{size}"),
        );
    fs::write(&index, text)?;
    Ok((channel, sha256))
}

fn write(small: &Path, target: &Path, bytes: u64) -> Result<()> {
    let out = BzEncoder::new(File::create(target)?, Compression::fast());
    let mut builder = Builder::new(out);
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(bytes);
    builder.append_data(&mut header, "lib/last/last.bin", Noise(1).take(bytes))?;
    for info in [false, true] {
        let mut archive = Archive::new(BzDecoder::new(File::open(small)?));
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = entry.path()?.into_owned();
            if path.starts_with("info") == info {
                let mut header = entry.header().clone();
                builder.append_data(&mut header, path, &mut entry)?;
            }
        }
    }
    builder
        .into_inner()?
        .finish()?
        .flush()
        .context("finish the package")
}

/// How long one core takes to unpack a file, doing nothing with it.
///
/// # Errors
/// If it is no bzip2.
pub(super) fn unpack(path: &Path) -> Result<Duration> {
    let started = Instant::now();
    io::copy(
        &mut BzDecoder::new(BufReader::new(File::open(path)?)),
        &mut io::sink(),
    )?;
    Ok(started.elapsed())
}

/// Bytes that do not compress (xorshift, Marsaglia 2003).
struct Noise(u64);

impl io::Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for chunk in buffer.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            chunk.copy_from_slice(&self.0.to_le_bytes()[..chunk.len()]);
        }
        Ok(buffer.len())
    }
}

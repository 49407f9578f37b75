//! Lays a package out in a scratch folder, the way the archive writers want it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use anyhow::Context;
use rattler_digest::{HashingWriter, Sha256, compute_bytes_digest};

use super::{
    Fill, PackageSpec, Seeded,
    metadata::{PathEntry, info_files},
    spec::Content,
};

/// Noise is repeated after this many bytes, with a counter in each round: far outside the window of the compressors
/// at the levels used here, and generated only once.
const NOISE_PERIOD: usize = 4 << 20;

/// Writes every file of the package below `root`; yields their absolute paths.
pub(super) fn stage(spec: &PackageSpec, root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut staged = Vec::new();
    let mut entries = BTreeMap::new();
    for (path, content) in &spec.files {
        let target = place(root, path)?;
        let entry = write_content(spec, path, content, &target)
            .with_context(|| format!("write {path} of {}", spec.stem()))?;
        entries.insert(path.clone(), entry);
        staged.push(target);
    }
    resolve_links(spec, &mut entries);
    let entries: Vec<PathEntry> = entries.into_values().collect();
    for (path, bytes) in info_files(spec, &entries) {
        let target = place(root, &path)?;
        fs::write(&target, bytes).with_context(|| format!("write {path} of {}", spec.stem()))?;
        staged.push(target);
    }
    Ok(staged)
}

fn place(root: &Path, path: &str) -> anyhow::Result<PathBuf> {
    let target = root.join(path);
    let folder = target.parent().context("a package path has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    Ok(target)
}

fn write_content(
    spec: &PackageSpec,
    path: &str,
    content: &Content,
    target: &Path,
) -> io::Result<PathEntry> {
    let entry = |kind, sha256: Option<String>, size| PathEntry {
        path: path.to_owned(),
        kind,
        sha256,
        size,
    };
    match content {
        Content::Text(text) | Content::Script(text) => {
            fs::write(target, text)?;
            if matches!(content, Content::Script(_)) {
                fs::set_permissions(target, fs::Permissions::from_mode(0o755))?;
            }
            let sha256 = hex::encode(compute_bytes_digest::<Sha256>(text.as_bytes()));
            Ok(entry("hardlink", Some(sha256), text.len() as u64))
        }
        Content::Generated { bytes, fill } => {
            let seeded = Seeded::for_text(&spec.stem(), spec.edition);
            let mut out = HashingWriter::<_, Sha256>::new(BufWriter::new(File::create(target)?));
            match fill {
                Fill::Random => write_noise(&mut out, seeded, *bytes)?,
                Fill::Compressible => write_lines(&mut out, seeded, *bytes)?,
            }
            let (mut out, sha256) = out.finalize();
            out.flush()?;
            Ok(entry("hardlink", Some(hex::encode(sha256)), *bytes))
        }
        Content::Link(to) => {
            symlink(to, target)?;
            Ok(entry("softlink", None, 0))
        }
    }
}

/// A link's line carries the hash and size of what it leads to, if that is in the same folder of the package.
fn resolve_links(spec: &PackageSpec, entries: &mut BTreeMap<String, PathEntry>) {
    for (path, content) in &spec.files {
        let Content::Link(to) = content else { continue };
        let beside = path
            .rsplit_once('/')
            .map_or_else(|| to.clone(), |(folder, _)| format!("{folder}/{to}"));
        let Some((sha256, size)) = entries
            .get(&beside)
            .map(|entry| (entry.sha256.clone(), entry.size))
        else {
            continue;
        };
        if let Some(link) = entries.get_mut(path) {
            link.sha256 = sha256;
            link.size = size;
        }
    }
}

fn write_noise(out: &mut impl Write, mut seeded: Seeded, bytes: u64) -> io::Result<()> {
    let mut noise =
        vec![0; usize::try_from(bytes).map_or(NOISE_PERIOD, |bytes| bytes.min(NOISE_PERIOD))];
    seeded.fill(&mut noise);
    let mut left = bytes;
    let mut round = 0_u64;
    while left > 0 {
        if round > 0 {
            noise[..8].copy_from_slice(&round.to_le_bytes());
        }
        let part = usize::try_from(left).map_or(noise.len(), |left| left.min(noise.len()));
        out.write_all(&noise[..part])?;
        left -= part as u64;
        round += 1;
    }
    Ok(())
}

fn write_lines(out: &mut impl Write, mut seeded: Seeded, bytes: u64) -> io::Result<()> {
    let mark = seeded.next();
    let mut left = bytes;
    for number in 0_u64.. {
        let line = format!("{mark:016x} line {number:012} of a payload that compresses well\n");
        let part = usize::try_from(left).map_or(line.len(), |left| left.min(line.len()));
        out.write_all(&line.as_bytes()[..part])?;
        left -= part as u64;
        if left == 0 {
            break;
        }
    }
    Ok(())
}

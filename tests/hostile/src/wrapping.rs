//! Packages around any bytes: what is inside is looked at, not how it is packed.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;

/// A `.conda` with this tar archive as its info.
#[must_use]
pub fn conda(tar: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("info-a-1-0.tar.zst", stored).unwrap();
    zip.write_all(&zstd::bulk::compress(tar, 1).unwrap())
        .unwrap();
    zip.finish().unwrap().into_inner()
}

/// A `.tar.bz2` of this tar archive.
#[must_use]
pub fn tar_bz2(tar: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(tar).unwrap();
    encoder.finish().unwrap()
}

/// A tar archive of files, with headers as plain as they can be.
#[must_use]
pub fn tar<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

/// Gives every block that looks like a header a right checksum, so that what is in it is looked at.
pub fn mend_checksums(tar: &mut [u8]) {
    for block in tar.chunks_exact_mut(512) {
        if block[257..262] == *b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}

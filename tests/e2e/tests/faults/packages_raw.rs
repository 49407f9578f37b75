//! Archives byte by byte, as attackers and unusual tools write them.

use std::io::Write as _;

/// A tar archive in the making.
#[derive(Default)]
pub(crate) struct Tar(Vec<u8>);

impl Tar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// `info/index.json` of `<name>-1.0-0`.
    pub(crate) fn index(self, name: &str) -> Self {
        let index = format!(
            r#"{{"name":"{name}","version":"1.0","build":"0","build_number":0,"subdir":"linux-64"}}"#
        );
        self.file("info/index.json", index.as_bytes())
    }

    pub(crate) fn file(self, name: &str, bytes: &[u8]) -> Self {
        self.claiming(name, bytes.len() as u64, bytes)
    }

    /// A file that is said to be this large.
    pub(crate) fn claiming(mut self, name: &str, size: u64, bytes: &[u8]) -> Self {
        self.header(name, b'0', "", size);
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// A link; `kind` is `1` for a hard one, `2` for a symbolic one.
    pub(crate) fn link(mut self, name: &str, kind: u8, target: &str) -> Self {
        self.header(name, kind, target, 0);
        self
    }

    fn header(&mut self, name: &str, kind: u8, link: &str, size: u64) {
        let mut header = tar::Header::new_gnu();
        // The library refuses names like some of these; attackers do not ask it.
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
    }

    /// Without the two empty blocks at its end.
    pub(crate) fn open_ended(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

pub(crate) fn bz2(bytes: &[u8]) -> Vec<u8> {
    let mut packed = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

pub(crate) fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// A `.conda` with this tar as its info.
pub(crate) fn conda(info: &[u8]) -> Vec<u8> {
    zip(&[("info-odd-1.0-0.tar.zst", &zst(info))], false)
}

/// A zip of stored members; `large`: with the 64-bit end that zips of more than 4 GiB have.
pub(crate) fn zip(members: &[(&str, &[u8])], large: bool) -> Vec<u8> {
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in members {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let (offset, size) = (zip.len() as u32, bytes.len() as u32);
        // Version 2.0, no flags, stored, no time.
        let mut common = [20_u16, 0, 0, 0, 0].map(u16::to_le_bytes).concat();
        common.extend([crc.sum(), size, size].map(u32::to_le_bytes).concat());
        common.extend([name.len() as u16, 0].map(u16::to_le_bytes).concat());
        zip.extend(b"PK\x03\x04".iter().chain(&common));
        zip.extend_from_slice(name.as_bytes());
        zip.extend_from_slice(bytes);
        directory.extend(b"PK\x01\x02\x14\0".iter().chain(&common));
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let (start, length, count) = (
        zip.len() as u64,
        directory.len() as u64,
        members.len() as u64,
    );
    zip.append(&mut directory);
    if large {
        let end = zip.len() as u64;
        zip.extend(b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0");
        zip.extend([count, count, length, start].map(u64::to_le_bytes).concat());
        zip.extend(b"PK\x06\x07\0\0\0\0");
        zip.extend(end.to_le_bytes());
        zip.extend(b"\x01\0\0\0PK\x05\x06\0\0\0\0");
        zip.extend([0xff; 12]);
    } else {
        zip.extend(b"PK\x05\x06\0\0\0\0");
        zip.extend([count as u16, count as u16].map(u16::to_le_bytes).concat());
        zip.extend([length as u32, start as u32].map(u32::to_le_bytes).concat());
    }
    zip.extend([0; 2]);
    zip
}

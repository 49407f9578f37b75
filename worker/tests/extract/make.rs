//! Archives byte by byte, also such as no tool would write.

use std::io::{Cursor, Read as _, Write as _};

use mirror_channel::name::ArchiveType;
use mirror_oci::Body;
use mirror_worker::extract::{ExtractError, Info, InfoLimits, extract};

pub(crate) const INDEX: &[u8] = br#"{"name":"a","subdir":"noarch"}"#;

/// A tar archive in the making.
#[derive(Default)]
pub(crate) struct Tar(Vec<u8>);

impl Tar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A member with any name, type and pretended size.
    pub(crate) fn raw(mut self, name: &[u8], kind: u8, mode: u32, size: u64, bytes: &[u8]) -> Self {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_mode(mode);
        header.set_size(size);
        // Marks of the machine it was made on, none of which may survive.
        header.set_mtime(1_700_000_000 + self.0.len() as u64);
        header.set_uid(1000);
        header.set_gid(1000);
        header.set_username("builder").unwrap();
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// A link; `kind` is `1` for a hard one, `2` for a symbolic one.
    pub(crate) fn link(mut self, name: &str, kind: u8, target: &str) -> Self {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_mode(0o777);
        header.set_size(0);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self
    }

    pub(crate) fn file(self, name: &str, bytes: &[u8]) -> Self {
        self.raw(name.as_bytes(), b'0', 0o664, bytes.len() as u64, bytes)
    }

    /// The name of the next member, as GNU tar writes long ones.
    pub(crate) fn long_name(self, name: &[u8]) -> Self {
        let size = name.len() as u64;
        self.raw(b"././@LongLink", b'L', 0o644, size, name)
    }

    /// The path of the next member in an extended header.
    pub(crate) fn extended_path(self, path: &str) -> Self {
        self.extended("path", path)
    }

    /// An extended header of the next member.
    pub(crate) fn extended(self, key: &str, value: &str) -> Self {
        let record = format!(" {key}={value}\n");
        let digits = (record.len() + 2).to_string().len();
        let record = format!("{}{record}", record.len() + digits);
        let size = record.len() as u64;
        self.raw(b"extended", b'x', 0o644, size, record.as_bytes())
    }

    /// A GNU sparse member of no bytes that pretends to be stored in `size`.
    pub(crate) fn sparse(mut self, name: &str, size: u64) -> Self {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(tar::EntryType::GNUSparse);
        header.set_mode(0o644);
        header.set_size(size);
        header.as_gnu_mut().unwrap().set_real_size(0);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self
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
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// One member of a zip, and what its central directory says of it.
pub(crate) struct Zipped<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
    /// 0 is stored, 8 deflated.
    pub method: u16,
    pub told_size: u32,
    pub told_offset: Option<u32>,
}

impl<'a> Zipped<'a> {
    pub(crate) fn stored(name: &'a str, bytes: &'a [u8]) -> Self {
        Self {
            name,
            bytes,
            method: 0,
            told_size: bytes.len() as u32,
            told_offset: None,
        }
    }
}

/// A zip of `members` whose end record counts `told_members`.
pub(crate) fn zip(members: &[Zipped<'_>], told_members: u16) -> Vec<u8> {
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    let put16 = |out: &mut Vec<u8>, values: &[u16]| {
        values
            .iter()
            .for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
    };
    let put32 = |out: &mut Vec<u8>, values: &[u32]| {
        values
            .iter()
            .for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
    };
    for member in members {
        let offset = member.told_offset.unwrap_or(zip.len() as u32);
        let mut crc = flate2::Crc::new();
        crc.update(member.bytes);
        let sizes = [crc.sum(), member.told_size, member.told_size];
        let name_len = member.name.len() as u16;
        zip.extend_from_slice(b"PK\x03\x04");
        put16(&mut zip, &[20, 0, member.method, 0, 0]);
        put32(&mut zip, &sizes);
        put16(&mut zip, &[name_len, 0]);
        zip.extend_from_slice(member.name.as_bytes());
        zip.extend_from_slice(member.bytes);
        directory.extend_from_slice(b"PK\x01\x02");
        put16(&mut directory, &[20, 20, 0, member.method, 0, 0]);
        put32(&mut directory, &sizes);
        put16(&mut directory, &[name_len, 0, 0, 0, 0]);
        put32(&mut directory, &[0, offset]);
        directory.extend_from_slice(member.name.as_bytes());
    }
    let (start, len) = (zip.len() as u32, directory.len() as u32);
    zip.append(&mut directory);
    zip.extend_from_slice(b"PK\x05\x06");
    put16(&mut zip, &[0, 0, told_members, told_members]);
    put32(&mut zip, &[len, start]);
    put16(&mut zip, &[0]);
    zip
}

/// The same with a 64-bit end that counts `told_members`.
pub(crate) fn zip64(members: &[Zipped<'_>], told_members: u64) -> Vec<u8> {
    let mut zip = zip(members, 0);
    let end = zip.split_off(zip.len() - 22);
    let (len, start) = (&end[12..16], &end[16..20]);
    let at = zip.len() as u64;
    zip.extend_from_slice(b"PK\x06\x06");
    zip.extend_from_slice(&44_u64.to_le_bytes());
    zip.extend_from_slice(&[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    zip.extend_from_slice(&told_members.to_le_bytes());
    zip.extend_from_slice(&told_members.to_le_bytes());
    for value in [len, start] {
        zip.extend_from_slice(value);
        zip.extend_from_slice(&[0; 4]);
    }
    zip.extend_from_slice(b"PK\x06\x07\0\0\0\0");
    zip.extend_from_slice(&at.to_le_bytes());
    zip.extend_from_slice(&[1, 0, 0, 0]);
    zip.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    zip.extend_from_slice(&[0xff; 12]);
    zip.extend_from_slice(&[0; 2]);
    zip
}

/// A `.conda` with this tar as its info.
pub(crate) fn conda(tar: &[u8]) -> Vec<u8> {
    let info = zstd::encode_all(tar, 1).unwrap();
    let member = Zipped::stored("info-a-1-0.tar.zst", &info);
    zip(&[member], 1)
}

pub(crate) fn take(package: &[u8], archive: ArchiveType) -> Result<Info, ExtractError> {
    take_within(package, archive, &InfoLimits::default())
}

pub(crate) fn take_within(
    package: &[u8],
    archive: ArchiveType,
    limits: &InfoLimits,
) -> Result<Info, ExtractError> {
    let spool = std::env::temp_dir();
    extract(Cursor::new(package), archive, "linux-64", limits, &spool)
}

pub(crate) fn bytes(body: &Body) -> Vec<u8> {
    match body {
        Body::Memory(bytes) => bytes.to_vec(),
        Body::File { path, offset, len } => {
            assert_eq!(*offset, 0);
            let bytes = std::fs::read(path.as_path()).unwrap();
            assert_eq!(bytes.len() as u64, *len);
            bytes
        }
    }
}

/// A member of an info archive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unpacked {
    pub name: String,
    pub mode: u32,
    pub bytes: Vec<u8>,
}

/// The members of an info archive, which must show no mark of where it was made.
pub(crate) fn unpacked(info: &Info) -> Vec<Unpacked> {
    let gzip = bytes(&info.archive.body);
    assert_eq!(gzip[..4], [0x1f, 0x8b, 8, 0], "no name, no comment");
    assert_eq!(gzip[4..8], [0; 4], "no time");
    assert_eq!(gzip[9], 255, "no system");
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(gzip.as_slice()));
    let entries = tar.entries().unwrap();
    entries
        .map(|entry| {
            let mut entry = entry.unwrap();
            let header = entry.header();
            assert!(header.entry_type().is_file());
            assert_eq!(header.mtime().unwrap(), 0);
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            assert_eq!(header.username_bytes(), Some(&[][..]));
            assert_eq!(header.groupname_bytes(), Some(&[][..]));
            let mode = header.mode().unwrap();
            let name = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            Unpacked { name, mode, bytes }
        })
        .collect()
}

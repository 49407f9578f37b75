//! A disk that fails on demand.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::redb::StorageBackend;
use ::redb::backends::FileBackend;

/// Says whether what lies on it can be written to, and read.
#[derive(Debug, Default)]
pub(in crate::redb) struct Disk {
    pub(super) full: AtomicBool,
}

#[derive(Debug)]
pub(in crate::redb) struct OnDisk {
    disk: Arc<Disk>,
    file: FileBackend,
}

impl Disk {
    pub(in crate::redb) fn holding(self: &Arc<Self>, file: FileBackend) -> OnDisk {
        let disk = Arc::clone(self);
        OnDisk { disk, file }
    }

    fn check(&self) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl StorageBackend for OnDisk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.check()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.check()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.check()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

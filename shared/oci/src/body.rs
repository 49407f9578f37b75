//! A blob's bytes, reopened for every attempt: in memory when small, a spooled file when large.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

/// Bytes that can be sent more than once.
#[derive(Debug, Clone)]
pub enum Body {
    /// All of it in memory.
    Memory(Bytes),
    /// A stretch of a file on disk. The file must outlive the body; whoever owns the spool sees to that.
    File {
        /// The file.
        path: Arc<PathBuf>,
        /// Where the stretch begins.
        offset: u64,
        /// How long it is.
        len: u64,
    },
}

impl Body {
    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A whole file of known length.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>, len: u64) -> Self {
        Self::File {
            path: Arc::new(path.into()),
            offset: 0,
            len,
        }
    }

    /// The file the bytes are in, if they are in one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Memory(_) => None,
            Self::File { path, .. } => Some(path),
        }
    }

    /// Opens the bytes anew from the start.
    ///
    /// # Errors
    /// When the spooled file cannot be opened.
    pub async fn open(
        &self,
    ) -> std::io::Result<Box<dyn tokio::io::AsyncRead + Send + Sync + Unpin>> {
        match self {
            Self::Memory(bytes) => Ok(Box::new(std::io::Cursor::new(bytes.clone()))),
            Self::File { path, offset, len } => {
                let mut file = tokio::fs::File::open(path.as_path()).await?;
                if *offset > 0 {
                    file.seek(std::io::SeekFrom::Start(*offset)).await?;
                }
                Ok(Box::new(file.take(*len)))
            }
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Memory(bytes)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Memory(bytes.into())
    }
}

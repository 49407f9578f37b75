//! One task whose files go to a channel folder: what is there with the right bytes stays, what is missing is downloaded,
//! verified and renamed into place.

use std::io::{self, Read as _};

use mirror_channel::folder::ChannelFolder;
use mirror_ledger::FileOutcome;
use mirror_oci::Body;
use mirror_oci::package::Wanted;
use mirror_queue::{Action, Task};
use mirror_runtime::{Disposed as _, Disposition, fail_point};

use crate::context::Context;
use crate::error::TransferError;
use crate::fetch::{Download, fetch};
use crate::meanwhile::Meanwhile;
use crate::steps::Asked;
use crate::sums::{Hashes, Sums, difference};
use crate::transfer::{Settled, StillWanted};

/// Bytes of a file that are read at once.
const CHUNK: usize = 256 << 10;

pub(crate) struct Pull<'a> {
    pub context: &'a Context,
    pub folder: &'a ChannelFolder,
    pub task: &'a Task,
    pub files: &'a [Asked],
}

impl Pull<'_> {
    /// Runs the task. `None`: the build is no longer wanted.
    pub(crate) async fn run(&self, wanted: &impl StillWanted) -> Option<Settled> {
        let mut settled = Settled::default();
        for asked in self.files {
            if asked.action == Action::Keep {
                continue;
            }
            match self.file(asked, wanted).await {
                Ok(Some(done)) => settled.done.push(done),
                Ok(None) => return None,
                Err(error) => {
                    let stops = matches!(
                        error.disposition(),
                        Disposition::Throttled { .. } | Disposition::Cancelled
                    );
                    if stops {
                        settled.stopped = Some(error);
                        break;
                    }
                    settled.failed.push((asked.wanted.clone(), error));
                }
            }
        }
        Some(settled)
    }

    async fn file(
        &self,
        asked: &Asked,
        still: &impl StillWanted,
    ) -> Result<Option<(String, FileOutcome)>, TransferError> {
        let wanted = &asked.wanted;
        let file = || wanted.file.as_str().to_owned();
        if let Some((size, hashes)) = self.present(asked).await? {
            return Ok(Some(done(wanted, size, &hashes)));
        }
        if asked.action == Action::Check {
            return Err(TransferError::NotHeld { file: file() });
        }
        let url = self.task.url(file().as_str());
        let progress = self
            .context
            .activity
            .begin(wanted.file.as_str(), wanted.size);
        let download = Download {
            sources: &self.context.sources,
            spool: &self.context.spool,
            url: &url,
            wanted,
            allow_unverified: self.task.allow_unverified,
            progress: &progress,
        };
        let (fetched, _) = fetch(download, |_| Meanwhile::nothing()).await?;
        fail_point::hit("before-rename").await;
        if !still.still_wanted().await {
            return Ok(None);
        }
        let (folder, subdir) = (self.folder.clone(), self.task.subdir.clone());
        let (name, body) = (wanted.file.clone(), fetched.body.clone());
        let put = move || match body {
            Body::Memory(bytes) => folder.put(&subdir, &name, &mut &bytes[..]),
            Body::File { path, .. } => {
                folder.put(&subdir, &name, &mut std::fs::File::open(&*path)?)
            }
        };
        self.blocking(wanted, put).await?;
        fail_point::hit("after-rename").await;
        Ok(Some(done(wanted, fetched.body.len(), &fetched.hashes)))
    }

    /// Size and hashes of the file in the folder, if it is the wanted one.
    async fn present(&self, asked: &Asked) -> Result<Option<(u64, Hashes)>, TransferError> {
        let (folder, subdir) = (self.folder.clone(), self.task.subdir.clone());
        let (wanted, known) = (asked.wanted.clone(), asked.known_sha256);
        let read = move || {
            let Some(mut file) = folder.open(&subdir, &wanted.file)? else {
                return Ok(None);
            };
            let len = file.metadata()?.len();
            if wanted.size.is_some_and(|size| size != len) {
                return Ok(None);
            }
            let (mut sums, mut chunk, mut size) = (Sums::of(&wanted), vec![0; CHUNK], 0_u64);
            loop {
                let count = file.read(&mut chunk)?;
                if count == 0 {
                    break;
                }
                sums.update(&chunk[..count]);
                size += count as u64;
            }
            let hashes = sums.finish();
            // Without a hash only what an earlier run brought is recognised.
            let told = wanted.has_hash() || known == Some(hashes.sha256);
            let same = told && difference(&wanted, size, &hashes).is_ok();
            Ok(same.then_some((size, hashes)))
        };
        self.blocking(&asked.wanted, read).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        wanted: &Wanted,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, TransferError> {
        let done = tokio::task::spawn_blocking(work).await;
        let done = done.unwrap_or_else(|ended| Err(io::Error::other(ended)));
        done.map_err(|error| TransferError::Folder {
            file: wanted.file.as_str().to_owned(),
            folder: self.folder.root().to_owned(),
            error,
        })
    }
}

fn done(wanted: &Wanted, size: u64, hashes: &Hashes) -> (String, FileOutcome) {
    let outcome = FileOutcome::Done {
        sha256: hashes.sha256,
        md5: wanted.sha256.is_none().then_some(wanted.md5).flatten(),
        size,
    };
    (wanted.file.as_str().to_owned(), outcome)
}

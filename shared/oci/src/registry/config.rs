//! The config blob: once per repository, mounted from one that has it where the registry can.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use bytes::Bytes;
use mirror_runtime::{Disposed as _, Disposition};
use tokio::sync::OnceCell;

use super::{Registry, RegistryError};
use crate::body::Body;
use crate::manifest;
use crate::{Presence, layout};

/// Which repositories are known to have the config. Some 100 bytes a repository: a few megabytes
/// for the largest channel.
#[derive(Debug, Default)]
pub(super) struct Configs {
    repositories: Mutex<Repositories>,
    /// A repository to mount from: the first that got it.
    home: OnceLock<String>,
    /// The registry refuses to mount and takes uploads.
    never_mounts: AtomicBool,
}

#[derive(Debug, Default)]
struct Repositories {
    known: HashMap<String, Arc<OnceCell<()>>>,
    /// Those that were said to have it and did not: it is sent there, not mounted.
    doubted: HashSet<String>,
}

impl Configs {
    fn repositories(&self) -> MutexGuard<'_, Repositories> {
        self.repositories.lock().expect("no panic under this lock")
    }

    /// Where the config is mounted from, once it is known to be somewhere and until the registry
    /// turns out not to mount.
    pub(super) fn home(&self) -> Option<&str> {
        let mounts = !self.never_mounts.load(Ordering::Relaxed);
        self.home.get().filter(|_| mounts).map(String::as_str)
    }
}

impl Registry {
    /// Sees to it that `repository` has the config blob. Asks nothing when it is known to.
    ///
    /// # Errors
    /// When the registry refuses the blob or cannot be asked.
    pub async fn ensure_config(&self, repository: &str) -> Result<(), RegistryError> {
        let cell = {
            let mut repositories = self.configs.repositories();
            Arc::clone(repositories.known.entry(repository.to_owned()).or_default())
        };
        cell.get_or_try_init(|| self.push_config(repository))
            .await?;
        Ok(())
    }

    /// Forgets what is known of `repository`: its manifest was refused for a blob it does not have.
    pub fn forget_config(&self, repository: &str) {
        let mut repositories = self.configs.repositories();
        repositories.known.remove(repository);
        repositories.doubted.insert(repository.to_owned());
    }

    async fn push_config(&self, repository: &str) -> Result<(), RegistryError> {
        let digest = manifest::config().digest;
        let body = Body::Memory(Bytes::from_static(layout::CONFIG_BYTES));
        let doubted = self.configs.repositories().doubted.contains(repository);
        // Two bytes: pushing them costs what looking for them and then pushing costs at best.
        let mut presence = if doubted {
            Presence::Unknown
        } else {
            Presence::Absent
        };
        let mut mount_refused = false;
        if let Some(home) = self.configs.home().filter(|_| !doubted) {
            let Err(error) = self.mount_or_push(repository, &digest, &body, home).await else {
                return Ok(());
            };
            match error.disposition() {
                Disposition::Throttled { .. } => return Err(error),
                Disposition::Denied | Disposition::Permanent => mount_refused = true,
                _ => presence = Presence::Unknown,
            }
            tracing::debug!(repository, %error, "the config is not mounted; it is sent instead");
        }
        self.push_blob(repository, &digest, &body, presence).await?;
        // Only now it is known that the mount was refused for itself, and not the repository.
        if mount_refused {
            self.configs.never_mounts.store(true, Ordering::Relaxed);
        }
        let _ = self.configs.home.set(repository.to_owned());
        Ok(())
    }
}

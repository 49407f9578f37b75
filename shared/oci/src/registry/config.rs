//! The config blob: once per repository, mounted from one that has it where the registry can.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use mirror_runtime::Disposed as _;
use tokio::sync::OnceCell;

use super::blobs::few_tries;
use super::{Registry, RegistryError};
use crate::body::Body;
use crate::manifest;
use crate::{Presence, layout};

/// Which repositories are known to have the config. Some 100 bytes a repository: a few megabytes
/// for the largest channel.
#[derive(Debug, Default)]
pub(super) struct Configs {
    known: Mutex<HashMap<String, Arc<OnceCell<()>>>>,
    /// A repository to mount from: the first that got it.
    home: OnceLock<String>,
}

impl Registry {
    /// Sees to it that `repository` has the config blob. Asks nothing when it is known to.
    ///
    /// # Errors
    /// When the registry refuses the blob or cannot be asked.
    pub async fn ensure_config(&self, repository: &str) -> Result<(), RegistryError> {
        let cell = {
            let mut known = self.configs.known.lock().expect("no panic under this lock");
            Arc::clone(known.entry(repository.to_owned()).or_default())
        };
        cell.get_or_try_init(|| self.push_config(repository))
            .await?;
        Ok(())
    }

    /// Forgets what is known of `repository`: its manifest was refused for a blob it does not have.
    pub fn forget_config(&self, repository: &str) {
        self.configs
            .known
            .lock()
            .expect("no panic under this lock")
            .remove(repository);
    }

    async fn push_config(&self, repository: &str) -> Result<(), RegistryError> {
        let descriptor = manifest::config();
        let body = Body::Memory(Bytes::from_static(layout::CONFIG_BYTES));
        if let Some(home) = self.configs.home.get() {
            let mut delays = few_tries();
            loop {
                match self
                    .mount_or_push(repository, &descriptor.digest, &body, home)
                    .await
                {
                    Ok(_) => return Ok(()),
                    Err(error) if error.is_transient() => match delays.next() {
                        Some(delay) => tokio::time::sleep(delay).await,
                        None => return Err(error),
                    },
                    Err(error) => return Err(error),
                }
            }
        }
        // Two bytes: pushing them costs what looking for them and then pushing costs at best.
        self.push_blob(repository, &descriptor.digest, &body, Presence::Absent)
            .await?;
        let _ = self.configs.home.set(repository.to_owned());
        Ok(())
    }
}

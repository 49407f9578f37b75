//! The options for workers elsewhere, checked together.

use std::num::NonZeroUsize;

use anyhow::Context as _;
use mirror_channel::channel::{Channel, Location};
use mirror_ledger::RedisOptions;
use mirror_oci::registry::Address;
use mirror_queue::rabbitmq;
use mirror_runtime::Secret;
use mirror_runtime::settings::{self, Hidden, variable};

use super::State;
use super::mirror::MirrorArgs;
use super::said::Said;
use super::source::folder_of;
use crate::options::Memory;
use crate::places;

/// Tasks on their way to the broker at once: enough to hide its distance.
const UNCONFIRMED: NonZeroUsize = NonZeroUsize::new(1024).expect("not zero");

/// Where what is done is remembered.
///
/// # Errors
/// When an address cannot be used, or there is no place at all.
pub(super) fn memory(mirror: &MirrorArgs) -> anyhow::Result<Memory> {
    let state = match mirror.state.clone() {
        Some(state) => Some(state),
        None => from_file()?,
    };
    Ok(match state {
        Some(State::Folder(folder)) => Memory::Folder(folder),
        Some(State::Redis(url)) => Memory::Redis(redis(mirror, &url)),
        None => Memory::Folder(places::default_state()?),
    })
}

/// What the file holds that `CONDA_OCI_STATE_FILE` names.
fn from_file() -> anyhow::Result<Option<State>> {
    let variable = variable("state");
    let Some(secret) = settings::secret(&variable)? else {
        return Ok(None);
    };
    let state = secret.expose().parse::<State>();
    let state = state.map_err(|error| anyhow::anyhow!("{variable}_FILE: {error}"))?;
    Ok(Some(state))
}

fn redis(mirror: &MirrorArgs, url: &Secret) -> RedisOptions {
    let mut options = RedisOptions::new(url.expose());
    // One file may be for the broker alone.
    options.ca_file = mirror
        .ca_file
        .clone()
        .filter(|_| url.expose().starts_with("rediss:"));
    options
}

/// The broker through which workers elsewhere are given their tasks.
///
/// # Errors
/// When its address cannot be used, or something that those workers cannot see is to be mirrored.
pub(super) fn queue(
    mirror: &MirrorArgs,
    memory: &Memory,
    channel: &Channel,
    registry: Option<&Address>,
    said: Said,
) -> anyhow::Result<Option<rabbitmq::Options>> {
    let queue = Hidden::or_from_file(mirror.queue.clone(), "queue")?;
    let Some(queue) = queue else {
        return Ok(None);
    };
    let key = said.key("queue");
    anyhow::ensure!(
        matches!(memory, Memory::Redis(_)),
        "{key} needs a memory that the workers elsewhere share: add {}",
        said.with("state", "redis://HOST")
    );
    if !mirror.shared_path.unwrap_or(false) {
        let folder = match (&channel.location, registry) {
            (Location::Folder(folder), _)
            | (_, Some(Address::Folder(folder) | Address::Channel(folder))) => Some(folder.clone()),
            _ => folder_of(channel),
        };
        if let Some(folder) = folder {
            anyhow::bail!(
                "workers elsewhere do not see the folder {} of this machine; if all of them do, under this path, say so \
                 with {}, here and at the workers",
                folder.display(),
                said.key("shared-path")
            );
        }
    }
    let address = rabbitmq::Address::parse(&queue).context(key)?;
    let mut options = rabbitmq::Options::new(address);
    options.ca_file.clone_from(&mirror.ca_file);
    options.unconfirmed = UNCONFIRMED;
    if let Some(name) = &mirror.queue_name {
        options.name.clone_from(name);
    }
    Ok(Some(options))
}

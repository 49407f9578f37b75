//! The mirrors of a worker: whatever registry and channel its tasks name, as far as it may.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};

use mirror_channel::folder::ChannelFolder;
use mirror_ledger::{RedisConnection, RedisLedger};
use mirror_oci::Destination;
use mirror_oci::folder::Folder;
use mirror_oci::registry::{
    Address, Credentials, Logins, Registry, RegistryAddress, RegistryOptions, Trust,
};
use mirror_queue::Task;
use mirror_runtime::HostBudget;
use mirror_worker::{End, Memory, Mirrors, NotServed, Target};

/// Registries that are kept at hand. Whoever queues tasks for more of them only makes it slower.
const AT_HAND: usize = 64;

/// Finds destination and ledger of each task.
#[derive(Debug)]
pub(crate) struct Served {
    pub redis: RedisConnection,
    pub budget: Arc<dyn HostBudget>,
    pub logins: Logins,
    pub trust: Trust,
    pub max_chunk: Option<NonZeroU64>,
    /// None: any.
    pub registries: Vec<RegistryAddress>,
    pub shared_path: bool,
    pub targets: Mutex<HashMap<String, Arc<End>>>,
}

impl Mirrors for Served {
    fn memory(&self, task: &Task) -> Memory {
        let ledger: Arc<RedisLedger> = Arc::new(self.redis.ledger(&task.registry, &task.channel));
        Memory {
            outcomes: Arc::clone(&ledger) as _,
            claims: ledger,
        }
    }

    fn end(&self, task: &Task) -> Result<Arc<End>, NotServed> {
        let refused = |why: String| NotServed { why };
        if matches!(task.source.scheme(), "file" | "oci+file") && !self.shared_path {
            let why = "its channel is a folder; give workers and coordinator --shared-path if all of them see it";
            return Err(refused(why.to_owned()));
        }
        if let Ok(Address::Channel(base)) = task.registry.parse() {
            if !self.shared_path {
                let why = "its destination is a folder; give workers and coordinator --shared-path if all of them see it";
                return Err(refused(why.to_owned()));
            }
            let folder = ChannelFolder::below(&base, &task.channel);
            let folder = folder.map_err(|error| refused(error.to_string()))?;
            return Ok(Arc::new(End::Channel(folder)));
        }
        let mut targets = self.targets.lock().expect("no panic under this lock");
        if let Some(target) = targets.get(&task.registry) {
            return Ok(Arc::clone(target));
        }
        let target = Arc::new(End::Mirror(self.open(&task.registry).map_err(refused)?));
        if targets.len() >= AT_HAND {
            targets.clear();
        }
        targets.insert(task.registry.clone(), Arc::clone(&target));
        Ok(target)
    }
}

impl Served {
    fn open(&self, registry: &str) -> Result<Target, String> {
        let address: Address = registry.parse().map_err(|error| format!("{error}"))?;
        match address {
            Address::Channel(_) => Err("it goes to a channel folder".to_owned()),
            Address::Folder(_) if !self.shared_path => Err(
                "its destination is a folder; give workers and coordinator --shared-path if all of them see it"
                    .to_owned(),
            ),
            Address::Folder(folder) => {
                let folder = Folder::open(&folder).map_err(|error| error.to_string())?;
                Ok(Target {
                    destination: Arc::new(Destination::Folder(folder)),
                    namespace: String::new(),
                })
            }
            Address::Registry(address) => {
                let host = address.host();
                let mut served = self.registries.iter().map(RegistryAddress::host);
                if !self.registries.is_empty() && !served.any(|served| served == host) {
                    let served = self.registries.iter().map(RegistryAddress::host);
                    let served = served.collect::<Vec<_>>().join(", ");
                    return Err(format!("it goes to {host}, and this worker pushes to {served} only (--registry)"));
                }
                let budget = Arc::clone(&self.budget);
                let options = RegistryOptions {
                    credentials: self.login(&address)?,
                    trust: self.trust.clone(),
                    max_chunk: self.max_chunk,
                };
                let registry = Registry::new(&address, options, budget)
                    .map_err(|error| format!("set up the client of {host}: {error}"))?;
                Ok(Target {
                    destination: Arc::new(Destination::Registry(Box::new(registry))),
                    namespace: address.namespace,
                })
            }
        }
    }

    /// The login for a registry that a task names. Without TLS it goes only to one that this worker was given so: whoever
    /// queues tasks must not choose that.
    fn login(&self, address: &RegistryAddress) -> Result<Option<Credentials>, String> {
        let host = address.host();
        let given_plain =
            |given: &RegistryAddress| given.base.scheme() == "http" && given.host() == host;
        let may_go = address.base.scheme() == "https" || self.registries.iter().any(given_plain);
        // Once a registry: it reads a file, and may wait for a credential helper.
        let found = self.logins.of(&host, &address.namespace);
        let found = found.map_err(|error| error.to_string())?;
        if found.is_some() && !may_go {
            tracing::warn!(
                host,
                "the login is not sent over plain http; give --registry http://{host} if it should be"
            );
            return Ok(None);
        }
        Ok(found)
    }
}

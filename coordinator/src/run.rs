//! Everything the parts of one run share, put together once.

use std::path::PathBuf;
use std::sync::Arc;

use mirror_channel::channel::Channel;
use mirror_channel::folder::ChannelFolder;
use mirror_channel::selection::Selection;
use mirror_ledger::{LeaseGrant, Ledger, Settled, SubdirState};
use mirror_oci::layout::SubdirLayout;
use mirror_oci::registry::Address;
use mirror_oci::{Destination, DestinationError};
use mirror_queue::{RabbitQueue, TaskQueue};
use mirror_runtime::{Disposed as _, Disposition, Shutdown};
use mirror_worker::source::Sources;
use tempfile::NamedTempFile;
use tokio::time::Instant;

use crate::error::RunError;
use crate::guard::{Guard, Sum};
use crate::leases::Leases;
use crate::options::Options;
use crate::patience::patiently;
use crate::plan::{self, Latest};
use crate::progress::Progress;
use crate::publish::published;
use crate::push_cache::Push;
use crate::report::Report;
use crate::sync::LEASE;

/// One run over one channel and one destination.
#[derive(Debug)]
pub(crate) struct Run {
    pub options: Options,
    pub channel: Channel,
    pub selection: Arc<Selection>,
    /// Of everything that decides what a complete run leaves behind.
    pub fingerprint: String,
    /// `None` in a dry run without a registry.
    pub destination: Option<Arc<Destination>>,
    pub ledger: Arc<dyn Ledger>,
    pub queue: Arc<dyn TaskQueue>,
    /// The same queue, where it is at a broker.
    pub broker: Option<Arc<RabbitQueue>>,
    pub sources: Arc<Sources>,
    pub progress: Progress,
    pub report: Arc<Report>,
    /// Folder for indexes in transit.
    pub scratch: PathBuf,
    pub shutdown: Shutdown,
    /// This run's name in leases: process and machine.
    pub name: String,
    pub has_credentials: bool,
    pub guard: Guard,
    /// What the plans came to that were only looked at, and those that may be carried out.
    pub measured: Sum,
    pub admitted: Sum,
    pub leases: Leases,
    /// Whether what the selection selects changes by itself as time goes on.
    pub selection_slides: bool,
    /// What is pushed, where this is `push-cache`.
    pub push: Option<Push>,
}

impl Run {
    /// The registry's `host[:port]`, empty without one.
    pub(crate) fn host(&self) -> String {
        self.destination
            .as_ref()
            .map(|destination| destination.host().to_owned())
            .unwrap_or_default()
    }

    /// Path components before the channel.
    pub(crate) fn namespace(&self) -> &str {
        match &self.options.registry {
            Some(Address::Registry(registry)) => &registry.namespace,
            _ => "",
        }
    }

    /// The channel folder that packages go to, if they go to one.
    pub(crate) fn folder(&self) -> Option<ChannelFolder> {
        match &self.options.registry {
            // Its name was checked when it was read.
            Some(Address::Channel(base)) => ChannelFolder::below(base, &self.channel.name).ok(),
            _ => None,
        }
    }

    /// Does `work`; `None` when a stop was asked for first. For work that may be dropped at any point.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.shutdown.requested() => None,
            done = work => Some(done),
        }
    }

    /// Keeps the lease on `subdir`. One that ran out, because this machine slept, is taken again if
    /// nobody else has it.
    pub(crate) async fn confirm_lease(
        &self,
        ledger: &dyn Ledger,
        subdir: &str,
    ) -> anyhow::Result<()> {
        let asked = Instant::now();
        match ledger.acquire_lease(subdir, &self.name, LEASE).await? {
            LeaseGrant::Granted => {
                self.leases.granted(subdir, asked);
                Ok(())
            }
            LeaseGrant::Held { owner, .. } => {
                let subdir = subdir.to_owned();
                Err(RunError::LeaseLost { subdir, owner }.into())
            }
        }
    }

    /// Writes down what is known of the subdir's last publication.
    ///
    /// # Errors
    /// When a later run has done so: this one has lost the lease.
    pub(crate) async fn remember(
        &self,
        ledger: &dyn Ledger,
        subdir: &str,
        state: &SubdirState,
    ) -> anyhow::Result<()> {
        match ledger.set_subdir_state(subdir, state).await? {
            Settled::Accepted => Ok(()),
            Settled::Superseded { .. } => Err(RunError::lost_to_a_later(subdir).into()),
        }
    }

    /// Pushes the first blob the mirror needs anyway, so that a refusal is known before anything is
    /// downloaded.
    pub(crate) async fn may_push(
        &self,
        layout: &SubdirLayout,
        destination: &Destination,
    ) -> anyhow::Result<()> {
        let repository = layout.index_repository();
        let refused = match patiently(|| destination.ensure_config(&repository)).await {
            Ok(()) => return Ok(()),
            Err(error) if error.disposition() == Disposition::Denied => error,
            Err(error) => return Err(error.into()),
        };
        if self.has_credentials {
            return Err(anyhow::Error::new(refused).context("the registry refuses this login"));
        }
        tracing::debug!(%refused, "the registry wants a login");
        Err(RunError::LoginNeeded {
            registry: destination.host().to_owned(),
            reads: false,
        }
        .into())
    }

    /// Takes what an index of ours lists into the ledger. `false`: a sample of it was not there.
    pub(crate) async fn take_over(
        &self,
        latest: &Latest,
        subdir: &str,
        number: u64,
        layout: &SubdirLayout,
        destination: &Destination,
    ) -> anyhow::Result<bool> {
        let Some(index) = self.published(latest, layout, destination).await? else {
            return Ok(false);
        };
        plan::adopt(
            index.path(),
            subdir,
            number,
            layout,
            destination,
            &*self.ledger,
        )
        .await
    }

    /// The index that `latest` names. One that cannot be read says nothing, as if there were none.
    pub(crate) async fn published(
        &self,
        latest: &Latest,
        layout: &SubdirLayout,
        destination: &Destination,
    ) -> anyhow::Result<Option<NamedTempFile>> {
        match published(latest, layout, destination, &self.scratch).await {
            Err(error) if !may_pass(&error) => {
                let repository = layout.index_repository();
                tracing::warn!(
                    repository,
                    "the published index cannot be read and is not believed: {error:#}"
                );
                Ok(None)
            }
            read => read,
        }
    }
}

/// Whether an error is about the way to the registry, not about what it has.
fn may_pass(error: &anyhow::Error) -> bool {
    match error.downcast_ref() {
        Some(DestinationError::Registry(error)) => {
            !matches!(error.disposition(), Disposition::Permanent)
        }
        Some(error) => error.disposition() == Disposition::Local,
        None => false,
    }
}

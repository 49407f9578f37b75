//! The workloads: each measures one thing and gives its rows.

mod computed;
mod folder;
mod generated;
mod ghcr;
mod held;
mod large;
mod latency;
mod many;
mod plan;
mod queue;
mod redis;
mod small;
mod tar_bz2;
mod verify;
mod workers;

use anyhow::Result;

use crate::bench::Bench;
use crate::report::Row;
use crate::svg::Plot;

pub(crate) use plan::{SPARSE, sparse};

/// What can be measured by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Workload {
    /// Small files into a registry
    Small,
    /// Small files into a folder of image layouts
    Folder,
    /// One large package of each format
    Large,
    /// Many large packages at once
    Many,
    /// Plans of up to a million records
    Plan,
    /// Publications of up to a million records, and runs with nothing to do
    Held,
    /// `verify` of up to 100,000 files
    Verify,
    /// Small files into registries far away
    Latency,
    /// Small files into a registry with ghcr.io's limit of writes
    Ghcr,
    /// Up to three million outcomes in Redis
    Redis,
    /// Tasks into RabbitMQ
    Queue,
    /// Small files through several workers into a registry far away
    Workers,
}

/// What a workload found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) rows: Vec<Row>,
    pub(crate) plots: Vec<Plot>,
}

impl Workload {
    /// Measures it.
    ///
    /// # Errors
    /// If the program fails, or something that it is measured with.
    pub(crate) async fn measure(self, bench: &Bench) -> Result<Found> {
        match self {
            Self::Small => small::measure(bench).await,
            Self::Folder => folder::measure(bench).await,
            Self::Large => large::measure(bench).await,
            Self::Many => many::measure(bench).await,
            Self::Plan => plan::measure(bench).await,
            Self::Held => held::measure(bench).await,
            Self::Verify => verify::measure(bench).await,
            Self::Latency => latency::measure(bench).await,
            Self::Ghcr => ghcr::measure(bench).await,
            Self::Redis => redis::measure(bench).await,
            Self::Queue => queue::measure(bench).await,
            Self::Workers => workers::measure(bench).await,
        }
    }
}

impl From<Vec<Row>> for Found {
    fn from(rows: Vec<Row>) -> Self {
        Self {
            rows,
            plots: Vec::new(),
        }
    }
}

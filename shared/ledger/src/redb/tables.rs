//! The tables of a ledger file and the bytes in their rows.

use ::redb::{ReadableTable, Table, TableDefinition, WriteTransaction};
use mirror_runtime::clock;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::fault::Fault;
use crate::build_row::BuildRow;
use crate::encoding;
use crate::ledger::Control;
use crate::outcome::Recorded;

/// The format that this version writes and the newest it reads.
pub(super) const SCHEMA: u32 = 1;

/// subdir and one name within it
pub(super) type Key = (&'static str, &'static str);

/// `schema` and `id`.
pub(super) const META: TableDefinition<&str, &str> = TableDefinition::new("meta");
/// By file: outcomes in the form of [`crate::encoding`].
pub(super) const OUTCOMES: TableDefinition<Key, &[u8]> = TableDefinition::new("outcomes");
/// By build: those that are being worked on or were given up for now, as JSON.
pub(super) const BUILDS: TableDefinition<Key, &[u8]> = TableDefinition::new("builds");
/// By subdir, as JSON.
pub(super) const STATES: TableDefinition<&str, &[u8]> = TableDefinition::new("states");
/// By subdir: the last plan's number.
pub(super) const PLANS: TableDefinition<&str, u64> = TableDefinition::new("plans");
/// By subdir: whose turn it is, as JSON.
pub(super) const LEASES: TableDefinition<&str, &[u8]> = TableDefinition::new("leases");

/// By subdir: what users want of its work, as JSON.
pub(super) const CONTROLS: TableDefinition<&str, &[u8]> = TableDefinition::new("controls");
/// By subdir: how far its last plan is, as JSON.
pub(super) const TALLIES: TableDefinition<&str, &[u8]> = TableDefinition::new("tallies");
/// Subdirs of which outcomes were forgotten since the last plan was begun.
pub(super) const FORGOTTEN: TableDefinition<&str, ()> = TableDefinition::new("forgotten");

/// A subdir's lease.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LeaseRow {
    pub(super) owner: String,
    pub(super) expires_ms: u64,
}

impl LeaseRow {
    pub(super) fn is_live(&self) -> bool {
        self.expires_ms > clock::now_ms()
    }
}

/// The tables within one write transaction. Opening all of them also makes those that are missing.
pub(super) struct Tables<'txn> {
    pub(super) meta: Table<'txn, &'static str, &'static str>,
    pub(super) outcomes: Table<'txn, Key, &'static [u8]>,
    pub(super) builds: Table<'txn, Key, &'static [u8]>,
    pub(super) states: Table<'txn, &'static str, &'static [u8]>,
    pub(super) plans: Table<'txn, &'static str, u64>,
    pub(super) leases: Table<'txn, &'static str, &'static [u8]>,
    pub(super) controls: Table<'txn, &'static str, &'static [u8]>,
    pub(super) tallies: Table<'txn, &'static str, &'static [u8]>,
    pub(super) forgotten: Table<'txn, &'static str, ()>,
}

impl<'txn> Tables<'txn> {
    pub(super) fn open(transaction: &'txn WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            meta: transaction.open_table(META)?,
            outcomes: transaction.open_table(OUTCOMES)?,
            builds: transaction.open_table(BUILDS)?,
            states: transaction.open_table(STATES)?,
            plans: transaction.open_table(PLANS)?,
            leases: transaction.open_table(LEASES)?,
            controls: transaction.open_table(CONTROLS)?,
            tallies: transaction.open_table(TALLIES)?,
            forgotten: transaction.open_table(FORGOTTEN)?,
        })
    }

    pub(super) fn outcome(&self, subdir: &str, file: &str) -> Result<Option<Recorded>, Fault> {
        let row = self.outcomes.get((subdir, file))?;
        row.map(|row| read_outcome(subdir, file, row.value()))
            .transpose()
    }

    pub(super) fn build(&self, subdir: &str, stem: &str) -> Result<Option<BuildRow>, Fault> {
        let row = self.builds.get((subdir, stem))?;
        row.map(|row| from_json("build", stem, row.value()))
            .transpose()
    }

    pub(super) fn control(&self, subdir: &str) -> Result<Control, Fault> {
        let row = self.controls.get(subdir)?;
        let row = row.map(|row| from_json("control", subdir, row.value()));
        Ok(row.transpose()?.unwrap_or_default())
    }

    pub(super) fn put_build(
        &mut self,
        subdir: &str,
        stem: &str,
        row: &BuildRow,
    ) -> Result<(), Fault> {
        self.builds
            .insert((subdir, stem), to_json(row).as_slice())?;
        Ok(())
    }
}

pub(super) fn read_outcome(subdir: &str, file: &str, bytes: &[u8]) -> Result<Recorded, Fault> {
    encoding::decode(bytes)
        .map_err(|error| Fault::Row(format!("outcome of {subdir}/{file}: {error}")))
}

pub(super) fn to_json(row: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(row).expect("rows are numbers, texts and options of them")
}

pub(super) fn from_json<T: DeserializeOwned>(
    what: &str,
    key: &str,
    bytes: &[u8],
) -> Result<T, Fault> {
    serde_json::from_slice(bytes)
        .map_err(|error| Fault::Row(format!("row of {what} {key}: {error}")))
}

//! Opening a ledger file: lock, schema, and the end of whatever the last owner left.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use ::redb::backends::FileBackend;
use ::redb::{Builder, Database, ReadableTable, TableHandle, WriteTransaction};

use super::fault::Fault;
use super::owner::{self, NotOwner, OwnerLock};
use super::remedy::refused;
use super::store::Store;
use super::tables::{META, SCHEMA, Tables, from_json};
use crate::build_row::BuildRow;
use crate::error::LedgerError;

/// Bytes of the file that redb may keep in memory.
const CACHE: usize = 64 << 20;

/// The size below which a file can be a database whose making was cut off; redb makes one of 1 MiB
/// and a little.
const UNFINISHED_LIMIT: u64 = 16 << 20;

/// How the database reaches its file.
#[derive(Debug)]
pub(super) enum Files {
    Plain,
    /// Through a disk that fails on demand.
    #[cfg(test)]
    Faulty(std::sync::Arc<super::tests::faulty::Disk>),
}

/// Locks and opens the ledger, new or not. Returns its id with it.
pub(super) fn open(path: &Path, owner: &str, files: Files) -> Result<(Store, String), LedgerError> {
    let not_let_in = |at: &Path, error: io::Error| LedgerError::Open {
        path: at.to_owned(),
        cause: refused(&error),
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| not_let_in(folder, error))?;
    }
    let mut lock = OwnerLock::take(path, owner).map_err(|reason| match reason {
        NotOwner::Held { by } => LedgerError::LockedBy {
            path: path.to_owned(),
            owner: by,
        },
        NotOwner::Refused(error) => not_let_in(&owner::sidecar(path), error),
    })?;
    discard_unfinished(path).map_err(|error| not_let_in(path, error))?;
    let database = files
        .database(path, true)
        .map_err(|fault| at_opening(path, fault, &mut lock))?;
    lock.sign()
        .map_err(|error| not_let_in(&owner::sidecar(path), error))?;
    let id = take_over(&database).map_err(|stop| match stop {
        Stop::Fault(fault) => at_opening(path, fault, &mut lock),
        Stop::Newer(found) => LedgerError::NewerVersion {
            path: path.to_owned(),
            found,
            known: SCHEMA,
        },
    })?;
    Ok((Store::new(path.to_owned(), files, database, lock), id))
}

fn at_opening(path: &Path, fault: Fault, lock: &mut OwnerLock) -> LedgerError {
    let path = path.to_owned();
    match fault {
        Fault::Damaged(cause) | Fault::Row(cause) => LedgerError::Damaged { path, cause },
        Fault::Storage(cause) => LedgerError::Open { path, cause },
        Fault::Taken => LedgerError::LockedBy {
            path,
            owner: lock.last_name(),
        },
    }
}

impl Files {
    /// The database again, after a failed access.
    pub(super) fn open_existing(&self, path: &Path) -> Result<Database, Fault> {
        self.database(path, false)
    }

    fn database(&self, path: &Path, create: bool) -> Result<Database, Fault> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(create);
        let file = options.open(path).map_err(::redb::StorageError::from)?;
        let length = file.metadata().map_err(::redb::StorageError::from)?.len();
        if length == 0 && !create {
            return Err(Fault::Damaged("it was emptied while in use".to_owned()));
        }
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE);
        // Without this redb trusts the file and may panic over one that was cut off or changed.
        builder.set_check_integrity_on_open(true);
        let backend = FileBackend::new(file)?;
        let database = match self {
            Self::Plain => builder.create_with_backend(backend),
            #[cfg(test)]
            Self::Faulty(disk) => builder.create_with_backend(disk.holding(backend)),
        }?;
        Ok(database)
    }
}

/// Removes what is left when the making of a database was cut off: a header without redb's mark,
/// written last, and zeros. redb refuses such a file, and nothing is lost with it.
fn discard_unfinished(path: &Path) -> io::Result<()> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let length = file.metadata()?.len();
    if length == 0 || length > UNFINISHED_LIMIT {
        return Ok(());
    }
    let mut bytes = Vec::new();
    file.by_ref()
        .take(UNFINISHED_LIMIT)
        .read_to_end(&mut bytes)?;
    let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    let unmarked = is_zero(&bytes[..bytes.len().min(9)]);
    if unmarked && is_zero(bytes.get(4096..).unwrap_or_default()) {
        tracing::info!(ledger = %path.display(), "an empty ledger whose making was cut off is made anew");
        fs::remove_file(path)?;
    }
    Ok(())
}

enum Stop {
    Fault(Fault),
    Newer(u32),
}

impl<E: Into<Fault>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

/// Checks the schema, or writes it into a new database, and ends the last owner's claims and
/// leases. Returns the ledger's id.
fn take_over(database: &Database) -> Result<String, Stop> {
    let transaction = database.begin_write()?;
    let tables: Vec<String> = transaction
        .list_tables()?
        .map(|table| table.name().to_owned())
        .collect();
    let is_new = tables.is_empty();
    if !is_new {
        check_schema(&transaction, &tables)?;
    }
    let id = {
        let mut tables = Tables::open(&transaction)?;
        if is_new {
            let id = hex::encode(fastrand::u128(..).to_be_bytes());
            tables.meta.insert("schema", SCHEMA.to_string().as_str())?;
            tables.meta.insert("id", id.as_str())?;
        }
        end_claims(&mut tables)?;
        tables.leases.retain(|_, _| false)?;
        let id = tables.meta.get("id")?;
        id.map(|id| id.value().to_owned())
            .ok_or_else(|| Fault::Damaged("it has no id".to_owned()))?
    };
    transaction.commit()?;
    Ok(id)
}

fn check_schema(transaction: &WriteTransaction, tables: &[String]) -> Result<(), Stop> {
    let not_ours = |cause: &str| Fault::Damaged(cause.to_owned());
    if !tables.iter().any(|table| table == META.name()) {
        return Err(not_ours("it is a redb database, but no ledger").into());
    }
    let meta = transaction.open_table(META)?;
    let schema = meta.get("schema")?;
    let schema = schema.and_then(|schema| schema.value().parse().ok());
    match schema {
        Some(found) if found > SCHEMA => Err(Stop::Newer(found)),
        Some(SCHEMA) => Ok(()),
        Some(_) | None => Err(not_ours("its format is not named").into()),
    }
}

/// The last owner is dead: what it claimed was interrupted, however long the claims would have lived.
fn end_claims(tables: &mut Tables<'_>) -> Result<(), Fault> {
    let mut claimed = Vec::new();
    for entry in tables.builds.iter()? {
        let (key, row) = entry?;
        let (subdir, stem) = key.value();
        let row: BuildRow = from_json("build", stem, row.value())?;
        if row.is_held() {
            claimed.push((subdir.to_owned(), stem.to_owned(), row));
        }
    }
    for (subdir, stem, mut row) in claimed {
        row.interrupt();
        tables.put_build(&subdir, &stem, &row)?;
    }
    Ok(())
}

//! Facts of a database that nobody writes to, as a checkpoint is: reading them changes none of its files.

use super::facts::Facts;
use super::{Error, tables};
use rocksdb::{ColumnFamilyDescriptor, DB, Options};
use std::path::Path;

/// Facts of a database at rest.
#[derive(Clone, Debug)]
pub struct Peek {
    /// Version of its layout.
    pub format: u32,
    /// Facts as the last batch left them.
    pub facts: Facts,
}

/// Reads the facts of the database in `path`.
///
/// # Errors
/// When it is none, or damaged.
pub fn peek(path: &Path) -> Result<Peek, Error> {
    let damaged = |what| Error::Malformed { what, path: path.to_owned() };
    let meta = [ColumnFamilyDescriptor::new(tables::META, Options::default())];
    let db = DB::open_cf_descriptors_read_only(&Options::default(), path, meta, false)
        .map_err(|source| Error::rocks("read the database", path, source))?;
    let table = db.cf_handle(tables::META).ok_or_else(|| damaged(tables::META))?;
    let get = |key: &[u8]| db.get_cf(table, key).map_err(|source| Error::rocks("read", path, source));
    let format = get(tables::META_FORMAT)?.and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let facts = match get(tables::META_FACTS)? {
        Some(json) => Facts::of(&json).ok_or_else(|| damaged("facts"))?,
        None => Facts::default(),
    };
    Ok(Peek { format: format.ok_or_else(|| damaged("format"))?, facts })
}

//! An import: rows in, a database out, or nothing.
//!
//! Everything is made in a directory of its own beside the place where a replica looks for its database, and moved there
//! when it is whole. An import that was killed goes on where its journal says; one whose state is not that of the block
//! leaves nothing.

use crate::check::{Check, Counts};
use crate::error::{Error, io};
use crate::failpoints;
use crate::journal::{Checked, Journal, Reading, Stage, Work};
use crate::master::{Blocks, Header};
use crate::progress::{Meter, Report};
use crate::rounds::{Writer, round};
use crate::series::{self, Series};
use crate::source::{Files, Source};
use maidenlane_chain::{B256, BlockRef};
use maidenlane_replay::store_path;
use maidenlane_service::failpoint;
use maidenlane_store::bulk::{Format, Table};
use maidenlane_store::{Base, Store};
use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// Rows between two entries in the journal: a second or two are done again after a kill.
const ROUND_ROWS: u64 = 2 << 20;
/// Memory of the database for what it has read, in bytes.
const CACHE_BYTES: usize = 64 << 20;

/// Plan of an import.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The state.
    pub files: Files,
    /// The replica's state directory.
    pub state_dir: PathBuf,
    /// Block whose state it is, as [`Blocks::header`] takes it.
    pub block: String,
    /// EIP-155 chain id of the settings.
    pub chain_id: u64,
    /// Genesis hash of the settings.
    pub genesis: Option<B256>,
    /// True if trie nodes are to be kept.
    pub proofs: bool,
    /// True to forget what an import before this one has left.
    pub restart: bool,
    /// Rows between two entries in the journal.
    pub round_rows: u64,
}

impl Plan {
    /// Rows between two entries in the journal where nobody asks for another number.
    pub const ROUND_ROWS: u64 = ROUND_ROWS;
}

/// An import that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Block whose state it is: a feed must begin there.
    pub block: BlockRef,
    /// Oldest block that can be asked for.
    pub floor: u64,
    /// Rows of the state.
    pub counts: Counts,
}

/// Imports a state, and the blocks that it needs from `blocks`.
///
/// # Errors
/// When anything is not as it should be; what was done so far is kept for the next start, unless it is of no use.
pub fn import(plan: &Plan, blocks: &dyn Blocks, report: Report) -> Result<Imported, Error> {
    let genesis = blocks.genesis(plan.chain_id, plan.genesis)?;
    let header = blocks.header(&plan.block)?;
    let dir = plan.state_dir.join("import");
    let lock = lock(&plan.state_dir)?;
    let work =
        Work { files: plan.files.clone(), bytes: plan.files.bytes()?, block: header.at, proofs: plan.proofs };
    if plan.restart {
        remove(&dir)?;
    }
    let placed = in_place(&plan.state_dir, header.at, dir.exists())?;
    fs::create_dir_all(&dir).map_err(|error| io("create", &dir, error))?;
    let (journal, stage) = Journal::open(&dir, work)?;
    let imported = match (placed, &stage) {
        // Killed between its last two steps.
        (Some(floor), Stage::Checked(checked)) => {
            Imported { block: header.at, floor, counts: checked.counts }
        }
        _ => {
            let made =
                make(&Import { plan, dir: &dir, header: &header, genesis }, &journal, stage, blocks, report);
            if made.as_ref().is_err_and(Error::is_of_state) {
                remove(&dir)?;
            }
            let imported = made?;
            failpoint(failpoints::BEFORE_PLACE);
            // A replica that was started meanwhile has made an empty one.
            in_place(&plan.state_dir, header.at, false)?;
            place(&dir, &store_path(&plan.state_dir))?;
            failpoint(failpoints::AFTER_PLACE);
            imported
        }
    };
    remove(&dir)?;
    drop(lock);
    Ok(imported)
}

/// One import on its way.
struct Import<'a> {
    plan: &'a Plan,
    dir: &'a Path,
    header: &'a Header,
    genesis: B256,
}

/// Makes the database in the import's own directory.
fn make(
    import: &Import<'_>,
    journal: &Journal,
    stage: Stage,
    blocks: &dyn Blocks,
    report: Report,
) -> Result<Imported, Error> {
    let store = Store::open(&store_path(import.dir), CACHE_BYTES)?;
    let mut checked = match stage {
        Stage::Checked(checked) => checked,
        Stage::Reading(reading) => {
            let checked = read(import, journal, *reading, &store, report)?;
            journal.write(&Stage::Checked(checked.clone()))?;
            checked
        }
    };
    failpoint(failpoints::BEFORE_TAKE_OVER);
    for table in [Table::Accounts, Table::Slots, Table::Nodes] {
        if checked.taken.insert(table) {
            store.take_over(table, &series::paths(import.dir, table, checked.of(table)))?;
            journal.write(&Stage::Checked(checked.clone()))?;
            failpoint(failpoints::AFTER_TABLE);
        }
    }
    if let Some(hash) = store.missing_code()? {
        return Err(Error::NoCode(hash));
    }
    let floor = past(import, &store, blocks)?;
    Ok(Imported { block: import.header.at, floor, counts: checked.counts })
}

/// Reads all rows that were not read before; tells where their files are.
fn read(
    import: &Import<'_>,
    journal: &Journal,
    mut so_far: Reading,
    store: &Store,
    report: Report,
) -> Result<Checked, Error> {
    let [for_accounts, for_slots, for_nodes] = [Table::Accounts, Table::Slots, Table::Nodes].map(Format::of);
    let (dir, nodes) = (import.dir, import.plan.proofs.then_some(&for_nodes));
    let mut source = Source::open(&import.plan.files, dir)?;
    pass(&mut source, so_far.rows)?;
    let meter = Meter::behind(so_far.rows, report, source.bytes(), import.plan.files.bytes()?);
    loop {
        let check = Check::open(dir, so_far.check, nodes)?;
        let mut writer = Writer {
            accounts: Series::behind(dir, Table::Accounts, &for_accounts, so_far.accounts),
            slots: Series::behind(dir, Table::Slots, &for_slots, so_far.slots),
            store,
        };
        let (check, rows, more) = round(&mut source, import.plan.round_rows, check, &mut writer, &meter)?;
        let (accounts, slots) = (writer.accounts.end()?, writer.slots.end()?);
        store.flush()?;
        if !more {
            let (root, nodes, counts) = check.end()?;
            let Header { at: block, state_root: expected, .. } = *import.header;
            if root != expected {
                return Err(Error::StateRoot { block, expected, found: root });
            }
            return Ok(Checked { accounts, slots, nodes, counts, taken: BTreeSet::new() });
        }
        so_far = Reading { rows: so_far.rows.saturating_add(rows), accounts, slots, check: check.pause()? };
        failpoint(failpoints::BEFORE_JOURNAL);
        journal.write(&Stage::Reading(Box::new(so_far.clone())))?;
        failpoint(failpoints::AFTER_JOURNAL);
    }
}

/// Passes over rows that were read at an earlier start.
fn pass(source: &mut Source, rows: u64) -> Result<(), Error> {
    for _ in 0..rows {
        if source.next()?.is_none() {
            break;
        }
    }
    Ok(())
}

/// Writes the block of the state and those before it, the oldest first, and with the last one what the database is.
/// Returns the oldest block that is whole.
fn past(import: &Import<'_>, store: &Store, blocks: &dyn Blocks) -> Result<u64, Error> {
    let base = import.header.at;
    store.forget_past()?;
    let mut floor = base.number.saturating_add(1);
    for header in blocks.ancestry(import.header.clone())?.iter().rev() {
        let past = blocks.past(header)?;
        floor =
            if past.content.is_none() { past.at.number.saturating_add(1) } else { floor.min(past.at.number) };
        let content = past.content.as_ref().map(|(body, receipts)| (body.as_ref(), receipts.as_ref()));
        store.put_past(past.at, &past.header, content)?;
    }
    let Plan { chain_id, proofs, .. } = *import.plan;
    store.begin(&Base { block: base, floor, chain_id, genesis: import.genesis, proofs })?;
    Ok(floor)
}

/// Looks what is in the place of the database: the oldest block of this import's own, if it was `begun`.
fn in_place(state_dir: &Path, block: BlockRef, begun: bool) -> Result<Option<u64>, Error> {
    let path = store_path(state_dir);
    if !path.exists() {
        return Ok(None);
    }
    let facts = Store::open(&path, CACHE_BYTES)?.facts();
    match facts.head {
        // Of a replica that was started before there was anything to begin with.
        None => remove(&path).map(|()| None),
        Some(head) if head == block && begun => Ok(Some(facts.base)),
        Some(head) => Err(Error::Occupied { path: state_dir.to_owned(), head }),
    }
}

/// Moves the database to its place.
fn place(dir: &Path, target: &Path) -> Result<(), Error> {
    let sync = |path: &Path| File::open(path).and_then(|dir| dir.sync_all());
    fs::rename(store_path(dir), target)
        .and_then(|()| target.parent().map_or(Ok(()), sync))
        .map_err(|error| io("move the database to", target, error))
}

/// Locks a state directory against other imports, until the file is dropped.
fn lock(state_dir: &Path) -> Result<File, Error> {
    let path = state_dir.join("import.lock");
    fs::create_dir_all(state_dir).map_err(|error| io("create", state_dir, error))?;
    let lock = File::options().write(true).create(true).truncate(false).open(&path);
    let lock = lock.map_err(|error| io("open", &path, error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::Busy(state_dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(io("lock", &path, error)),
    }
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io("remove", path, error)),
        _ => Ok(()),
    }
}

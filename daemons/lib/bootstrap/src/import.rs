//! An import: rows in, a database out, or nothing.
//!
//! Everything is made in a directory of its own beside the place where a replica looks for its database, and moved there
//! when it is whole. The journal is written before anything that it speaks of; a directory without one, or without the
//! database, is nobody's and goes at the next start. An import that was killed goes on where its journal says; one whose
//! state is not that of the block leaves nothing.

use crate::check::{Check, Counts};
use crate::error::Error;
use crate::failpoints;
use crate::journal::{self, Checked, Journal, Reading, Stage, Work};
use crate::master::{Blocks, Header};
use crate::progress::{Meter, Report};
use crate::rounds::{Writer, round};
use crate::series::{self, Series};
use crate::source::{Files, Source};
use maidenlane_chain::{B256, BlockRef};
use maidenlane_replay::{place::Place, store_path};
use maidenlane_service::failpoint;
use maidenlane_store::bulk::{Format, Table};
use maidenlane_store::{Base, Codes, Store};
use std::collections::BTreeSet;
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
    let place = Place::lock(&plan.state_dir, "import")?;
    let work =
        Work { files: plan.files.clone(), bytes: plan.files.bytes()?, block: header.at, proofs: plan.proofs };
    if plan.restart {
        place.discard()?;
    }
    if let Some((floor, counts)) = finished(&place, &work)? {
        place.discard()?;
        return Ok(Imported { block: header.at, floor, counts });
    }
    if !(is_begun(&place) && store_path(place.dir()).exists()) {
        place.discard()?;
    }
    place.begin()?;
    let (journal, stage) = Journal::open(place.dir(), work)?;
    // Before anything that it speaks of: files without a journal are nobody's.
    journal.write(&stage)?;
    let made =
        make(&Import { plan, dir: place.dir(), header: &header, genesis }, &journal, stage, blocks, report);
    if made.as_ref().is_err_and(Error::is_of_state) {
        place.discard()?;
    }
    let imported = made?;
    failpoint(failpoints::BEFORE_PLACE);
    place.fill()?;
    failpoint(failpoints::AFTER_PLACE);
    place.discard()?;
    Ok(imported)
}

/// True if an import was begun whose journal can be believed: its directory goes with all that the journal speaks of.
fn is_begun(place: &Place) -> bool {
    journal::path(place.dir()).exists()
}

/// Oldest block and rows of an import of this work that was killed between its last two steps: its database is in place.
fn finished(place: &Place, work: &Work) -> Result<Option<(u64, Counts)>, Error> {
    let Some(facts) = place.held()? else { return Ok(None) };
    match (facts.head, is_begun(place)) {
        (Some(head), true) if head == work.block => match Journal::open(place.dir(), work.clone())?.1 {
            Stage::Checked(checked) => Ok(Some((facts.base, checked.counts))),
            Stage::Reading(_) => Err(place.occupied(head).into()),
        },
        (Some(head), _) => Err(place.occupied(head).into()),
        (None, _) => Ok(None),
    }
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
    let (expected, found) = (checked.counts.accounts, store.accounts_with_codes()?);
    match found {
        Codes::Missing(hash) => return Err(Error::NoCode(hash)),
        Codes::Whole { accounts } if accounts != expected => {
            return Err(Error::Rows { expected, found: accounts });
        }
        Codes::Whole { .. } => {}
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
        let (at, content) = (header.at, blocks.content(header)?);
        floor = match &content {
            Some(_) => floor.min(at.number),
            None if at == base => return Err(Error::NoContent(base)),
            None => at.number.saturating_add(1),
        };
        let content = content.as_ref().map(|(body, receipts)| (body.as_ref(), receipts.as_ref()));
        store.put_past(at, &header.raw, content)?;
    }
    let Plan { chain_id, proofs, .. } = *import.plan;
    store.begin(&Base { block: base, floor, chain_id, genesis: import.genesis, proofs })?;
    Ok(floor)
}

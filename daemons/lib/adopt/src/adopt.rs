//! An adoption, step by step. Each step may be killed, and is done again or passed over by the next start.

use crate::adoption::{Adoption, refuse};
use crate::copy;
use crate::data_dir::{DataDir, Held};
use crate::error::Error;
use crate::events::Event;
use crate::facts::{Facts, Objection};
use crate::failpoints;
use crate::geth::Commands;
use crate::journal::{Journal, Released, Stage, Work};
use crate::rerun::Rerun;
use crate::way::Way;
use maidenlane_chain::{B256, BlockRef};
use maidenlane_service::failpoint;
use std::path::PathBuf;
use std::time::Instant;

/// A node that is adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Block behind which the spool begins: its state was exported, or it is in the feed that goes on.
    pub block: BlockRef,
    /// Newest block that geth had when it was stopped.
    pub head: u64,
    /// Time for which geth could not run, in milliseconds.
    pub downtime_ms: u64,
    /// The state: `snapshot` and `code`, or `dump`; nothing where a feed goes on.
    pub files: Vec<PathBuf>,
}

/// Adopts a node that is stopped. While it does, what geth needs is locked; from [`Event::Start`] on geth may run.
///
/// # Errors
/// When anything is not as it should be. The node's own data are not touched: geth can be started as it was before.
pub fn adopt(adoption: &Adoption, tell: &mut dyn FnMut(Event)) -> Result<Adopted, Error> {
    let Adoption { data_dir, work, way, .. } = adoption;
    let owner = data_dir.owner()?;
    if owner.is_foreign() {
        return Err(Error::Objections(vec![Objection::User(owner.id)]));
    }
    let work_of = Work { data_dir: data_dir.path().to_owned(), way: *way, hook: adoption.hook.to_string() };
    let (journal, stage) = Journal::open(work, work_of, owner)?;
    let log = work.join("geth.log");
    let commands = Commands { geth: &adoption.geth, log: &log, owner };
    let run = Run { adoption, commands, journal };
    let released = match stage {
        Stage::Exported(released) => match run.begins_anew(released)? {
            None => return run.end(released),
            Some(held) => run.release(stage, &held, tell)?,
        },
        Stage::Released(released) => released,
        stage => run.release(stage, &data_dir.hold()?, tell)?,
    };
    tell(Event::Start { downtime_ms: released.downtime_ms });
    failpoint(failpoints::RELEASED);
    run.export(released, tell)
}

/// One adoption on its way.
struct Run<'a> {
    adoption: &'a Adoption,
    commands: Commands<'a>,
    journal: Journal,
}

impl Run<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.adoption.work.join(name)
    }

    /// The stopped node, if what was exported is gone, or geth has run since: whoever stopped it wants another export.
    fn begins_anew(&self, released: Released) -> Result<Option<Held>, Error> {
        let is_there = self.files().iter().all(|file| file.exists());
        match self.adoption.data_dir.hold() {
            Ok(held) if held.listing.fingerprint() != released.fingerprint => Ok(Some(held)),
            _ if is_there => Ok(None),
            held => held.map(Some),
        }
    }

    /// Everything for which geth must be stopped.
    fn release(&self, stage: Stage, held: &Held, tell: &mut dyn FnMut(Event)) -> Result<Released, Error> {
        let begun = Instant::now();
        let fingerprint = held.listing.fingerprint();
        let executed = self.execute(stage, fingerprint, held, tell);
        if executed.as_ref().is_err_and(Error::is_of_node) {
            // Copies keep files alive that geth has done with.
            self.journal.write(Stage::Begun)?;
            ["state", "rerun"].iter().try_for_each(|name| copy::remove(&self.path(name)))?;
        }
        let (base, head) = executed?;
        self.adoption.hook.take_over()?;
        failpoint(failpoints::EXECUTED);
        let downtime_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let released = Released { fingerprint, base, head, downtime_ms };
        self.journal.write(Stage::Released(released))?;
        Ok(released)
    }

    /// Copies, and blocks executed. Returns the block behind which these begin, and the head.
    fn execute(
        &self,
        stage: Stage,
        fingerprint: B256,
        held: &Held,
        tell: &mut dyn FnMut(Event),
    ) -> Result<(BlockRef, u64), Error> {
        // Where geth has run since, the copies are of an older state.
        match stage {
            Stage::Executed { fingerprint: of, base, head } if of == fingerprint => return Ok((base, head)),
            Stage::Copied { fingerprint: of } if of == fingerprint => {}
            _ => self.copied(fingerprint, held, tell)?,
        }
        failpoint(failpoints::COPIED);
        let state = DataDir::open(&self.path("state"), None)?;
        let metadata = self.commands.metadata(&state)?;
        refuse(&Facts { flat: Some(metadata.flat), ..self.adoption.facts(0)? })?;
        let rerun = Rerun {
            adoption: self.adoption,
            commands: self.commands,
            held,
            state: &state,
            metadata: &metadata,
        };
        let base = match self.adoption.way {
            Way::Dump => {
                rerun.keep_head()?;
                BlockRef::new(metadata.head, metadata.head_hash)
            }
            Way::Export | Way::TakeOver { .. } => rerun.execute(tell)?,
        };
        failpoint(failpoints::AFTER_EXECUTION);
        self.journal.write(Stage::Executed { fingerprint, base, head: metadata.head })?;
        Ok((base, metadata.head))
    }

    /// Makes the copy whose state is exported.
    fn copied(&self, fingerprint: B256, held: &Held, tell: &mut dyn FnMut(Event)) -> Result<(), Error> {
        let Adoption { work, way, hook, .. } = self.adoption;
        let own_bytes = copy::sizes(&held.listing, work, 0)?.own_bytes;
        let copied_bytes = own_bytes.saturating_mul(way.copies());
        refuse(&Facts { copied_bytes, ..self.adoption.facts(0)? })?;
        // A spool that cannot be written is told before anything takes time.
        hook.draft(self.commands.owner)?;
        hook.discard()?;
        self.journal.write(Stage::Begun)?;
        for left in [Way::Export, Way::Dump].into_iter().flat_map(Way::files) {
            copy::remove_file(&self.path(left))?;
        }
        tell(Event::Copying);
        copy::copy(&held.listing, 0, self.commands.owner, &self.path("state"))?;
        failpoint(failpoints::AFTER_COPY);
        self.journal.write(Stage::Copied { fingerprint })
    }

    /// Exports the state of the copy.
    fn export(&self, released: Released, tell: &mut dyn FnMut(Event)) -> Result<Adopted, Error> {
        if !self.files().is_empty() {
            tell(Event::Exporting);
        }
        let state = DataDir::open(&self.path("state"), None)?;
        for (name, file) in self.adoption.way.files().iter().zip(self.files()) {
            match self.adoption.way {
                _ if file.exists() => {}
                Way::Dump => self.commands.dump(&state, &file)?,
                Way::Export | Way::TakeOver { .. } => self.commands.export(&state, name, &file)?,
            }
            failpoint(failpoints::AFTER_FILE);
        }
        self.journal.write(Stage::Exported(released))?;
        failpoint(failpoints::EXPORTED);
        self.end(released)
    }

    fn files(&self) -> Vec<PathBuf> {
        self.adoption.way.files().iter().map(|name| self.path(name)).collect()
    }

    /// Leaves nothing but the export.
    fn end(&self, released: Released) -> Result<Adopted, Error> {
        copy::remove(&self.path("state"))?;
        let Released { base, head, downtime_ms, .. } = released;
        Ok(Adopted { block: base, head, downtime_ms, files: self.files() })
    }
}

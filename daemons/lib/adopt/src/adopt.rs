//! An adoption, step by step. Each step may be killed, and is done again or passed over by the next start.

use crate::above;
use crate::copy::{self, give};
use crate::data_dir::DataDir;
use crate::error::{Error, io};
use crate::facts::{Facts, objections};
use crate::failpoints;
use crate::geth::{Commands, Geth};
use crate::journal::{Journal, Released, Stage, Work};
use crate::metadata::Metadata;
use crate::spool::Hook;
use crate::way::Way;
use maidenlane_chain::{B256, BlockRef};
use maidenlane_service::failpoint;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Instant;

/// Blocks below the head that are looked through for the one whose state is on the disk, first; then ten times as many.
const BLOCKS: u64 = 1_000;
/// The most that are looked through, and executed again.
const BLOCKS_MAX: u64 = 100_000;
/// Words of a geth that does not know the state of its head.
const REWOUND: &str = "Rewound to block with available state";

/// Plan of an adoption.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// The node's data.
    pub data_dir: DataDir,
    /// Where the copies and the export go.
    pub work: PathBuf,
    /// A geth with the hook.
    pub geth: Geth,
    /// Settings of the hook.
    pub hook: Hook,
    /// How the state is to be had.
    pub way: Way,
}

impl Adoption {
    /// Facts about a node that is stopped, with copies of this size.
    pub(crate) fn facts(&self, copied_bytes: u64) -> Result<Facts, Error> {
        Ok(Facts {
            way: self.way,
            scheme: self.data_dir.scheme(),
            journal: Some(self.data_dir.journal().exists()),
            flat: None,
            syncing: None,
            node_version: None,
            geth_version: self.geth.version().to_owned(),
            spool_empty: self.hook.is_empty()?,
            copied_bytes,
            free_bytes: copy::free_bytes(&self.work)?,
        })
    }
}

/// A node that is adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Block whose state was exported: the feed begins there.
    pub block: BlockRef,
    /// Newest block that geth had when it was stopped.
    pub head: u64,
    /// Time for which geth could not run, in milliseconds.
    pub downtime_ms: u64,
    /// The state: `snapshot` and `code`, or `dump`.
    pub files: Vec<PathBuf>,
}

/// Something that the operator is told meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A copy is made.
    Copying,
    /// Blocks are executed with the hook.
    Executing {
        /// The last block that is not.
        base: BlockRef,
        /// The last one that is.
        head: u64,
    },
    /// geth is to be started now, with the hook.
    Start {
        /// Time for which it could not run, in milliseconds.
        downtime_ms: u64,
    },
    /// The state is exported, while geth runs.
    Exporting,
}

/// Adopts a node that is stopped. While it does, what geth needs is locked; from [`Event::Start`] on geth may run.
///
/// # Errors
/// When anything is not as it should be. The node's own data are not touched: geth can be started as it was before.
pub fn adopt(adoption: &Adoption, tell: &mut dyn FnMut(Event)) -> Result<Adopted, Error> {
    let Adoption { data_dir, work, way, .. } = adoption;
    let work_of = Work { data_dir: data_dir.path().to_owned(), way: *way, hook: adoption.hook.to_string() };
    let (journal, stage) = Journal::open(work, work_of)?;
    let owner = data_dir.owner()?;
    give(work, owner).map_err(io("give to geth's user", work))?;
    let log = work.join("geth.log");
    let commands = Commands { geth: &adoption.geth, log: &log, owner };
    let run = Run { adoption, commands, journal };
    let released = match stage {
        Stage::Exported(released) if run.is_of_use(released)? => return run.end(released),
        Stage::Released(released) => released,
        stage => run.release(stage, tell)?,
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

    /// True unless the export is gone, or geth has run since and is stopped: whoever stopped it wants another one.
    fn is_of_use(&self, released: Released) -> Result<bool, Error> {
        let data_dir = &self.adoption.data_dir;
        let begins_anew = data_dir.lock().is_ok() && data_dir.fingerprint()? != released.fingerprint;
        Ok(!begins_anew && self.files().iter().all(|file| file.exists()))
    }

    /// Everything for which geth must be stopped.
    fn release(&self, stage: Stage, tell: &mut dyn FnMut(Event)) -> Result<Released, Error> {
        let begun = Instant::now();
        let lock = self.adoption.data_dir.lock()?;
        let fingerprint = self.adoption.data_dir.fingerprint()?;
        let executed = self.execute(stage, fingerprint, &lock, tell);
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

    /// Copies, and the blocks above the state executed. Returns the block whose state the copy has, and the head.
    fn execute(
        &self,
        stage: Stage,
        fingerprint: B256,
        lock: &File,
        tell: &mut dyn FnMut(Event),
    ) -> Result<(BlockRef, u64), Error> {
        // Where geth has run since, the copies are of an older state.
        match stage {
            Stage::Executed { fingerprint: of, base, head } if of == fingerprint => return Ok((base, head)),
            Stage::Copied { fingerprint: of } if of == fingerprint => {}
            _ => self.copied(fingerprint, tell)?,
        }
        failpoint(failpoints::COPIED);
        let state = DataDir::open(&self.path("state"), None)?;
        let (base, head) = match self.adoption.way {
            Way::Dump => self.head(&state)?,
            Way::Export => self.again(&state, lock, tell)?,
        };
        failpoint(failpoints::AFTER_EXECUTION);
        self.journal.write(Stage::Executed { fingerprint, base, head })?;
        Ok((base, head))
    }

    /// Makes the copy whose state is exported.
    fn copied(&self, fingerprint: B256, tell: &mut dyn FnMut(Event)) -> Result<(), Error> {
        self.refuse(None)?;
        // A spool that cannot be written is told before anything takes time.
        self.adoption.hook.draft(self.commands.owner)?;
        self.adoption.hook.discard()?;
        self.journal.write(Stage::Begun)?;
        for left in [Way::Export, Way::Dump].into_iter().flat_map(Way::files) {
            copy::remove_file(&self.path(left))?;
        }
        tell(Event::Copying);
        copy::copy(&self.adoption.data_dir, &self.path("state"))?;
        failpoint(failpoints::AFTER_COPY);
        self.journal.write(Stage::Copied { fingerprint })
    }

    /// Refuses what cannot be adopted, as far as it is known.
    fn refuse(&self, metadata: Option<&Metadata>) -> Result<(), Error> {
        let Adoption { data_dir, work, way, .. } = self.adoption;
        // With the first copy made, nothing is said of room again.
        let copied_bytes = match metadata {
            Some(_) => 0,
            None => copy::sizes(data_dir, work)?.own_bytes.saturating_mul(way.copies()),
        };
        let facts = self.adoption.facts(copied_bytes)?;
        let facts = Facts { flat: metadata.map(|metadata| metadata.flat), ..facts };
        match objections(&facts) {
            none if none.is_empty() => Ok(()),
            objections => Err(Error::Objections(objections)),
        }
    }

    /// Head of the copy.
    fn head(&self, state: &DataDir) -> Result<(BlockRef, u64), Error> {
        let metadata = self.commands.metadata(state)?;
        self.refuse(Some(&metadata))?;
        let file = self.blocks(state, metadata.head, 1)?;
        copy::remove_file(&file)?;
        Ok((BlockRef::new(metadata.head, metadata.head_hash), metadata.head))
    }

    /// Exports the newest blocks of a copy. geth takes over its journal for that, or says that it would rewind.
    fn blocks(&self, state: &DataDir, head: u64, blocks: u64) -> Result<PathBuf, Error> {
        let file = self.path("above.rlp");
        let first = head.saturating_sub(blocks.saturating_sub(1)).max(1);
        match self.commands.blocks(state, &file, first, head) {
            Err(Error::Command { said, .. }) if said.contains(REWOUND) => Err(Error::Rewinds(head)),
            exported => exported.map(|()| file),
        }
    }

    /// Block whose state is on the disk, and the head, once the blocks between have been executed with the hook.
    fn again(
        &self,
        state: &DataDir,
        lock: &File,
        tell: &mut dyn FnMut(Event),
    ) -> Result<(BlockRef, u64), Error> {
        let metadata = self.commands.metadata(state)?;
        self.refuse(Some(&metadata))?;
        let (file, base) = self.base(state, &metadata)?;
        let head = metadata.head;
        if base.number < head {
            tell(Event::Copying);
            let rerun = copy::copy(&self.adoption.data_dir, &self.path("rerun"))?;
            // Without its journal, geth stands where its disk does.
            fs::remove_file(rerun.journal()).map_err(io("remove", &rerun.journal()))?;
            failpoint(failpoints::BEFORE_EXECUTION);
            tell(Event::Executing { base, head });
            let hook = self.adoption.hook.draft(self.commands.owner)?;
            self.commands.execute(&rerun, &file, &hook, lock)?;
            let found = self.commands.metadata(&rerun)?;
            if found.head_hash != metadata.head_hash {
                return Err(Error::NotExecuted {
                    head,
                    found: found.head,
                    log: self.commands.log.to_owned(),
                });
            }
            self.adoption.hook.check(base, metadata.head_hash)?;
            copy::remove(rerun.path())?;
        }
        copy::remove_file(&file)?;
        Ok((base, head))
    }

    /// The block whose state is on the disk, and a file of the blocks above it.
    fn base(&self, state: &DataDir, metadata: &Metadata) -> Result<(PathBuf, BlockRef), Error> {
        let Metadata { head, disk_root: root, .. } = *metadata;
        let mut blocks = BLOCKS;
        loop {
            let file = self.blocks(state, head, blocks)?;
            if let Some(base) = above::find(&file, root)? {
                return Ok((file, base));
            }
            if blocks >= BLOCKS_MAX || blocks >= head {
                return Err(Error::NoBase { blocks: blocks.min(head), head, root });
            }
            blocks = blocks.saturating_mul(10);
        }
    }

    /// Exports the state of the copy.
    fn export(&self, released: Released, tell: &mut dyn FnMut(Event)) -> Result<Adopted, Error> {
        tell(Event::Exporting);
        let state = DataDir::open(&self.path("state"), None)?;
        for (name, file) in self.adoption.way.files().iter().zip(self.files()) {
            match self.adoption.way {
                _ if file.exists() => {}
                Way::Export => self.commands.export(&state, name, &file)?,
                Way::Dump => self.commands.dump(&state, &file)?,
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

//! Blocks that are executed once more in a copy, with the hook.

use crate::above::{self, Exported};
use crate::adoption::{Adoption, refuse};
use crate::copy;
use crate::data_dir::{DataDir, Held};
use crate::error::{Error, io};
use crate::events::Event;
use crate::facts::{Facts, Rewind};
use crate::failpoints;
use crate::geth::Commands;
use crate::metadata::Metadata;
use maidenlane_chain::BlockRef;
use maidenlane_service::failpoint;
use std::fs;
use std::path::PathBuf;

/// Blocks below the head that are looked through for the one whose state is on the disk, first; then ten times as many.
const BLOCKS: u64 = 1_000;
/// The most that are looked through, and executed again.
const BLOCKS_MAX: u64 = 100_000;
/// Words of a geth that does not know the state of its head.
const REWOUND: &str = "Rewound to block with available state";

/// Execution of them.
pub(crate) struct Rerun<'a> {
    pub(crate) adoption: &'a Adoption,
    pub(crate) commands: Commands<'a>,
    pub(crate) held: &'a Held,
    /// The copy that stays as the node was when it stopped.
    pub(crate) state: &'a DataDir,
    pub(crate) metadata: &'a Metadata,
}

/// Blocks to execute.
struct Range {
    file: PathBuf,
    blocks: Vec<Exported>,
    /// Block whose state is on the disk.
    disk: BlockRef,
    /// The last one that is not executed again.
    base: BlockRef,
}

impl Rerun<'_> {
    /// Executes the blocks above what is on the disk, or above the newest one of a feed that goes on, if that is below.
    /// Returns the last block that was not.
    pub(crate) fn execute(&self, tell: &mut dyn FnMut(Event)) -> Result<BlockRef, Error> {
        let Range { file, blocks, disk, base } = self.range()?;
        let Metadata { head, head_hash, flat, .. } = *self.metadata;
        let rewind = (base != disk).then(|| {
            let needed = above::differences(&blocks, base.number, disk.number);
            self.state.differences().map(|kept| Rewind { needed, kept })
        });
        let facts = self.adoption.facts(above::gas_behind(&blocks, base.number))?;
        let cut = head.saturating_sub(base.number);
        let copied_bytes = copy::sizes(&self.held.listing, &self.adoption.work, cut)?.own_bytes;
        refuse(&Facts { flat: Some(flat), rewind: rewind.transpose()?, copied_bytes, ..facts })?;
        if cut > 0 {
            tell(Event::Copying);
            let (owner, target) = (self.commands.owner, self.adoption.work.join("rerun"));
            let rerun = copy::copy(&self.held.listing, cut, owner, &target)?;
            // Without its journal, geth stands where its disk does.
            fs::remove_file(rerun.journal()).map_err(io("remove", &rerun.journal()))?;
            if base != disk {
                tell(Event::Rewinding { from: disk, to: base });
                self.rewind(&rerun, base)?;
            }
            failpoint(failpoints::BEFORE_EXECUTION);
            tell(Event::Executing { base, head });
            let hook = self.adoption.hook.draft(owner)?;
            self.commands.execute(&rerun, &file, &hook, &self.held.lock)?;
            let found = self.commands.metadata(&rerun)?;
            if found.head_hash != head_hash {
                let log = self.commands.log.to_owned();
                return Err(Error::NotExecuted { head, found: found.head, log });
            }
            self.adoption.hook.check(base, head_hash)?;
            copy::remove(rerun.path())?;
        }
        copy::remove_file(&file)?;
        Ok(base)
    }

    /// Has geth go back in a copy, over the differences of states that it keeps.
    fn rewind(&self, rerun: &DataDir, to: BlockRef) -> Result<(), Error> {
        self.commands.rewind(rerun, to.number, &self.held.lock)?;
        let found = self.commands.metadata(rerun)?;
        if found.head_hash == to.hash {
            return Ok(());
        }
        Err(Error::NotRewound { to, found: found.head, log: self.commands.log.to_owned() })
    }

    /// Makes sure that geth takes over its journal.
    pub(crate) fn keep_head(&self) -> Result<(), Error> {
        copy::remove_file(&self.blocks(1)?)
    }

    /// Exports the newest blocks of a copy. geth takes over its journal for that, or says that it would rewind.
    fn blocks(&self, blocks: u64) -> Result<PathBuf, Error> {
        let (file, head) = (self.adoption.work.join("above.rlp"), self.metadata.head);
        let first = head.saturating_sub(blocks.saturating_sub(1)).max(1);
        match self.commands.blocks(self.state, &file, first, head) {
            Err(Error::Command { said, .. }) if said.contains(REWOUND) => Err(Error::Rewinds(head)),
            exported => exported.map(|()| file),
        }
    }

    /// Blocks that are to be executed, and some below.
    fn range(&self) -> Result<Range, Error> {
        let Metadata { head, disk_root: root, .. } = *self.metadata;
        let feed_head = self.adoption.way.feed_head();
        // That of the feed, too.
        let down_to_feed = feed_head.map_or(0, |number| head.saturating_sub(number).saturating_add(1));
        let mut looked_at = BLOCKS.max(down_to_feed).min(BLOCKS_MAX);
        loop {
            let file = self.blocks(looked_at)?;
            let blocks = above::read(&file)?;
            if let Some(disk) = above::with_root(&blocks, root) {
                let base = match feed_head.filter(|number| *number < disk.number) {
                    None => disk,
                    Some(number) => {
                        let old = Error::FeedOld { feed_head: number, head, blocks: looked_at };
                        above::numbered(&blocks, number).ok_or(old)?
                    }
                };
                return Ok(Range { file, blocks, disk, base });
            }
            if looked_at >= BLOCKS_MAX || looked_at >= head {
                return Err(Error::NoBase { blocks: looked_at.min(head), head, root });
            }
            looked_at = looked_at.saturating_mul(10).min(BLOCKS_MAX);
        }
    }
}

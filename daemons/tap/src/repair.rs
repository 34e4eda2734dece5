//! Repair of a hole: makes the master execute the missing block again, this time with our hook listening.

use crate::config::Settings;
use crate::error::Error;
use crate::follow::Lineage;
use crate::master::Master;
use crate::published::Standing;
use crate::spool::Spool;
use crate::tail::{Chain, Tail};
use alloy::consensus::Header;
use alloy::rlp::Decodable;
use maidenlane_chain::BlockRef;
use maidenlane_feed::Scanner;
use std::time::{Duration, Instant};

/// Blocks that are walked at most between the master's head and the published chain.
const WALK_MAX: usize = 100_000;
/// Published blocks remembered at first; a deeper fork reads more of the feed.
const LINKS_MIN: usize = 256;
/// Interval of looks at the spool while the consensus layer feeds the blocks again.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Outcome of a repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repaired {
    /// Nothing was missing.
    Whole,
    /// The master went back to before `missing`, and its frames are in the spool now.
    Executed {
        /// The block that was missing.
        missing: BlockRef,
    },
    /// The master went back, but the consensus layer has not fed it the block again yet. Start the tap when it has.
    Waiting {
        /// The block that is missing.
        missing: BlockRef,
    },
}

/// Finds the oldest canonical block that is not published and left no frames, or without trie nodes if the settings ask
/// for them, moves the master's head to its parent with `debug_setHead`, reports that, and waits up to `patience` for
/// the frames.
///
/// # Errors
/// When master, log or spool cannot be used.
pub fn repair(
    settings: &Settings,
    chain: Chain,
    patience: Duration,
    waits: impl FnOnce(Repaired),
) -> Result<Repaired, Error> {
    let mut spool = Spool::new(&settings.spool);
    spool.scan(&mut || ())?;
    let mut master = Master::connect(&settings.ipc)?;
    let mut log = Scanner::new(settings.backend()?.consumer(&settings.topic, 0)?);
    let with_nodes = settings.proofs_topic.is_some();
    let Some((missing, before)) = oldest_hole(&mut master, &spool, with_nodes, &mut log, chain)? else {
        return Ok(Repaired::Whole);
    };
    master.set_head(before)?;
    waits(Repaired::Waiting { missing });
    let until = Instant::now() + patience;
    while !is_whole(&spool, &missing, with_nodes) {
        if Instant::now() >= until {
            return Ok(Repaired::Waiting { missing });
        }
        std::thread::sleep(LOOK_EVERY);
        spool.scan(&mut || ())?;
    }
    Ok(Repaired::Executed { missing })
}

fn is_whole(spool: &Spool, block: &BlockRef, with_nodes: bool) -> bool {
    spool.find(&block.hash).is_some_and(|located| located.nodes || !with_nodes)
}

/// The oldest block without all frames between the master's head and the published chain, and its parent's number.
///
/// The branch may leave the published chain far below the published head, so numbers decide nothing here.
fn oldest_hole(
    master: &mut Master,
    spool: &Spool,
    with_nodes: bool,
    log: &mut Scanner,
    chain: Chain,
) -> Result<Option<(BlockRef, u64)>, Error> {
    let (mut cursor, mut hole) = (master.head()?, None);
    let mut tail = Tail::load(chain, log, LINKS_MIN)?;
    if tail.published.head().is_none() && spool.genesis()?.is_none() {
        return Ok(None); // the feed begins where the spool does
    }
    for _ in 0..WALK_MAX {
        let mut standing = tail.published.standing(cursor);
        while standing == Standing::Deeper {
            let known = tail.published.len();
            tail = Tail::load(chain, log, known.saturating_mul(4))?;
            if tail.published.len() == known {
                break; // older than the log remembers
            }
            standing = tail.published.standing(cursor);
        }
        match standing {
            Standing::Head | Standing::Ancestor => return Ok(hole),
            Standing::BelowBase | Standing::Deeper => return Err(Error::BelowBase(cursor)),
            Standing::Elsewhere => {}
        }
        let Some(number) = cursor.number.checked_sub(1) else { break };
        if !is_whole(spool, &cursor, with_nodes) {
            hole = Some((cursor, number));
        }
        let parent = match spool.parent(&cursor.hash) {
            Some(parent) => parent,
            None => {
                let raw = master.raw_header(cursor.hash)?;
                let header = Header::decode(&mut raw.as_ref());
                let bad =
                    |error: alloy::rlp::Error| Error::BadBlock { block: cursor, what: error.to_string() };
                header.map_err(bad)?.parent_hash
            }
        };
        cursor = BlockRef::new(number, parent);
    }
    Ok(hole)
}

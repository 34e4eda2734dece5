//! Closes a hole: makes the master execute the missing block again, this time with our hook listening.

use crate::error::Error;
use crate::master::Master;
use crate::spool::Spool;
use crate::tail::{Chain, Tail};
use alloy::consensus::Header;
use alloy::rlp::Decodable;
use maidenlane_chain::BlockRef;
use maidenlane_log::Backend;
use std::path::Path;
use std::time::{Duration, Instant};

/// Blocks looked at between the master's head and the feed's.
const WALK_MAX: usize = 100_000;
/// Between looks at the spool while the consensus layer feeds the blocks again.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How a repair ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repaired {
    /// Nothing was missing.
    Whole,
    /// The master went back to before `missing`, and its frames are in the spool now.
    Executed {
        /// The block that was missing.
        missing: BlockRef,
    },
    /// The master went back, but nobody has fed it the block again yet. It stays repaired: start the tap when it has.
    Waiting {
        /// The block that is missing.
        missing: BlockRef,
    },
}

/// Finds the oldest canonical block above the feed's head that left no frames, moves the master's head to its
/// parent with `debug_setHead`, and waits up to `patience` for the frames.
///
/// # Errors
/// When master, log or spool cannot be used.
pub fn repair(
    ipc: &Path,
    spool: &Path,
    log: &Backend,
    topic: &str,
    chain: Chain,
    patience: Duration,
) -> Result<Repaired, Error> {
    let tail = Tail::load(chain, log.consumer(topic, 0)?.as_mut(), 1)?;
    let mut spool = Spool::new(spool);
    spool.scan()?;
    let mut master = Master::connect(ipc)?;
    let Some((missing, before)) = oldest_hole(&mut master, &spool, tail.published.head())? else {
        return Ok(Repaired::Whole);
    };
    master.set_head(before)?;
    let until = Instant::now() + patience;
    while spool.find(&missing.hash).is_none() {
        if Instant::now() >= until {
            return Ok(Repaired::Waiting { missing });
        }
        std::thread::sleep(LOOK_EVERY);
        spool.scan()?;
    }
    Ok(Repaired::Executed { missing })
}

/// The oldest block without frames between the master's head and `published`, and its parent's number.
fn oldest_hole(
    master: &mut Master,
    spool: &Spool,
    published: Option<BlockRef>,
) -> Result<Option<(BlockRef, u64)>, Error> {
    let (mut cursor, mut hole) = (master.head()?, None);
    let floor = published.map_or(0, |head| head.number);
    for _ in 0..WALK_MAX {
        if cursor.number <= floor {
            break;
        }
        let number = cursor.number.saturating_sub(1);
        let parent = match spool.find(&cursor.hash) {
            Some(located) => located.parent,
            None => {
                hole = Some((cursor, number));
                let raw = master.raw_header(cursor.hash)?;
                let header = Header::decode(&mut raw.as_ref());
                header
                    .map_err(|error| Error::BadBlock { block: cursor, what: error.to_string() })?
                    .parent_hash
            }
        };
        cursor = BlockRef::new(number, parent);
    }
    Ok(hole)
}

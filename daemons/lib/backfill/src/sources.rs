//! Sources in their order: the first that has a block gives it, the first that has its receipts gives these. One that fails
//! is left alone for a while.

use crate::error::Error;
use crate::events::{Event, Failed, Part};
use crate::source::{Address, Source};
use maidenlane_chain::block::{self, BlockError, Body, block_hash, decode_header};
use maidenlane_chain::{B256, Block, BlockRef};
use maidenlane_replay::recover;
use maidenlane_service::{Shutdown, with_causes};
use maidenlane_store::PastBlock;
use std::time::{Duration, Instant};

/// Time after which a source that failed is tried again: doubled with each failure, up to a bound.
const AGAIN_MIN: Duration = Duration::from_secs(5);
const AGAIN_MAX: Duration = Duration::from_secs(600);

/// A block that is right, and the hash of its parent.
pub(crate) struct Whole {
    pub(crate) block: PastBlock,
    pub(crate) parent: B256,
}

/// All sources.
pub(crate) struct Sources {
    all: Vec<Slot>,
    shutdown: Shutdown,
}

/// One source, open or not.
struct Slot {
    address: Address,
    open: Option<Box<dyn Source>>,
    /// Failures since it last had something.
    failures: u32,
    /// Time before which it is left alone.
    again: Option<Instant>,
    /// Why it failed.
    reason: Option<String>,
    /// The reason that was told last.
    told: Option<String>,
}

impl Sources {
    pub(crate) fn new(addresses: &[Address], shutdown: Shutdown) -> Self {
        let slot = |address: &Address| Slot {
            address: address.clone(),
            open: None,
            failures: 0,
            again: None,
            reason: None,
            told: None,
        };
        Self { all: addresses.iter().map(slot).collect(), shutdown }
    }

    /// The sources, and why each of those that failed did.
    pub(crate) fn states(&self) -> impl Iterator<Item = (&Address, Option<&str>)> {
        self.all.iter().map(|slot| (&slot.address, slot.reason.as_deref()))
    }

    /// Sources that have failed, or are of use again, since this was asked before: each of them once, whatever becomes of later
    /// attempts.
    pub(crate) fn changes(&mut self) -> Vec<Event> {
        let change = |slot: &mut Slot| {
            if slot.reason == slot.told {
                return None;
            }
            slot.told.clone_from(&slot.reason);
            let source = slot.address.clone();
            Some(match slot.reason.clone() {
                Some(reason) => Event::Failed(Failed { source, reason }),
                None => Event::Recovered(source),
            })
        };
        self.all.iter_mut().filter_map(change).collect()
    }

    /// Time until one that failed may be tried again; none where none has.
    pub(crate) fn again(&self) -> Option<Duration> {
        let now = Instant::now();
        self.all.iter().filter_map(|slot| slot.again).min().map(|at| at.saturating_duration_since(now))
    }

    /// Asks those that failed as if their time were over.
    #[cfg(test)]
    pub(crate) fn ask_at_once(&mut self) {
        self.all.iter_mut().for_each(|slot| slot.again = None);
    }

    /// Lists directories anew: archives may have come. Opening an export again would take a read of the whole.
    pub(crate) fn list_anew(&mut self) {
        let directories = self.all.iter_mut().filter(|slot| matches!(slot.address, Address::Era(_)));
        directories.for_each(|slot| slot.open = None);
    }

    /// A block, whole and right, or what no source has of it.
    pub(crate) fn whole(&mut self, at: BlockRef) -> Result<Whole, Part> {
        let found = self.first(|source| {
            let Some(found) = source.block(at)? else { return Ok(None) };
            let wrong = |source| Error::Block { block: at, source };
            let header = decode_header(&found.header).map_err(wrong)?;
            let hash = block_hash(&found.header);
            if hash != at.hash {
                let (what, stated, found) = ("block hash", at.hash.to_string(), hash.to_string());
                return Err(wrong(BlockError::Mismatch { what, stated, found }));
            }
            let transactions = Body::parse(&found.body)
                .and_then(|body| body.check(&header).map(|()| body.transactions.len()))
                .map_err(wrong)?;
            if let Some(receipts) = &found.receipts {
                block::check_receipts(&header, transactions, receipts).map_err(wrong)?;
            }
            Ok(Some((found, header, transactions)))
        });
        let (found, header, transactions) = found.ok_or(Part::Body)?;
        let receipts = match found.receipts {
            Some(receipts) => receipts,
            None => {
                let receipts = self.first(|source| {
                    let Some(receipts) = source.receipts(at)? else { return Ok(None) };
                    block::check_receipts(&header, transactions, &receipts)
                        .map_err(|source| Error::Block { block: at, source })?;
                    Ok(Some(receipts))
                });
                receipts.ok_or(Part::Receipts)?
            }
        };
        // What cannot be decoded has no senders that anybody could ask for.
        let decoded: Vec<Block> = Block::decode(at.hash, &found.header, &found.body).into_iter().collect();
        recover(&decoded);
        let senders = decoded.iter().flat_map(Block::senders).collect();
        let block = PastBlock { at, header: found.header, body: found.body, receipts, senders };
        Ok(Whole { block, parent: header.parent_hash })
    }

    /// The first answer that a source has.
    fn first<T>(&mut self, mut ask: impl FnMut(&mut dyn Source) -> Result<Option<T>, Error>) -> Option<T> {
        for slot in &mut self.all {
            if slot.again.is_some_and(|again| Instant::now() < again) || self.shutdown.is_triggered() {
                continue;
            }
            match slot.opened(&self.shutdown).and_then(&mut ask) {
                Ok(found) => {
                    (slot.failures, slot.again, slot.reason) = (0, None, None);
                    if found.is_some() {
                        return found;
                    }
                }
                Err(Error::Stopped) => return None,
                Err(error) => slot.fail(&error),
            }
        }
        None
    }
}

impl Slot {
    fn opened(&mut self, shutdown: &Shutdown) -> Result<&mut dyn Source, Error> {
        let open = match self.open.take() {
            Some(open) => open,
            None => self.address.open(&|| shutdown.is_triggered())?,
        };
        Ok(self.open.insert(open).as_mut())
    }

    /// Leaves the source alone for a while.
    fn fail(&mut self, error: &Error) {
        let again = AGAIN_MIN.saturating_mul(1 << self.failures.min(10)).min(AGAIN_MAX);
        self.failures = self.failures.saturating_add(1);
        (self.open, self.again) = (None, Some(Instant::now() + again));
        self.reason = Some(with_causes(error));
    }
}

//! The beginning of an empty feed.

use super::{HOLE_AFTER, Tap};
use crate::begin;
use crate::config::Begin;
use crate::error::Error;
use crate::events::Event;
use crate::follow::Lineage;
use crate::publish::Draft;
use alloy::consensus::Header;
use alloy::rlp::Decodable;
use maidenlane_chain::{B256, BlockRef};
use maidenlane_wire::{Record, Start};
use std::time::Instant;

/// Headers in a START: what BLOCKHASH can ask for.
const ANCESTORS: usize = 256;

impl Tap {
    /// Publishes GENESIS if the spool goes back to it from the master's head. If it does not, and the settings say so,
    /// START at the block where the spool begins. Does nothing if another tap has done it meanwhile.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        let Some((head, _)) = self.seen else { return Ok(()) };
        // The head is younger than the last look: its frames may have come since.
        self.look()?;
        let base = self.base(head);
        let genesis = if base.number == 0 { self.spool.genesis()? } else { None };
        let record = match genesis {
            Some(frame) => {
                let (block, segment) =
                    (BlockRef::new(0, self.chain.genesis), self.spool.segment_of_genesis());
                let bad = |what| Error::BadFrames { block, segment: segment.clone(), what };
                Record::Genesis(begin::genesis(self.chain.genesis, frame).map_err(bad)?)
            }
            None if self.settings.get().begin == Begin::Spool => Record::Start(self.start(base)?),
            None => return self.wait_for_genesis(base),
        };
        if !self.publisher.is_open() {
            self.open()?;
        }
        if self.publisher.tail().published.head().is_none() {
            self.publisher.publish(vec![Draft { record, more: false }])?;
        }
        Ok(())
    }

    /// A feed cannot be given another beginning later: what the hook still holds back may come within its time.
    fn wait_for_genesis(&mut self, base: BlockRef) -> Result<(), Error> {
        let since = self.waiting.map_or_else(Instant::now, |(_, since)| since);
        if since.elapsed() >= HOLE_AFTER {
            return Err(Error::NotFromGenesis { spool: self.settings.get().spool.clone(), base });
        }
        if self.waiting.is_none() {
            self.events.emit(&Event::Waiting { missing: base });
        }
        self.waiting = Some((base, since));
        Ok(())
    }

    /// The newest ancestor of `head` that is not in the spool.
    fn base(&self, head: BlockRef) -> BlockRef {
        let mut base = head;
        while let Some(parent) = self.spool.parent(&base.hash) {
            base = BlockRef::new(base.number.saturating_sub(1), parent);
        }
        base
    }

    fn start(&mut self, block: BlockRef) -> Result<Start, Error> {
        let header = self.master()?.raw_header(block.hash)?;
        let parent_of = |raw: &[u8]| -> Result<B256, Error> {
            let decoded = Header::decode(&mut &*raw);
            Ok(decoded.map_err(|error| Error::BadBlock { block, what: error.to_string() })?.parent_hash)
        };
        let (mut ancestors, mut parent) = (Vec::new(), parent_of(&header)?);
        while ancestors.len() < ANCESTORS && !parent.is_zero() {
            let raw = self.master()?.raw_header(parent)?;
            parent = parent_of(&raw)?;
            ancestors.push(raw);
        }
        Ok(Start { block, header, ancestors })
    }
}

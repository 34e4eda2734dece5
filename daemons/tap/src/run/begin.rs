//! The beginning of an empty feed.

use super::Tap;
use crate::begin;
use crate::error::Error;
use crate::follow::Lineage;
use crate::publish::Draft;
use alloy::consensus::Header;
use alloy::rlp::Decodable;
use maidenlane_chain::{B256, BlockRef};
use maidenlane_wire::{Record, Start};

/// Headers in a START: what BLOCKHASH can ask for.
const ANCESTORS: usize = 256;

impl Tap {
    /// Publishes GENESIS if the spool goes back to it from the master's head, else START at the block where the
    /// spool begins. Does nothing if another tap has done it meanwhile.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        let Some((head, _)) = self.seen else { return Ok(()) };
        let base = self.base(head);
        let genesis = if base.number == 0 { self.spool.genesis()? } else { None };
        let record = match genesis {
            Some(frame) => {
                let bad = |what| Error::BadBlock { block: BlockRef::new(0, self.chain.genesis), what };
                Record::Genesis(begin::genesis(self.chain.genesis, frame).map_err(bad)?)
            }
            None => Record::Start(self.start(base)?),
        };
        if !self.publisher.is_open() {
            self.open()?;
        }
        if self.publisher.tail().published.head().is_none() {
            self.publisher.publish(vec![Draft { record, more: false }])?;
        }
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

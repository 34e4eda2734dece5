//! Output of the tap: head changes become records of the feed, and sets of trie nodes.

use super::blocks::{Blocks, Checked};
use super::lookahead::Lookahead;
use crate::block;
use crate::error::Error;
use crate::events::Event;
use crate::failpoints;
use crate::follow::{Change, Lineage};
use crate::nodes::{self, Appended, Sets};
use crate::publish::{Draft, Publisher};
use maidenlane_chain::{B256, BlockRef};
use maidenlane_service::{Health, Tracer, failpoint};
use maidenlane_wire::{Advance, NodeRow, NodeSet, Record, Rows, Undo};

/// Number of blocks in one append, and in memory.
const BATCH_BLOCKS: usize = 32;

pub(super) struct Output {
    pub(super) publisher: Publisher,
    /// Producer of trie nodes, if they are asked for.
    sets: Option<Sets>,
    events: Tracer<Event>,
    health: Health,
}

impl Output {
    pub(super) fn new(
        publisher: Publisher,
        sets: Option<Sets>,
        events: Tracer<Event>,
        health: Health,
    ) -> Self {
        Self { publisher, sets, events, health }
    }

    /// Publishes a head change, at most [`BATCH_BLOCKS`] in memory at a time.
    ///
    /// Everything is checked before the first undo is out, so that a hole cannot leave readers half-way.
    pub(super) fn change(
        &mut self,
        change: &Change,
        blocks: &mut Blocks,
        lookahead: &mut Lookahead,
    ) -> Result<(), Error> {
        if let Some(sets) = &mut self.sets {
            sets.clear();
        }
        let fork = change.advance.first().and_then(|hash| blocks.spool.parent(hash));
        let mut parent = match fork {
            Some(fork) => (fork, blocks.root_of(fork, &self.publisher.tail().published)?),
            None => (B256::ZERO, B256::ZERO),
        };
        let (first, rest) = change.advance.split_at(change.advance.len().min(BATCH_BLOCKS));
        let advances = self.prepare(first, change, &mut parent, blocks, lookahead)?;
        if !change.undo.is_empty() {
            self.verify(rest, parent, blocks)?;
        }
        self.flush_nodes()?;
        for undone in change.undo.chunks(BATCH_BLOCKS) {
            let undo = |block: &BlockRef| {
                let more = !change.advance.is_empty() || change.undo.last() != Some(block);
                Ok(Draft { record: Record::Undo(self.undo(*block)?), more })
            };
            let undos = undone.iter().map(undo).collect::<Result<_, Error>>()?;
            self.publish(undos)?;
        }
        if !change.undo.is_empty() {
            failpoint(failpoints::BETWEEN_UNDO_AND_ADVANCE);
        }
        if !advances.is_empty() {
            self.publish(advances)?;
        }
        for chunk in rest.chunks(BATCH_BLOCKS) {
            let advances = self.prepare(chunk, change, &mut parent, blocks, lookahead)?;
            self.flush_nodes()?;
            self.publish(advances)?;
        }
        let (undone, added) = (change.undo.len(), change.advance.len());
        self.events.emit(&Event::Published { head: change.target, undone, added });
        Ok(())
    }

    fn publish(&mut self, drafts: Vec<Draft>) -> Result<(), Error> {
        self.publisher.publish(drafts)?;
        self.health.progress();
        Ok(())
    }

    /// Loads and checks blocks on top of `parent` (hash and state root), which becomes the last of them.
    fn prepare(
        &mut self,
        hashes: &[B256],
        change: &Change,
        parent: &mut (B256, B256),
        blocks: &mut Blocks,
        lookahead: &mut Lookahead,
    ) -> Result<Vec<Draft>, Error> {
        let atomic = change.atomic();
        let mut drafts = Vec::with_capacity(hashes.len());
        for hash in hashes {
            let last = change.advance.last() == Some(hash);
            let checked = lookahead.take(*hash, atomic && last, blocks)?;
            let root = checked.block.header.state_root;
            let advance = self.advance(checked, *parent, blocks)?;
            *parent = (*hash, root);
            drafts.push(Draft { record: Record::Advance(advance), more: atomic && !last });
        }
        Ok(drafts)
    }

    /// Checks blocks that will be loaded again later, one in memory at a time.
    fn verify(&self, hashes: &[B256], mut parent: (B256, B256), blocks: &mut Blocks) -> Result<(), Error> {
        for hash in hashes {
            let Checked { block, executed } = blocks.check(*hash)?.on(parent, blocks)?;
            if self.sets.is_some() && executed.nodes.is_none() {
                return Err(Error::NoNodes { block: block.at });
            }
            parent = (*hash, block.header.state_root);
            self.health.progress();
        }
        Ok(())
    }

    /// UNDO of a block. Its rows, header and receipts come from our own ADVANCE, because the feed is the truth.
    fn undo(&mut self, block: BlockRef) -> Result<Undo, Error> {
        let bad = |what: String| Error::BadBlock { block, what };
        let link = self.publisher.tail().published.at(block.number).copied();
        let link =
            link.filter(|link| link.block == block).ok_or_else(|| bad("it is not published".to_owned()))?;
        let Record::Advance(advance) = self.publisher.record_at(link.offset)? else {
            return Err(Error::BelowBase(block));
        };
        let transactions = block::transaction_hashes(&advance.body).map_err(bad)?;
        let rows = advance.rows.reversed();
        let (header, receipts) = (advance.header, advance.receipts);
        Ok(Undo { block, parent: link.parent, header, transactions, receipts, rows })
    }

    /// ADVANCE of a block, checked against its parent `(hash, state root)`.
    fn advance(&mut self, checked: Checked, parent: (B256, B256), blocks: &Blocks) -> Result<Advance, Error> {
        let Checked { block, executed } = checked.on(parent, blocks)?;
        let proofs = self.nodes(block.at, parent.0, executed.nodes, &executed.state.rows)?;
        Ok(Advance {
            block: block.at,
            parent: parent.0,
            header: block.header_raw,
            body: block.body,
            receipts: executed.receipts,
            rows: executed.state.rows,
            proofs,
            senders: executed.senders,
        })
    }

    /// Takes the trie nodes of a block, to be published before it, if they are asked for; returns their digest.
    fn nodes(
        &mut self,
        block: BlockRef,
        parent: B256,
        nodes: Option<Vec<NodeRow>>,
        rows: &Rows,
    ) -> Result<Option<B256>, Error> {
        let Some(sets) = &mut self.sets else { return Ok(None) };
        let mut nodes = nodes.ok_or(Error::NoNodes { block })?;
        nodes::set_right(&mut nodes, rows);
        sets.add(&NodeSet { block, parent, nodes }).map(Some)
    }

    /// Appends the nodes of all blocks that were prepared; they are in the log when this returns.
    fn flush_nodes(&mut self) -> Result<(), Error> {
        let Some(sets) = &mut self.sets else { return Ok(()) };
        let Appended { sets, bytes } = sets.flush()?;
        if sets > 0 {
            failpoint(failpoints::BETWEEN_NODES_AND_ADVANCE);
            self.events.emit(&Event::Nodes { sets, bytes });
        }
        Ok(())
    }
}

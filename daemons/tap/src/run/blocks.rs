//! From frames to records: what is put into a head change.

use super::Tap;
use super::check::Checked;
use crate::block;
use crate::error::Error;
use crate::events::Event;
use crate::failpoints;
use crate::follow::{Change, Lineage};
use crate::nodes::{self, Published};
use crate::publish::Draft;
use crate::spool::Executed;
use alloy::consensus::Header;
use alloy::rlp::Decodable;
use maidenlane_chain::{B256, BlockRef};
use maidenlane_service::failpoint;
use maidenlane_wire::frame::State;
use maidenlane_wire::{Advance, NodeRow, NodeSet, Record, Rows, Undo};

/// Blocks in one append.
const BATCH_BLOCKS: usize = 32;

impl Tap {
    /// Publishes a head change.
    pub(super) fn change(&mut self, change: &Change) -> Result<(), Error> {
        let atomic = change.atomic();
        let mut undos = Vec::new();
        for block in &change.undo {
            let last = undos.len() + 1 == change.undo.len() && change.advance.is_empty();
            undos.push(Draft { record: Record::Undo(self.undo(*block)?), more: !last });
        }
        let fork = change.advance.first().and_then(|hash| self.spool.parent(hash));
        // Everything is prepared and checked before the first undo is out, so that a hole cannot leave readers
        // half-way.
        let (mut parent, mut advances) = (None, Vec::new());
        if let Some(sets) = &mut self.sets {
            sets.clear();
        }
        if let Some(fork) = fork {
            parent = Some((fork, self.root_of(fork)?));
        }
        for (index, hash) in change.advance.iter().enumerate() {
            let Some(before) = parent else { break };
            let last = index + 1 == change.advance.len();
            let (advance, root) = self.advance(*hash, before, atomic && last)?;
            parent = Some((*hash, root));
            advances.push(Draft { record: Record::Advance(advance), more: atomic && !last });
            if !atomic && advances.len() >= BATCH_BLOCKS {
                self.publish_nodes()?;
                self.publisher.publish(std::mem::take(&mut advances))?;
                self.health.progress();
            }
        }
        self.publish_nodes()?;
        if !undos.is_empty() {
            self.publisher.publish(undos)?;
            failpoint(failpoints::BETWEEN_UNDO_AND_ADVANCE);
        }
        while !advances.is_empty() {
            let rest = advances.split_off(advances.len().min(BATCH_BLOCKS));
            self.publisher.publish(std::mem::replace(&mut advances, rest))?;
        }
        let (undone, added) = (change.undo.len(), change.advance.len());
        self.events.emit(&Event::Published { head: change.target, undone, added });
        Ok(())
    }

    /// The feed is the truth of what is undone: rows, header and receipts come from our own ADVANCE.
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

    /// The record of a block, checked against its header, its parent `(hash, state root)` and, at the head, the
    /// master's proofs. Also returns its state root.
    fn advance(&mut self, hash: B256, parent: (B256, B256), head: bool) -> Result<(Advance, B256), Error> {
        let Checked { facts, executed, .. } = self.checked(hash, head)?;
        let state = (executed.state.origin_root, executed.state.root);
        block::examine_roots(&facts, parent, state).map_err(|what| self.bad_frames(facts.block, what))?;
        let proofs = self.nodes(facts.block, parent.0, executed.nodes, &executed.state.rows)?;
        let advance = Advance {
            block: facts.block,
            parent: parent.0,
            header: facts.header_raw,
            body: facts.body,
            receipts: executed.receipts,
            rows: executed.state.rows,
            proofs,
        };
        Ok((advance, facts.header.state_root))
    }

    /// Has the trie nodes of a block published before it, if they are asked for; returns their digest.
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

    /// The nodes of all blocks that were prepared are in the log when this returns.
    fn publish_nodes(&mut self) -> Result<(), Error> {
        let Some(sets) = &mut self.sets else { return Ok(()) };
        let Published { sets, bytes } = sets.flush()?;
        if sets > 0 {
            failpoint(failpoints::BETWEEN_NODES_AND_ADVANCE);
            self.events.emit(&Event::Nodes { sets, bytes });
        }
        Ok(())
    }

    /// Gives a block without frames the rows of one with equal state roots. False if there is none.
    pub(super) fn borrow(&mut self, missing: BlockRef) -> Result<bool, Error> {
        let raw = match self.master()?.raw_header(missing.hash) {
            Ok(raw) => raw,
            Err(error) if error.is_refusal() => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let bad = |what: String| Error::BadBlock { block: missing, what };
        let header = Header::decode(&mut raw.as_ref()).map_err(|error| bad(error.to_string()))?;
        let origin_root = match self.root_of(header.parent_hash) {
            Ok(root) => root,
            Err(Error::Master(error)) if error.is_refusal() => return Ok(false),
            Err(error) => return Err(error),
        };
        let Some(twin) = self.spool.twin(origin_root, header.state_root) else { return Ok(false) };
        let Some(Executed { state, nodes, .. }) = self.spool.load(&twin)? else { return Ok(false) };
        let block = self.master()?.raw_block(missing.hash)?;
        let receipts = block::list_of_receipts(&self.master()?.raw_receipts(missing.hash)?);
        let state = State { hash: missing.hash, number: missing.number, ..state };
        self.spool.lend(header.parent_hash, Executed { block, receipts, state, nodes });
        self.events.emit(&Event::Borrowed { block: missing });
        Ok(true)
    }

    /// The state root of a block: from the published chain, the spool, or the master's header.
    fn root_of(&mut self, hash: B256) -> Result<B256, Error> {
        if let Some(located) = self.spool.find(&hash) {
            return Ok(located.root);
        }
        if let Some(link) = self.publisher.tail().published.head_link().filter(|link| link.block.hash == hash)
        {
            return Ok(link.root);
        }
        let raw = self.master()?.raw_header(hash)?;
        let block = BlockRef::new(0, hash);
        let header = Header::decode(&mut raw.as_ref());
        Ok(header.map_err(|error| Error::BadBlock { block, what: error.to_string() })?.state_root)
    }
}

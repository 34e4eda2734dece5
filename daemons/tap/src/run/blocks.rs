//! Blocks of the master: their frames from the spool, examined, and answers that only the master itself can give.

use super::connection::Connection;
use super::reporter::START_WAIT;
use crate::audit;
use crate::block::{self, Examined};
use crate::config::Settings;
use crate::error::Error;
use crate::events::Event;
use crate::follow::Lineage;
use crate::published::Published;
use crate::spool::{Executed, Found, Spool};
use alloy::consensus::Header;
use alloy::rlp::Decodable;
use maidenlane_chain::{B256, BlockRef, receipts};
use maidenlane_service::{Current, Health, Tracer};
use maidenlane_wire::Rows;
use maidenlane_wire::frame::State;

/// Announced heads taken at a time: a newer one covers what is older.
const ANNOUNCED_MAX: usize = 256;

pub(super) struct Blocks {
    pub(super) spool: Spool,
    pub(super) connection: Connection,
    settings: Current<Settings>,
    events: Tracer<Event>,
    health: Health,
}

/// A block whose parts agree with each other.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) block: Examined,
    pub(super) executed: Executed,
}

impl Checked {
    /// The same, if it continues `parent` (hash and state root).
    ///
    /// # Errors
    /// What does not fit.
    pub(super) fn on(self, parent: (B256, B256), blocks: &Blocks) -> Result<Self, Error> {
        let state = (self.executed.state.origin_root, self.executed.state.root);
        let fits = block::examine_roots(&self.block, parent, state);
        fits.map_err(|what| blocks.bad_frames(self.block.at, what)).map(|()| self)
    }
}

/// The master's answer when it was asked for proofs.
pub(super) enum Audit {
    Proved,
    /// Refusal, for example because the master no longer has that state.
    Refused(String),
}

impl Blocks {
    pub(super) fn new(
        settings: Current<Settings>,
        spool: Spool,
        connection: Connection,
        events: Tracer<Event>,
        health: Health,
    ) -> Self {
        Self { spool, connection, settings, events, health }
    }

    /// Looks for frames.
    pub(super) fn look(&mut self) -> Result<Found, Error> {
        let health = &self.health;
        let found = self.spool.scan(&mut || {
            health.progress();
            health.extend_timeout(START_WAIT);
        })?;
        if found.holes + found.torn > 0 {
            self.events.emit(&Event::SpoolGap { holes: found.holes, torn: found.torn });
        }
        Ok(found)
    }

    /// Heads that the master announced since the last call, oldest first; of many the newest.
    ///
    /// # Errors
    /// When the master is away.
    pub(super) fn announced(&mut self) -> Result<Vec<BlockRef>, Error> {
        let hashes = self.connection.master()?.announced()?;
        let newest = hashes.get(hashes.len().saturating_sub(ANNOUNCED_MAX)..).unwrap_or_default();
        let mut heads = Vec::with_capacity(newest.len());
        for hash in newest {
            match self.spool.find(hash) {
                Some(indexed) => heads.push(BlockRef::new(indexed.number, *hash)),
                None => heads.extend(self.connection.master()?.block(*hash)?),
            }
        }
        Ok(heads)
    }

    /// Loads a block and examines it by itself.
    ///
    /// # Errors
    /// The fault in it.
    pub(super) fn check(&mut self, hash: B256) -> Result<Checked, Error> {
        let at = BlockRef::new(self.spool.find(&hash).map_or(0, |indexed| indexed.number), hash);
        let executed = self.spool.load(&hash)?.ok_or(Error::Hole(at))?;
        let bad = |what: String| self.bad_frames(at, what);
        let block = block::examine(hash, &executed.block).map_err(bad)?;
        block::examine_receipts(&block, &executed.receipts).map_err(bad)?;
        block::examine_senders(&block, executed.senders.as_deref()).map_err(bad)?;
        Ok(Checked { block, executed })
    }

    /// Has the master prove some of a block's rows.
    ///
    /// # Errors
    /// When a proof contradicts the rows.
    pub(super) fn audit(&mut self, block: &Examined, rows: &Rows) -> Result<Audit, Error> {
        let questions =
            audit::choose(rows, self.settings.get().audit_keys, |below| rand::random_range(0..below));
        let keys = questions.iter().map(|question| {
            (question.address, question.slot.iter().map(|(plain, ..)| *plain).collect::<Vec<B256>>())
        });
        let proofs = match self.connection.master()?.proofs(keys, block.at.hash) {
            Ok(proofs) => proofs,
            Err(error) if error.is_refusal() => return Ok(Audit::Refused(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        for (question, proof) in questions.iter().zip(&proofs) {
            audit::verify(question, block.header.state_root, proof)
                .map_err(|what| self.bad_frames(block.at, format!("audit: {what}")))?;
        }
        self.events.emit(&Event::Audited { keys: questions.len() });
        Ok(Audit::Proved)
    }

    /// Gives a block without frames the rows of one with equal state roots. False if there is none.
    pub(super) fn borrow(&mut self, missing: BlockRef, published: &Published) -> Result<bool, Error> {
        let raw = match self.connection.master()?.raw_header(missing.hash) {
            Ok(raw) => raw,
            Err(error) if error.is_refusal() => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let bad = |what: String| Error::BadBlock { block: missing, what };
        let header = Header::decode(&mut raw.as_ref()).map_err(|error| bad(error.to_string()))?;
        let origin_root = match self.root_of(header.parent_hash, published) {
            Ok(root) => root,
            Err(Error::Master(error)) if error.is_refusal() => return Ok(false),
            Err(error) => return Err(error),
        };
        let Some(twin) = self.spool.twin(origin_root, header.state_root) else { return Ok(false) };
        let Some(Executed { state, nodes, .. }) = self.spool.load(&twin)? else { return Ok(false) };
        let block = self.connection.master()?.raw_block(missing.hash)?;
        let receipts = receipts::list_of(&self.connection.master()?.raw_receipts(missing.hash)?);
        let state = State { hash: missing.hash, number: missing.number, ..state };
        self.spool.lend(header.parent_hash, Executed { block, senders: None, receipts, state, nodes });
        self.events.emit(&Event::Borrowed { block: missing });
        Ok(true)
    }

    /// The state root of a block: from the spool, the published chain, or the master's header.
    pub(super) fn root_of(&mut self, hash: B256, published: &Published) -> Result<B256, Error> {
        if let Some(indexed) = self.spool.find(&hash) {
            return Ok(indexed.root);
        }
        if let Some(link) = published.head_link().filter(|link| link.block.hash == hash) {
            return Ok(link.root);
        }
        let raw = self.connection.master()?.raw_header(hash)?;
        let block = BlockRef::new(0, hash);
        let header = Header::decode(&mut raw.as_ref());
        Ok(header.map_err(|error| Error::BadBlock { block, what: error.to_string() })?.state_root)
    }

    /// The newest ancestor of `head` that is not in the spool.
    pub(super) fn base(&self, head: BlockRef) -> BlockRef {
        let mut base = head;
        while let Some(parent) = self.spool.parent(&base.hash) {
            base = BlockRef::new(base.number.saturating_sub(1), parent);
        }
        base
    }

    pub(super) fn bad_frames(&self, block: BlockRef, what: String) -> Error {
        Error::BadFrames { block, segment: self.spool.segment_of(&block.hash), what }
    }
}

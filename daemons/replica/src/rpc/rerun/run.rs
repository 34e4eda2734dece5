//! Mined blocks, run again up to a transaction.

use crate::rpc::blocks::Blocks;
use crate::rpc::rerun::bounds::{Bounds, fault};
use crate::rpc::{Shared, request_view::RequestView};
use alloy::primitives::B256;
use maidenlane_chain::Block;
use maidenlane_evm::codes::Codes;
use maidenlane_evm::replay::{Replay, tx_env};
use maidenlane_evm::trail::Trail;
use maidenlane_json::{Object, push_data};
use maidenlane_jsonrpc::{Error, codes};
use maidenlane_state::StateView;
use revm::context::TxEnv;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Block, hash and index of a traced transaction; nothing for a call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TracedAt {
    pub(crate) block: Option<B256>,
    pub(crate) hash: Option<B256>,
    pub(crate) index: Option<usize>,
}

/// Run of a mined block whose steps are noted for later questions about it.
pub(crate) struct Noted<'a> {
    replay: Replay<'a>,
    blocks: &'a Blocks,
    block: B256,
    trail: Arc<Trail>,
}

impl<'a> Deref for Noted<'a> {
    type Target = Replay<'a>;

    fn deref(&self) -> &Replay<'a> {
        &self.replay
    }
}

impl<'a> DerefMut for Noted<'a> {
    fn deref_mut(&mut self) -> &mut Replay<'a> {
        &mut self.replay
    }
}

impl Drop for Noted<'_> {
    /// Counts what has been noted, also by a run that failed.
    fn drop(&mut self) {
        self.blocks.keep_trail(self.block, Arc::clone(&self.trail));
    }
}

/// Run of a block up to the transaction of this index: from where another run has left it, as far as its trail is kept.
/// Never for a block that a client brought: its hash says nothing about its transactions.
pub(crate) fn run_to<'a>(
    shared: &'a Shared,
    view: &'a RequestView,
    block: &Block,
    index: usize,
    bounds: &mut Bounds,
) -> Result<Noted<'a>, Error> {
    let trail = shared.blocks.trail(block);
    let noted = Some((Arc::clone(&trail), index));
    let replay = replay_on(view, view.source(), &shared.codes, block, noted, bounds)?;
    let mut noted = Noted { replay, blocks: &shared.blocks, block: block.hash, trail };
    let before = (noted.transactions()..index).map(|before| nth(block, before).map(|(tx, _)| tx));
    let before: Vec<TxEnv> = before.collect::<Result<_, _>>()?;
    if !before.is_empty() {
        noted.run(before, &mut bounds.budget).map_err(fault)?;
    }
    Ok(noted)
}

/// Run of a block on its parent's state, before the first transaction.
pub(crate) fn replay<'a>(
    shared: &'a Shared,
    view: &'a RequestView,
    block: &Block,
    bounds: &mut Bounds,
) -> Result<Replay<'a>, Error> {
    replay_on(view, view.source(), &shared.codes, block, None, bounds)
}

/// Run of a block, with its parent's state read through `source`, and its steps noted.
pub(crate) fn replay_on<'a>(
    view: &RequestView,
    source: &'a dyn StateView,
    codes: &'a Codes,
    block: &Block,
    noted: Option<(Arc<Trail>, usize)>,
    bounds: &mut Bounds,
) -> Result<Replay<'a>, Error> {
    let rules = &view.head().rules;
    if let Some(fork) = rules.unknown_at(&block.header) {
        let text = format!("fork {fork} is active and this build does not execute it; install a newer one");
        return Err(Error::new(codes::UNKNOWN_FORK, text));
    }
    Replay::of(block, rules, source, codes, noted, &mut bounds.budget).map_err(fault)
}

/// Transaction of a block, ready to run, and its place.
pub(crate) fn nth(block: &Block, index: usize) -> Result<(TxEnv, TracedAt), Error> {
    let (Some(tx), Some(sender)) = (block.transactions.get(index), block.sender(index)) else {
        return Err(Error::internal(format!("block {} has no transaction {index}", block.header.number)));
    };
    let place = TracedAt { block: Some(block.hash), hash: Some(*tx.tx_hash()), index: Some(index) };
    Ok((tx_env(tx, sender), place))
}

/// Writes the result of one transaction as an item of its block's trace.
pub(crate) fn write_traced(out: &mut String, hash: B256, result: &str) {
    let mut object = Object::new(out);
    push_data(object.value("txHash"), hash.as_slice());
    object.raw("result", result);
    object.end();
}

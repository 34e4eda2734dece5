//! Mined blocks, run again up to a transaction.

use crate::rpc::rerun::bounds::{Bounds, fault};
use crate::rpc::{Shared, request_view::RequestView};
use alloy::primitives::B256;
use maidenlane_chain::Block;
use maidenlane_evm::codes::Codes;
use maidenlane_evm::database::Overrides;
use maidenlane_evm::replay::{Replay, tx_env};
use maidenlane_json::{Object, push_data};
use maidenlane_jsonrpc::{Error, codes};
use maidenlane_state::StateView;
use revm::context::TxEnv;

/// Block, hash and index of a traced transaction; nothing for a call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TracedAt {
    pub(crate) block: Option<B256>,
    pub(crate) hash: Option<B256>,
    pub(crate) index: Option<usize>,
}

/// Replay of a block on its parent's state, before the first transaction.
pub(crate) fn replay<'a>(
    shared: &'a Shared,
    view: &'a RequestView,
    block: &Block,
    overrides: &'a Overrides,
    bounds: &mut Bounds,
) -> Result<Replay<'a>, Error> {
    replay_on(view, view.source(), &shared.codes, block, overrides, bounds)
}

/// Replay of a block, with its parent's state read through `source`.
pub(crate) fn replay_on<'a>(
    view: &RequestView,
    source: &'a dyn StateView,
    codes: &'a Codes,
    block: &Block,
    overrides: &'a Overrides,
    bounds: &mut Bounds,
) -> Result<Replay<'a>, Error> {
    let rules = &view.head().rules;
    if let Some(fork) = rules.unknown_at(&block.header) {
        let text = format!("fork {fork} is active and this build does not execute it; install a newer one");
        return Err(Error::new(codes::UNKNOWN_FORK, text));
    }
    Replay::of(block, rules, source, codes, overrides, &mut bounds.budget).map_err(fault)
}

/// Runs the transactions before `index`.
pub(crate) fn run_before(
    replay: &mut Replay<'_>,
    block: &Block,
    index: usize,
    bounds: &mut Bounds,
) -> Result<(), Error> {
    let before = (0..index).map(|before| nth(block, before).map(|(tx, _)| tx));
    replay.run(before.collect::<Result<Vec<_>, _>>()?, &mut bounds.budget).map_err(fault)
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

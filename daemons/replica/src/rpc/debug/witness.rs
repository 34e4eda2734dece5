//! `debug_executionWitness`: the part of a state that stateless execution of a block needs, where trie nodes are kept.
//!
//! The block is run again on a source that records what is read. The accounts and slots give the trie paths that a
//! verifier has to walk; the nodes that only the new root needs are recorded when it is computed. Unless that root is
//! the header's, there is no answer.

mod noted;

use crate::rpc::rerun::bounds::{Bounds, fault, too_large};
use crate::rpc::rerun::run::{nth, replay_on};
use crate::rpc::rerun::traceable::traceable;
use crate::rpc::tries::Tries;
use crate::rpc::{Shared, request_view::RequestView};
use maidenlane_chain::Block;
use maidenlane_chain::{Address, BlockRef, Bytes};
use maidenlane_ethjson::block::own_header_json;
use maidenlane_ethjson::params::{Selector, Tag};
use maidenlane_ethjson::select;
use maidenlane_ethjson::unreadable;
use maidenlane_evm::budget::Budget;
use maidenlane_evm::codes::Codes;
use maidenlane_evm::cost;
use maidenlane_json::{Object, push_data};
use maidenlane_jsonrpc::{Args, Error, Json};
use noted::{Noted, Seen};
use revm::context_interface::{ContextTr, JournalTr as _};
use revm::inspector::{Inspector, JournalExt};
use revm::interpreter::{CallInputs, CallOutcome};
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::time::Duration;

/// Timeout of each transaction, as for traces by default.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Cache of analysed code for one request: the shared cache would hide what is read.
const CODES_BYTES: u64 = 16 << 20;

/// `debug_executionWitness`.
pub(in crate::rpc) fn answer(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    bounds: &mut Bounds,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 1)?;
    let selector = args.required(Selector::read)?;
    let name = match selector {
        Selector::Tag(tag) => tag.as_number().to_string(),
        Selector::Hash { hash, .. } => hash.to_string(),
    };
    let found = select::block(view.source(), selector)?;
    let at = found.ok_or_else(|| Error::server(format!("block {name} not found")))?;
    if at.number == 0 {
        return Err(Error::server(format!("block {name} found, but parent missing")));
    }
    witness(view, &*traceable(shared, view, at)?, bounds)
}

/// Code that was called. Code that the block itself deployed is in no store yet, and geth lists it, too.
#[derive(Default)]
struct Called(BTreeSet<Bytes>);

impl Called {
    fn look<CTX: ContextTr<Journal: JournalExt>>(&mut self, context: &CTX, address: Address) {
        let account = context.journal_ref().evm_state().get(&address);
        let Some(code) = account.and_then(|account| account.info.code.as_ref()) else { return };
        self.0.insert(code.original_bytes());
    }
}

impl<CTX: ContextTr<Journal: JournalExt>> Inspector<CTX> for Called {
    fn call(&mut self, context: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        // The caller may be an account that delegates: the sender's code is read before a transaction runs.
        self.look(context, inputs.caller);
        self.look(context, inputs.bytecode_address);
        None
    }
}

fn witness(view: &RequestView, block: &Block, bounds: &mut Bounds) -> Result<Json, Error> {
    let parent = block.header.number.saturating_sub(1);
    let before = select::state(view.source(), Selector::Tag(Tag::Number(parent)))?;
    let noted = Noted::new(view.held());
    let tries = Tries::kept(view, &before)?.through(&noted);
    let codes = Codes::new(CODES_BYTES);
    bounds.budget.limit_each(TIMEOUT);
    let mut replay = replay_on(view, &noted, &codes, block, None, bounds)?;
    let mut called = Called::default();
    for index in 0..block.transactions.len() {
        let (tx, _) = nth(block, index)?;
        let done = replay.inspect(tx, &mut bounds.budget, &mut called).map_err(fault)?;
        replay.keep(done);
    }
    replay.end(block, &view.head().rules, &mut bounds.budget).map_err(fault)?;
    let most_bytes = bounds.most_bytes;
    follow(&tries, &noted.seen(), &mut bounds.budget, || noted.bytes() > most_bytes)?;
    let root = tries.root_with(&replay.changes()).map_err(unreadable)?;
    if root != block.header.state_root {
        return Err(Error::internal(format!(
            "block {} run again leaves another state root, {root}",
            block.at()
        )));
    }
    let mut seen = noted.seen();
    seen.codes.append(&mut called.0);
    seen.codes.remove(&Bytes::new());
    written(view, parent, &seen, most_bytes)
}

/// Walks the trie paths of all keys read, so that their nodes are recorded.
fn follow(tries: &Tries<'_>, seen: &Seen, budget: &mut Budget, full: impl Fn() -> bool) -> Result<(), Error> {
    for (account, slots) in &seen.read {
        budget.look().map_err(fault)?;
        let storage_root = tries.account(*account).map_err(unreadable)?.map(|account| account.storage_root);
        for slot in slots {
            if full() {
                return Err(too_large());
            }
            budget.charge(cost::READ).map_err(fault)?;
            if let Some(root) = storage_root {
                tries.walk(Some(*account), root, *slot).map_err(unreadable)?;
            }
        }
    }
    Ok(())
}

fn written(view: &RequestView, parent: u64, seen: &Seen, most_bytes: usize) -> Result<Json, Error> {
    let source = view.source();
    let mut headers = Vec::new();
    for number in seen.oldest.unwrap_or(parent).min(parent)..=parent {
        let missing = || Error::server(format!("header of block {number} is no longer kept"));
        let at = BlockRef::new(number, source.hash_of(number).map_err(unreadable)?.ok_or_else(missing)?);
        headers.push(own_header_json(&select::header(source, at)?, at.hash));
    }
    let mut out = String::new();
    let mut object = Object::new(&mut out);
    object.list("headers", &headers, |out, header| out.push_str(header.as_str()));
    object.list("codes", &seen.codes, |out, code| push_data(out, code));
    object.list("state", &seen.nodes, |out, node| push_data(out, node));
    object.raw("keys", "null");
    object.end();
    if out.len() > most_bytes { Err(too_large()) } else { Ok(Json::Owned(out)) }
}

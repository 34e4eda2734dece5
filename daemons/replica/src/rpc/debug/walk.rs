//! Walks through a state: `debug_accountRange`, `debug_dumpBlock`, `debug_storageRangeAt`,
//! `debug_getModifiedAccounts…`.
//!
//! The state's keys are hashes, as in a geth that keeps no preimages, and so are those of the answers: an account is
//! named by its key, and of its storage only the root is given, as geth then leaves the slots out, too. The accounts
//! that a block changed are kept with their addresses, as long as it can be undone.

use crate::rpc::eth::state;
use crate::rpc::execute::refused;
use crate::rpc::{RequestView, Shared};
use alloy::primitives::{Address, B256, Bytes, keccak256};
use maidenlane_chain::{Account, BlockRef};
use maidenlane_ethjson::params::{self, Selector, Tag};
use maidenlane_ethjson::select::{self, StateOf, pruned};
use maidenlane_ethjson::unreadable;
use maidenlane_json::{Object, push_data, push_list};
use maidenlane_jsonrpc::{Args, Error, Json, codes};
use maidenlane_state::{At, ReadError, StateView};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// geth's limit of accounts in one answer.
const ACCOUNTS_MAX: usize = 256;
/// Most slots in one answer; after them it names the next key.
const SLOTS_MAX: usize = 4_096;

/// Parser of a method's parameters, which also checks them.
pub(crate) type Question = fn(&Shared, &RequestView, Option<&RawValue>) -> Result<Query, Error>;

/// Answers a request for a walk, on the pool.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    view: &Arc<RequestView>,
    params: Option<&RawValue>,
    question: Question,
) -> Result<Json, Error> {
    let wanted = question(shared, view, params)?;
    let (there, seen) = (Arc::clone(shared), Arc::clone(view));
    let job = move |gone: Arc<AtomicBool>| {
        let most_bytes = there.settings.get().limits.answer_bytes;
        wanted.answer(seen.source(), most_bytes, &gone)
    };
    shared.pool.run(view.owner(), job).await.map_err(refused)?
}

/// Checked parameters of a walk.
pub(crate) enum Query {
    Accounts { state: StateOf, range: Range },
    Slots { at: At, account: B256, from: Option<B256>, most: usize },
    Modified { start: BlockRef, end: BlockRef },
}

/// Range of accounts in a state, and the fields to write of them.
pub(crate) struct Range {
    from: B256,
    most: usize,
    /// Accounts without a known address are written, too; without it none are, as no address is known.
    incompletes: bool,
    code: bool,
}

impl Query {
    /// `debug_dumpBlock`.
    pub(crate) fn whole(_: &Shared, view: &RequestView, params: Option<&RawValue>) -> Result<Self, Error> {
        let tag = Args::parse(params, 1)?.required(Tag::read)?;
        let state = walkable(view.source(), Selector::Tag(tag))?;
        let range = Range { from: B256::ZERO, most: ACCOUNTS_MAX, incompletes: false, code: true };
        Ok(Self::Accounts { state, range })
    }

    /// `debug_accountRange`.
    pub(crate) fn accounts(_: &Shared, view: &RequestView, params: Option<&RawValue>) -> Result<Self, Error> {
        let mut args = Args::parse(params, 6)?;
        let selector = args.required(Selector::read)?;
        let start = args.required(params::data)?;
        let most = args.required(params::integer)?;
        let nocode = args.required(params::boolean)?;
        args.required(params::boolean)?;
        let incompletes = args.required(params::boolean)?;
        let most = usize::try_from(most).ok().filter(|most| (1..=ACCOUNTS_MAX).contains(most));
        // As in geth, a hash is made of the last 32 bytes.
        let from = start.last_chunk().map_or_else(|| B256::left_padding_from(&start), B256::from);
        let range = Range { from, most: most.unwrap_or(ACCOUNTS_MAX), incompletes, code: !nocode };
        Ok(Self::Accounts { state: walkable(view.source(), selector)?, range })
    }

    /// `debug_storageRangeAt`. As in geth the slots are those before the block's first transaction, whatever the index.
    pub(crate) fn slots(
        shared: &Shared,
        view: &RequestView,
        params: Option<&RawValue>,
    ) -> Result<Self, Error> {
        let mut args = Args::parse(params, 5)?;
        let selector = args.required(Selector::read)?;
        let index = args.required(params::integer)?;
        let address = args.required(params::address)?;
        let start = args.required(params::data)?;
        let most = args.required(params::integer)?;
        let source = view.source();
        let missing = || Error::server("header not found");
        let at = select::block(source, selector)?.ok_or_else(missing)?;
        let parent = at.number.checked_sub(1).ok_or_else(|| Error::server("no transaction in genesis"))?;
        let block = shared.blocks.block(view, at)?;
        if source.hash_of(parent).map_err(unreadable)? != Some(block.header.parent_hash) {
            return Err(missing());
        }
        let count = i64::try_from(block.transactions.len()).unwrap_or(i64::MAX);
        if index != 0 && !(0..count).contains(&index) {
            let text = format!("transaction index {index} out of range for block {}", at.hash);
            return Err(Error::server(text));
        }
        let StateOf { at, .. } = select::state(source, Selector::Tag(Tag::Number(parent)))?;
        // The first key that does not sort before these bytes: none, where they are more than a key has.
        let from = (start.len() <= 32).then(|| B256::right_padding_from(&start));
        let most = usize::try_from(most).unwrap_or_default().min(SLOTS_MAX);
        Ok(Self::Slots { at, account: keccak256(address), from, most })
    }

    /// `debug_getModifiedAccountsByHash`.
    pub(crate) fn modified_by_hash(
        _: &Shared,
        view: &RequestView,
        params: Option<&RawValue>,
    ) -> Result<Self, Error> {
        let mut args = Args::parse(params, 2)?;
        let (start, end) = (args.required(params::hash)?, args.optional(params::hash)?);
        let known = |hash, which| {
            let found = select::block(view.source(), Selector::Hash { hash, canonical: true })?;
            found.ok_or_else(|| Error::server(format!("{which} block {hash:x} not found")))
        };
        Self::modified(view, known(start, "start")?, end.map(|end| known(end, "end")).transpose()?)
    }

    /// `debug_getModifiedAccountsByNumber`.
    pub(crate) fn modified_by_number(
        _: &Shared,
        view: &RequestView,
        params: Option<&RawValue>,
    ) -> Result<Self, Error> {
        let mut args = Args::parse(params, 2)?;
        let (start, end) = (args.required(params::natural)?, args.optional(params::natural)?);
        let find = |number| select::block(view.source(), Selector::Tag(Tag::Number(number)));
        let start = find(start)?.ok_or_else(|| Error::server(format!("start block {start:x} not found")))?;
        let known = |end| find(end)?.ok_or_else(|| Error::server(format!("end block {end} not found")));
        Self::modified(view, start, end.map(known).transpose()?)
    }

    fn modified(view: &RequestView, start: BlockRef, end: Option<BlockRef>) -> Result<Self, Error> {
        let source = view.source();
        let (start, end) = match end {
            Some(end) => (start, end),
            None => (parent_of(source, start)?, start),
        };
        if start.number >= end.number {
            let (start, end) = (start.number, end.number);
            let text = format!("start block height ({start}) must be less than end block height ({end})");
            return Err(Error::server(text));
        }
        if start.number < view.head().state_floor {
            return Err(pruned());
        }
        Ok(Self::Modified { start, end })
    }

    fn answer(self, source: &dyn StateView, most_bytes: usize, gone: &AtomicBool) -> Result<Json, Error> {
        match self {
            Self::Accounts { state, range } => dump(source, &state, &range, most_bytes),
            Self::Slots { at, account, from, most } => slots(source, at, account, from, most),
            Self::Modified { start, end } => modified(source, start, end, gone),
        }
    }
}

/// State to walk through, with geth's errors for these methods.
fn walkable(source: &dyn StateView, selector: Selector) -> Result<StateOf, Error> {
    let head = source.head();
    let missing = |what: String| Err(Error::server(format!("block {what} not found")));
    match selector {
        Selector::Tag(Tag::Pending) => return Err(Error::server("pending state is not available")),
        Selector::Tag(tag) => {
            let known = match tag {
                Tag::Number(number) => number <= head.block.number,
                Tag::Safe => head.safe.is_some(),
                Tag::Finalized => head.finalized.is_some(),
                // geth looks for a block of the number that it has for the name.
                Tag::Earliest | Tag::Pending => false,
                Tag::Latest => true,
            };
            if !known {
                return missing(format!("#{}", tag.as_number()));
            }
        }
        Selector::Hash { hash, .. } if source.find(hash).map_err(unreadable)?.is_none() => {
            return missing(hash.to_string());
        }
        Selector::Hash { .. } => (),
    }
    select::state(source, selector)
}

fn parent_of(source: &dyn StateView, block: BlockRef) -> Result<BlockRef, Error> {
    let parent = block.number.checked_sub(1);
    let parent = parent.ok_or_else(|| Error::server(format!("block {:x} has no parent", block.number)))?;
    Ok(BlockRef::new(parent, source.hash_of(parent).map_err(unreadable)?.ok_or_else(pruned)?))
}

/// Items of a walk, by key.
type Page<T> = Vec<(B256, T)>;

/// First `most` items of a walk, and the key of the one after them.
fn page<T>(
    most: usize,
    walk: impl FnOnce(&mut dyn FnMut(B256, T) -> bool) -> Result<(), ReadError>,
) -> Result<(Page<T>, Option<B256>), ReadError> {
    let (mut page, mut next) = (Vec::new(), None);
    walk(&mut |key, item| {
        if page.len() == most {
            next = Some(key);
            return false;
        }
        page.push((key, item));
        true
    })?;
    Ok((page, next))
}

/// JSON of accounts as geth dumps them.
fn dump(source: &dyn StateView, state: &StateOf, range: &Range, most_bytes: usize) -> Result<Json, Error> {
    let (accounts, next) = match range.incompletes {
        true => page(range.most, |visit| source.accounts(range.from, state.at, visit)).map_err(unreadable)?,
        false => (Vec::new(), None),
    };
    let mut out = String::new();
    let mut object = Object::new(&mut out);
    object.raw("root", &format!("\"{:x}\"", state.header.state_root));
    let mut dumped = Object::new(object.value("accounts"));
    let mut left_bytes = most_bytes;
    for (key, account) in &accounts {
        let code = if range.code { state::code_of(source, account.code_hash)? } else { Bytes::new() };
        // Each byte is two digits.
        left_bytes = left_bytes.checked_sub(code.len() * 2).ok_or_else(too_large)?;
        write_account(dumped.value(&format!("pre({key})")), *key, account, &code);
    }
    dumped.end();
    if let Some(next) = next {
        object.data("next", next.as_slice());
    }
    object.end();
    Ok(Json::Owned(out))
}

fn write_account(out: &mut String, key: B256, account: &Account, code: &[u8]) {
    let mut object = Object::new(out);
    object.raw("balance", &format!("\"{}\"", account.balance));
    object.raw("nonce", &account.nonce.to_string());
    object.data("root", account.storage_root.as_slice());
    object.data("codeHash", account.code_hash.as_slice());
    if !code.is_empty() {
        object.data("code", code);
    }
    object.data("key", key.as_slice());
    object.end();
}

fn too_large() -> Error {
    Error::new(codes::RESPONSE_TOO_LARGE, "the accounts' code is too large; ask for fewer, or without code")
}

/// JSON of a part of an account's storage, and the key at which the next begins.
fn slots(
    source: &dyn StateView,
    at: At,
    account: B256,
    from: Option<B256>,
    most: usize,
) -> Result<Json, Error> {
    let (slots, next) = match from {
        Some(from) => page(most, |visit| source.slots(account, from, at, visit)).map_err(unreadable)?,
        None => (Vec::new(), None),
    };
    let mut empty = slots.is_empty() && next.is_none();
    if empty {
        // geth says so of an account without storage, not of a part where nothing is.
        source
            .slots(account, B256::ZERO, at, &mut |_, _| {
                empty = false;
                false
            })
            .map_err(unreadable)?;
    }
    let mut out = String::new();
    let mut object = Object::new(&mut out);
    if empty {
        object.raw("storage", "null");
    } else {
        let mut dumped = Object::new(object.value("storage"));
        for (key, value) in &slots {
            let mut slot = Object::new(dumped.value(&key.to_string()));
            slot.raw("key", "null");
            slot.data("value", &value.to_be_bytes::<32>());
            slot.end();
        }
        dumped.end();
    }
    match next {
        Some(next) => object.data("nextKey", next.as_slice()),
        None => object.raw("nextKey", "null"),
    }
    object.end();
    Ok(Json::Owned(out))
}

/// JSON of the accounts of the second state that differ from those of the first, in the order of their keys. As in
/// geth's walk through two tries, deleted accounts are left out.
fn modified(
    source: &dyn StateView,
    start: BlockRef,
    end: BlockRef,
    gone: &AtomicBool,
) -> Result<Json, Error> {
    let mut changed: BTreeMap<B256, Address> = BTreeMap::new();
    for number in start.number.saturating_add(1)..=end.number {
        if gone.load(Ordering::Relaxed) {
            return Err(Error::server("execution aborted"));
        }
        let hash = source.hash_of(number).map_err(unreadable)?.ok_or_else(pruned)?;
        let of_block = source.before(BlockRef::new(number, hash)).map_err(unreadable)?.ok_or_else(pruned)?;
        changed.extend(of_block.accounts.into_iter().map(|(address, _)| (keccak256(address), address)));
    }
    let state =
        |block: BlockRef| if block == source.head().block { At::Latest } else { At::Block(block.number) };
    let (before, after) = (state(start), state(end));
    let mut differing = Vec::new();
    for (key, address) in changed {
        let account = one(source, key, after)?;
        if account.is_some() && account != one(source, key, before)? {
            differing.push(address);
        }
    }
    if differing.is_empty() {
        return Ok(Json::NULL);
    }
    let mut out = String::new();
    push_list(&mut out, &differing, |out, address| push_data(out, address.as_slice()));
    Ok(Json::Owned(out))
}

/// Account with the root of its storage.
fn one(source: &dyn StateView, key: B256, at: At) -> Result<Option<Account>, Error> {
    let mut found = None;
    source
        .accounts(key, at, &mut |at, account| {
            found = (at == key).then_some(account);
            false
        })
        .map_err(unreadable)?;
    Ok(found)
}

#[cfg(test)]
mod tests;

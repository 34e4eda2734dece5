//! `txpool_…`: the master's pool where it is kept, else an empty one.
//!
//! geth writes accounts and nonces in the order of their texts, as Go writes maps, and leaves out transactions with blobs,
//! which only its status counts.

use super::cold::{Look, Miss};
use crate::mempool::Mempool;
use crate::mempool::set::{Held, Senders, split};
use alloy::consensus::Transaction as _;
use maidenlane_chain::{Address, keccak256};
use maidenlane_ethjson::{params, transaction, unreadable};
use maidenlane_json::{Object, push_str};
use maidenlane_jsonrpc::{Args, Error, Json};
use maidenlane_state::At;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An empty pool: geth's two kinds of transactions in it.
const EMPTY: &str = "{\"pending\":{},\"queued\":{}}";
/// Transactions that are told on an IO thread: together what a hand-over is worth.
const SMALL: usize = 8;

/// Senders with their transactions: those that can go into the next block, and those that cannot yet.
#[derive(Default)]
struct Content {
    pending: BySender,
    queued: BySender,
}

/// Transactions by the texts of sender and nonce.
type BySender = BTreeMap<String, ByNonce>;
type ByNonce = BTreeMap<String, Arc<Held>>;

/// `txpool_content` and `txpool_inspect` without a pool.
pub(super) fn nothing(params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0).map(|_| Json::Static(EMPTY))
}

/// `txpool_contentFrom` without a pool.
pub(super) fn nothing_from(params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 1)?.required(params::address)?;
    Ok(Json::Static(EMPTY))
}

/// `txpool_status` without a pool.
pub(super) fn no_numbers(params: Option<&RawValue>) -> Result<Json, Error> {
    Args::parse(params, 0).map(|_| Json::Static("{\"pending\":\"0x0\",\"queued\":\"0x0\"}"))
}

/// `txpool_content`.
pub(super) fn content(look: &Look<'_>, params: Option<&RawValue>) -> Result<Json, Miss> {
    Args::parse(params, 0)?;
    let content = gather(look)?;
    Ok(written(&content, whole))
}

/// `txpool_inspect`.
pub(super) fn inspect(look: &Look<'_>, params: Option<&RawValue>) -> Result<Json, Miss> {
    Args::parse(params, 0)?;
    let content = gather(look)?;
    Ok(written(&content, |out, held| push_str(out, &summary(held))))
}

/// `txpool_contentFrom`.
pub(super) fn content_from(look: &Look<'_>, params: Option<&RawValue>) -> Result<Json, Miss> {
    let sender = Args::parse(params, 1)?.required(params::address)?;
    let held = pool(look)?.of(sender)?;
    look.allow(held.len() <= SMALL)?;
    let (pending, queued) = split(&held, nonce(look, sender)?);
    Ok(Json::object(|object| {
        for (name, held) in [("pending", pending), ("queued", queued)] {
            nonces(object.value(name), &by_nonce(held), whole);
        }
    }))
}

/// `txpool_status`. As in geth, transactions with blobs count.
pub(super) fn status(look: &Look<'_>, params: Option<&RawValue>) -> Result<Json, Miss> {
    Args::parse(params, 0)?;
    let (mut pending, mut queued) = (0, 0);
    for (sender, held) in all(look)? {
        let (run, rest) = split(&held, nonce(look, sender)?);
        pending += run.len();
        queued += rest.len();
    }
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    Ok(Json::object(|object| {
        object.quantity("pending", number(pending));
        object.quantity("queued", number(queued));
    }))
}

/// Nonce behind a sender's transactions that can go into the next block.
pub(super) fn next_nonce(pool: &Mempool, sender: Address, nonce: u64) -> Result<u64, Error> {
    let held = pool.of(sender)?;
    let (pending, _) = split(&held, nonce);
    Ok(pending.last().map_or(nonce, |last| last.nonce().saturating_add(1)))
}

fn pool<'a>(look: &'a Look<'_>) -> Result<&'a Mempool, Error> {
    look.shared.mempool.as_ref().ok_or_else(|| Error::internal("a pool that is not kept"))
}

/// The whole pool, once this thread may read it.
fn all(look: &Look<'_>) -> Result<Senders, Miss> {
    let pool = pool(look)?;
    look.allow(pool.len() <= SMALL)?;
    Ok(pool.all()?)
}

fn nonce(look: &Look<'_>, sender: Address) -> Result<u64, Error> {
    let account = look.view.source().account(keccak256(sender), At::Latest).map_err(unreadable)?;
    Ok(account.map_or(0, |account| account.nonce))
}

fn gather(look: &Look<'_>) -> Result<Content, Miss> {
    let mut content = Content::default();
    for (sender, held) in all(look)? {
        let (pending, queued) = split(&held, nonce(look, sender)?);
        for (side, held) in [(&mut content.pending, pending), (&mut content.queued, queued)] {
            let told = by_nonce(held);
            if !told.is_empty() {
                side.insert(sender.to_checksum(None), told);
            }
        }
    }
    Ok(content)
}

fn by_nonce(held: &[Arc<Held>]) -> ByNonce {
    let told = held.iter().filter(|held| !held.is_blob());
    told.map(|held| (held.nonce().to_string(), Arc::clone(held))).collect()
}

fn written(content: &Content, write: impl Fn(&mut String, &Held)) -> Json {
    Json::object(|object| {
        for (name, senders) in [("pending", &content.pending), ("queued", &content.queued)] {
            let mut of_senders = Object::new(object.value(name));
            for (sender, held) in senders {
                nonces(of_senders.value(sender), held, &write);
            }
            of_senders.end();
        }
    })
}

fn nonces(out: &mut String, held: &ByNonce, write: impl Fn(&mut String, &Held)) {
    let mut object = Object::new(out);
    for (nonce, held) in held {
        write(object.value(nonce), held);
    }
    object.end();
}

fn whole(out: &mut String, held: &Held) {
    let mut object = Object::new(out);
    transaction::write(&mut object, &held.tx, held.from, None);
    object.end();
}

/// One line about a transaction, in geth's words.
fn summary(held: &Held) -> String {
    let tx = &held.tx;
    let to = tx.to().map_or_else(|| "contract creation".to_owned(), |to| to.to_checksum(None));
    format!("{to}: {} wei + {} gas × {} wei", tx.value(), tx.gas_limit(), tx.max_fee_per_gas())
}

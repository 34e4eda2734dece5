//! A transaction at the door or in the log, as far as its sender's others are judged by it.

use alloy::consensus::Transaction as _;
use alloy::primitives::U256;
use maidenlane_chain::{Address, B256};
use maidenlane_ethjson::admit;
use maidenlane_ethjson::raw::{self, Sent};
use maidenlane_wire::Transaction;
use std::sync::Arc;

/// A transaction that may be, or is, on its way.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) hash: B256,
    pub(crate) sender: Address,
    pub(crate) nonce: u64,
    /// Most that it can cost.
    pub(crate) cost: U256,
    pub(crate) bytes: u64,
    /// Name of the caller who sent it, where it is known.
    pub(crate) identity: Option<Arc<str>>,
    /// Unix time in milliseconds at which it was taken.
    pub(crate) taken_ms: u64,
}

/// State of a sender's account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means {
    pub(crate) nonce: u64,
    pub(crate) balance: U256,
}

impl Offer {
    pub(crate) fn new(sent: &Sent, sender: Address, identity: Option<&str>, taken_ms: u64) -> Self {
        Self {
            hash: *sent.tx.tx_hash(),
            sender,
            nonce: sent.tx.nonce(),
            cost: admit::cost(sent).unwrap_or(U256::MAX),
            bytes: u64::try_from(sent.raw.len()).unwrap_or(u64::MAX),
            identity: identity.map(Into::into),
            taken_ms,
        }
    }

    /// Of an entry of the topic, whoever wrote it. One that an emitter passes over says nothing of anybody's.
    pub(super) fn of_entry(stated: Transaction, key: Option<&[u8]>) -> Option<Self> {
        let Transaction { hash, sender, raw, taken_ms, identity, tag: _ } = stated;
        let sent = raw::stated(raw, hash, sender).ok()?;
        (key == Some(sender.as_slice())).then(|| Self::new(&sent, sender, identity.as_deref(), taken_ms))
    }
}

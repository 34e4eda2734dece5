//! Blob transactions of which one is to land: the parameter of `eth_sendBlobs`, to an order that any of some blocks may hold.
//!
//! Nobody knows how many blobs a block has room for. So a sender signs several transactions for one nonce, each with another number
//! of blobs, and a builder takes the one that fits. To builders that says a bundle whose transactions may all be left out: the
//! first that fits uses up the nonce, and no block can hold the others.
//!
//! # Why they are sorted
//! Builders try the transactions of a bundle in their order. With the fewest blobs first, the others would never land. No sender
//! loses by another order: all are of one, and one lands.

use crate::bundle::{self, Asked, Checked, Circumstances};
use crate::fields::{Fields, members, number};
use crate::private;
use crate::refusal::Refusal;
use alloy::consensus::Transaction as _;
use maidenlane_chain::transaction::signer;
use maidenlane_config::nearest;
use std::cmp::Reverse;

/// Names of all fields: the first two are the method's, and the others mean what they mean in a bundle.
const NAMES: [&str; 5] = ["txs", MAX_BLOCK_NUMBER, "builders", "replacementUuid", "replacementNonce"];
const MAX_BLOCK_NUMBER: &str = "maxBlockNumber";

/// Reads the parameter of `eth_sendBlobs`.
///
/// # Errors
/// Naming the mistake.
pub fn read(json: &str, with: &Circumstances) -> Result<Asked, Refusal> {
    let (mut fields, mut last) = (Fields::default(), None);
    for (position, (name, value)) in (1..).zip(members(json)?) {
        let known = NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(&name));
        let Some(known) = known else {
            let hint = nearest(&name, NAMES.into_iter());
            return Err(Refusal::UnknownField { number: position, hint });
        };
        match (known, value.get()) {
            (_, "null") => {}
            (MAX_BLOCK_NUMBER, json) => last = Some(number(MAX_BLOCK_NUMBER, json)?),
            (field, json) => fields.set(field, json)?,
        }
    }
    let order = alternatives(&mut fields, with)?;
    let blocks = private::blocks(last, with)?;
    let Asked::Bundle(checked) = bundle::asked(fields, with)? else { return Err(Refusal::Empty) };
    let mut bundle = checked.bundle;
    let sorted = order.into_iter().filter_map(|index| bundle.txs.get(index).cloned());
    (bundle.txs, bundle.blocks) = (sorted.collect(), blocks);
    Ok(Asked::Bundle(Box::new(Checked::again(bundle)?)))
}

/// Checks that one of the transactions at most can land, and has all of them be left out where they do not. Returns their places in
/// the order in which they are tried.
fn alternatives(fields: &mut Fields, with: &Circumstances) -> Result<Vec<usize>, Refusal> {
    if fields.txs.is_empty() {
        return Err(Refusal::NoBlobs);
    }
    let txs = bundle::transactions(&fields.txs, with.bytes_max)?;
    let mut first = None;
    for (index, sent) in txs.iter().enumerate() {
        if sent.blobs.is_none() {
            return Err(Refusal::WithoutBlobs { index });
        }
        let unsigned = || Refusal::Transaction { index, problem: "invalid sender".to_owned() };
        let one = (signer(&sent.tx).ok_or_else(unsigned)?, sent.tx.nonce());
        if *first.get_or_insert(one) != one {
            return Err(Refusal::OtherNonce { index });
        }
    }
    fields.dropping = txs.iter().map(|sent| *sent.tx.tx_hash()).collect();
    let blobs = |index: &usize| txs.get(*index).and_then(|sent| Some(sent.tx.blob_versioned_hashes()?.len()));
    let mut order: Vec<usize> = (0..txs.len()).collect();
    order.sort_by_key(|index| Reverse(blobs(index)));
    Ok(order)
}

#[cfg(test)]
mod tests;

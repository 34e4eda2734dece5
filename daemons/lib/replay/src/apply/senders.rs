//! Senders that a feed tells, held against the signatures of one transaction in each block.
//!
//! # Why one
//! All of them are what catching up is to be spared: recovering takes 11 µs each, and a block of 250 transactions 2 ms for
//! all else. A hook that tells wrong ones is found within a few blocks all the same.

use super::Refusal;
use alloy::eips::Decodable2718;
use maidenlane_chain::block::Body;
use maidenlane_chain::transaction::{Transaction, sender};
use maidenlane_wire::Advance;

/// Checks the number of senders, and the one whom the block's hash chooses.
pub(super) fn check(record: &Advance) -> Result<(), Refusal> {
    let Some(senders) = &record.senders else { return Ok(()) };
    let block = record.block;
    let wrong = |what: String| Refusal::Senders { block, what };
    let body = Body::parse(&record.body).map_err(|source| Refusal::Unreadable { block, source })?;
    let count = body.transactions.len();
    if senders.len() != count {
        return Err(wrong(format!("{} for {count}", senders.len())));
    }
    let chosen = block.hash.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let index = chosen.checked_rem(u64::try_from(count).unwrap_or(u64::MAX)).unwrap_or(0);
    let index = usize::try_from(index).unwrap_or(0);
    let (Some(told), Some(raw)) = (senders.get(index), body.transactions.get(index)) else { return Ok(()) };
    let signed = Transaction::decode_2718_exact(raw).map_err(|error| wrong(error.to_string()))?;
    let found = sender(&signed);
    if found == *told { Ok(()) } else { Err(wrong(format!("{index} is signed by {found}, not {told}"))) }
}

#[cfg(test)]
mod tests;

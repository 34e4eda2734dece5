//! Rows of a state, whatever file they come from.

use alloy::rlp::Decodable as _;
use maidenlane_chain::{Account, B256, Bytes, U256};

/// A row of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// An account by keccak256 of its address.
    Account(B256, Account),
    /// A slot that is not zero: account, keccak256 of its number, value.
    Slot(B256, B256, U256),
    /// A code by its hash, which was checked.
    Code(B256, Bytes),
}

/// A slot's value from its RLP; `None` for zero, which no state holds, and for anything else than a number.
pub(crate) fn slot_value(mut rlp: &[u8]) -> Option<U256> {
    let value = U256::decode(&mut rlp).ok()?;
    (rlp.is_empty() && !value.is_zero()).then_some(value)
}

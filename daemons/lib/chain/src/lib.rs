//! Blocks, receipts, accounts and forks as consensus has them. Pure: no IO, no clock, no async.
//!
//! | file | idea |
//! |---|---|
//! | [`account`] | accounts as slim RLP |
//! | [`block`] | blocks as consensus bytes, checked against their header |
//! | [`decoded`] | blocks decoded, with their senders |
//! | `fork_watch` | the next fork that this build does not implement, and when to warn of it |
//! | [`forks`] | the fork schedule, and what of it this build implements |
//! | [`logs`] | logs straight from receipts |
//! | [`receipts`] | receipts as consensus bytes |
//! | [`rules`] | what the chain config says of a block |
//! | [`slim_receipts`] | receipts without bloom, as archives have them |
//! | [`transaction`] | transactions, and who signed them |

pub mod account;
pub mod block;
pub mod decoded;
mod fork_watch;
pub mod forks;
pub mod logs;
pub mod receipts;
mod rlp;
pub mod rules;
pub mod slim_receipts;
pub mod transaction;

pub use account::Account;
pub use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
pub use decoded::Block;
pub use fork_watch::{ForkWatch, UnknownFork};
pub use forks::{Fork, Forks};
pub use logs::{LogRef, Logs};
pub use receipts::{Receipt, Receipts};
pub use rules::Rules;
use std::fmt;
pub use transaction::Transaction;

/// A block named by number and hash. The hash decides; the number is its height.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct BlockRef {
    /// Height, 0 at genesis.
    pub number: u64,
    /// keccak256 of the header's RLP.
    pub hash: B256,
}

impl BlockRef {
    /// The block at `number` with this `hash`.
    #[must_use]
    pub const fn new(number: u64, hash: B256) -> Self {
        Self { number, hash }
    }
}

impl fmt::Display for BlockRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.number, self.hash)
    }
}

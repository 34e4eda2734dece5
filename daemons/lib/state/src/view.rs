//! View of state and chain at one block, as a trait: answers are tested on a chain in memory, and neither the EVM nor
//! the JSON-RPC knows the database.

use crate::trie::NodeKey;
use alloy::consensus::Header;
use alloy::primitives::{Address, B256, Bytes, U256};
use maidenlane_chain::{BlockRef, LogRef, Rules};
use std::sync::Arc;

/// A failed read: the database is damaged or gone. Never "there is none".
#[derive(Debug, thiserror::Error)]
#[error("read {what}")]
pub struct ReadError {
    what: &'static str,
    #[source]
    cause: Box<dyn std::error::Error + Send + Sync>,
}

impl ReadError {
    /// Error that names what was read.
    pub fn new(what: &'static str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { what, cause: cause.into() }
    }
}

/// Block after which the state is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    /// The head.
    Latest,
    /// A canonical ancestor of the head, not below the floor.
    Block(u64),
}

/// An account as the trie holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Transactions sent, or contracts created.
    pub nonce: u64,
    /// Balance in wei.
    pub balance: U256,
    /// keccak256 of the code.
    pub code_hash: B256,
}

/// Accounts and slots that a block changed, as they were before it.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// Accounts; `None` for those that the block made.
    pub accounts: Vec<(Address, Option<Account>)>,
    /// Slots whose plain numbers are known, by account and number; zero for those that the block made.
    pub slots: Vec<(Address, U256, U256)>,
}

/// The head, and the limits and names that hold at it.
#[derive(Clone, Debug)]
pub struct Head {
    /// Number and hash.
    pub block: BlockRef,
    /// Header of the head.
    pub header: Arc<Header>,
    /// Safe block, as the consensus layer said, if it did.
    pub safe: Option<BlockRef>,
    /// Finalized block, as the consensus layer said, if it did.
    pub finalized: Option<BlockRef>,
    /// Oldest block whose state can be read.
    pub state_floor: u64,
    /// Oldest block whose state can be proved; `None` where no trie nodes are kept.
    pub proofs_floor: Option<u64>,
    /// Oldest block whose body and receipts are kept.
    pub body_floor: u64,
    /// The chain's forks, from the feed's newest OPEN.
    pub rules: Arc<Rules>,
    /// Name and version of the master.
    pub client_version: Arc<str>,
    /// The master's network id, where the feed says it.
    pub network_id: Option<u64>,
}

/// Query for logs. An empty list of addresses, or of alternatives at a position, matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// First block.
    pub from: u64,
    /// Last block.
    pub to: u64,
    /// Addresses, any of which matches.
    pub addresses: Vec<Address>,
    /// Topics at each position, any of which matches.
    pub topics: Vec<Vec<B256>>,
}

impl LogQuery {
    /// True if an index can help: some position names what it wants.
    #[must_use]
    pub fn is_selective(&self) -> bool {
        !self.addresses.is_empty() || self.topics.iter().any(|any| !any.is_empty())
    }

    /// True if a log of a block in the range matches.
    #[must_use]
    pub fn matches(&self, log: &LogRef<'_>) -> bool {
        let address = self.addresses.is_empty() || self.addresses.contains(log.address);
        let topics = self.topics.iter().zip(log.topics());
        address
            && self.topics.len() <= log.topics().len()
            && topics.into_iter().all(|(wanted, topic)| wanted.is_empty() || wanted.contains(topic))
    }
}

/// View of state and chain at one block: immutable while it is held.
pub trait StateView: Send + Sync + 'static {
    /// Head, the block that the view shows.
    fn head(&self) -> &Head;
    /// An account by keccak256 of its address.
    fn account(&self, key: B256, at: At) -> Result<Option<Account>, ReadError>;
    /// A slot by keccak256 of address and slot number; zero where there is none.
    fn slot(&self, account: B256, key: B256, at: At) -> Result<U256, ReadError>;
    /// Calls `visit` with accounts and their keys, ascending from `from` on, until it returns false.
    fn accounts(
        &self,
        from: B256,
        at: At,
        visit: &mut dyn FnMut(B256, maidenlane_chain::Account) -> bool,
    ) -> Result<(), ReadError>;
    /// Calls `visit` with the slots of an account and their keys, ascending from `from` on, until it returns false.
    fn slots(
        &self,
        account: B256,
        from: B256,
        at: At,
        visit: &mut dyn FnMut(B256, U256) -> bool,
    ) -> Result<(), ReadError>;
    /// State before a canonical block, as far as the block changed it; `None` when that is no longer kept.
    fn before(&self, block: BlockRef) -> Result<Option<Before>, ReadError>;
    /// RLP of a trie node. Only asked at blocks that have proofs.
    fn node(&self, place: &NodeKey, at: At) -> Result<Option<Bytes>, ReadError>;
    /// Code by its hash.
    fn code(&self, hash: B256) -> Result<Option<Bytes>, ReadError>;
    /// The canonical hash at a number.
    fn hash_of(&self, number: u64) -> Result<Option<B256>, ReadError>;
    /// Number of a known block, and true if it is canonical.
    fn find(&self, hash: B256) -> Result<Option<(u64, bool)>, ReadError>;
    /// RLP of a header.
    fn header(&self, block: BlockRef) -> Result<Option<Bytes>, ReadError>;
    /// RLP of a body: `[transactions, uncles, withdrawals?]`.
    fn body(&self, block: BlockRef) -> Result<Option<Bytes>, ReadError>;
    /// Consensus receipts, one RLP list.
    fn receipts(&self, block: BlockRef) -> Result<Option<Bytes>, ReadError>;
    /// Senders of the transactions, in order, where they are known without their signatures.
    fn senders(&self, block: BlockRef) -> Result<Option<Vec<Address>>, ReadError>;
    /// The canonical block and index of a transaction.
    fn transaction(&self, hash: B256) -> Result<Option<(BlockRef, usize)>, ReadError>;
    /// Calls `visit`, ascending, with blocks and the indexes (counted through the block) of their logs that have every
    /// wanted address and topic; with no logs from time to time while none are found. `visit` returns false to end the
    /// search. Only asked when at least one position names a term; a log with fewer topics than the query has positions
    /// may be among them.
    fn logs(&self, query: &LogQuery, visit: &mut dyn FnMut(u64, &[u32]) -> bool) -> Result<(), ReadError>;
}

//! State source that records what is read through it.

use maidenlane_chain::{Address, B256, BlockRef, Bytes, U256};
use maidenlane_state::trie::NodeKey;
use maidenlane_state::{Account, At, Before, Head, LogQuery, ReadError, StateView};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Record of what was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Accounts, each with its slots, by the tries' keys.
    pub(crate) read: BTreeMap<B256, BTreeSet<B256>>,
    /// Code.
    pub(crate) codes: BTreeSet<Bytes>,
    /// Oldest block whose hash was read.
    pub(crate) oldest: Option<u64>,
    /// Trie nodes.
    pub(crate) nodes: BTreeSet<Bytes>,
    /// Bytes of the trie nodes.
    bytes: usize,
}

/// View that records what is read of it. Reads of blocks and logs are not recorded: execution makes none.
pub(crate) struct Noted {
    source: Arc<dyn StateView>,
    seen: Mutex<Seen>,
}

impl Noted {
    /// New recorder of a source, with an empty record.
    pub(crate) fn new(source: Arc<dyn StateView>) -> Self {
        Self { source, seen: Mutex::default() }
    }

    /// Copy of the record so far.
    pub(crate) fn seen(&self) -> Seen {
        self.note().clone()
    }

    /// Bytes of the trie nodes so far.
    pub(crate) fn bytes(&self) -> usize {
        self.note().bytes
    }

    fn note(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateView for Noted {
    fn head(&self) -> &Head {
        self.source.head()
    }

    fn account(&self, key: B256, at: At) -> Result<Option<Account>, ReadError> {
        self.note().read.entry(key).or_default();
        self.source.account(key, at)
    }

    fn slot(&self, account: B256, key: B256, at: At) -> Result<U256, ReadError> {
        self.note().read.entry(account).or_default().insert(key);
        self.source.slot(account, key, at)
    }

    fn node(&self, place: &NodeKey, at: At) -> Result<Option<Bytes>, ReadError> {
        let node = self.source.node(place, at)?;
        if let Some(node) = &node {
            let mut seen = self.note();
            if seen.nodes.insert(node.clone()) {
                seen.bytes = seen.bytes.saturating_add(node.len());
            }
        }
        Ok(node)
    }

    fn code(&self, hash: B256) -> Result<Option<Bytes>, ReadError> {
        let code = self.source.code(hash)?;
        self.note().codes.extend(code.clone());
        Ok(code)
    }

    fn hash_of(&self, number: u64) -> Result<Option<B256>, ReadError> {
        let mut seen = self.note();
        seen.oldest = Some(seen.oldest.map_or(number, |oldest| oldest.min(number)));
        drop(seen);
        self.source.hash_of(number)
    }

    fn accounts(
        &self,
        from: B256,
        at: At,
        visit: &mut dyn FnMut(B256, maidenlane_chain::Account) -> bool,
    ) -> Result<(), ReadError> {
        self.source.accounts(from, at, visit)
    }

    fn slots(
        &self,
        account: B256,
        from: B256,
        at: At,
        visit: &mut dyn FnMut(B256, U256) -> bool,
    ) -> Result<(), ReadError> {
        self.source.slots(account, from, at, visit)
    }

    fn before(&self, block: BlockRef) -> Result<Option<Before>, ReadError> {
        self.source.before(block)
    }

    fn find(&self, hash: B256) -> Result<Option<(u64, bool)>, ReadError> {
        self.source.find(hash)
    }

    fn header(&self, block: BlockRef) -> Result<Option<Bytes>, ReadError> {
        self.source.header(block)
    }

    fn body(&self, block: BlockRef) -> Result<Option<Bytes>, ReadError> {
        self.source.body(block)
    }

    fn receipts(&self, block: BlockRef) -> Result<Option<Bytes>, ReadError> {
        self.source.receipts(block)
    }

    fn senders(&self, block: BlockRef) -> Result<Option<Vec<Address>>, ReadError> {
        self.source.senders(block)
    }

    fn transaction(&self, hash: B256) -> Result<Option<(BlockRef, usize)>, ReadError> {
        self.source.transaction(hash)
    }

    fn logs(&self, query: &LogQuery, visit: &mut dyn FnMut(u64, &[u32]) -> bool) -> Result<(), ReadError> {
        self.source.logs(query, visit)
    }
}

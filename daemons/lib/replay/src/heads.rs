//! Heads as readers see them: one view per head, swapped in one step.

use crate::liveness::{Liveness, missing};
use crate::memo::Memo;
use crate::{Fitness, Fresh, Live};
use alloy::consensus::Header;
use alloy::primitives::{Address, B256, Bytes, U256};
use arc_swap::ArcSwap;
use maidenlane_chain::block::decode_header;
use maidenlane_chain::forks::ForksError;
use maidenlane_chain::{BlockRef, Rules};
use maidenlane_service::Current;
use maidenlane_service::clock::{age_of, millis};
use maidenlane_state::trie::NodeKey;
use maidenlane_state::{Account, At, Before, Head, LogQuery, ReadError, StateView};
use maidenlane_store::{self as store, View};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A head that cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The head's header is missing or cannot be read.
    #[error("the head's header cannot be read")]
    Header(#[source] maidenlane_chain::block::BlockError),
    /// The master's chain config cannot be read.
    #[error("the feed's chain config cannot be read")]
    Rules(#[source] ForksError),
}

/// Cache of parsed values: the chain's rules until an OPEN brings another chain config, and the header of the block
/// that was applied last.
#[derive(Debug, Default)]
pub struct Parsed {
    rules: Option<(Arc<str>, Arc<Rules>)>,
    header: Option<(BlockRef, Arc<Header>)>,
}

impl Parsed {
    /// Keeps the header of a block that becomes the head.
    pub fn note(&mut self, block: BlockRef, header: Arc<Header>) {
        self.header = Some((block, header));
    }

    fn header(&self, view: &View) -> Result<Arc<Header>, ShowError> {
        match &self.header {
            Some((block, header)) if *block == view.head() => Ok(Arc::clone(header)),
            _ => Ok(Arc::new(decode_header(&view.head_header()?).map_err(ShowError::Header)?)),
        }
    }

    fn rules(&mut self, config: &Arc<str>) -> Result<Arc<Rules>, ShowError> {
        if let Some((_, rules)) = self.rules.as_ref().filter(|(parsed, _)| parsed == config) {
            return Ok(Arc::clone(rules));
        }
        let rules = Arc::new(Rules::parse(config).map_err(ShowError::Rules)?);
        self.rules = Some((Arc::clone(config), Arc::clone(&rules)));
        Ok(rules)
    }
}

/// View of one head, with the values decoded that the RPC wants.
#[derive(Debug)]
pub struct HeadView {
    view: View,
    head: Head,
    memo: Memo,
}

impl HeadView {
    /// Decodes what every request needs. A safe or finalized block that a reorg took off the chain is none until the
    /// consensus layer names another: its number would be the state of another block.
    ///
    /// # Errors
    /// When header, chain config or canonical hashes cannot be read.
    pub fn new(view: View, parsed: &mut Parsed) -> Result<Self, ShowError> {
        let facts = view.facts();
        let canonical = |block: Option<BlockRef>| match block {
            Some(block) if view.hash_of(block.number)? == Some(block.hash) => Ok(Some(block)),
            _ => Ok::<_, store::Error>(None),
        };
        let head = Head {
            block: view.head(),
            header: parsed.header(&view)?,
            safe: canonical(facts.safe)?,
            finalized: canonical(facts.finalized)?,
            state_floor: facts.state_floor,
            proofs_floor: facts.proofs.map(|proofs| proofs.floor),
            body_floor: facts.base,
            rules: parsed.rules(&facts.chain_config)?,
            client_version: Arc::clone(&facts.client_version),
            network_id: facts.network_id,
        };
        Ok(Self { view, head, memo: Memo::new() })
    }
}

fn read<T>(what: &'static str, result: Result<T, store::Error>) -> Result<T, ReadError> {
    result.map_err(|error| ReadError::new(what, error))
}

const fn after(at: At) -> Option<u64> {
    match at {
        At::Latest => None,
        At::Block(number) => Some(number),
    }
}

impl StateView for HeadView {
    fn head(&self) -> &Head {
        &self.head
    }

    fn account(&self, key: B256, at: At) -> Result<Option<Account>, ReadError> {
        let stored = || {
            let account = read("account", self.view.account(key, after(at)))?;
            let decoded = |account: maidenlane_chain::Account| Account {
                nonce: account.nonce,
                balance: account.balance,
                code_hash: account.code_hash,
            };
            Ok(account.map(decoded))
        };
        if at == At::Latest { self.memo.account(key, stored) } else { stored() }
    }

    fn slot(&self, account: B256, key: B256, at: At) -> Result<U256, ReadError> {
        let stored = || read("slot", self.view.slot(account, key, after(at)));
        if at == At::Latest { self.memo.slot((account, key), stored) } else { stored() }
    }

    fn accounts(
        &self,
        from: B256,
        at: At,
        visit: &mut dyn FnMut(B256, maidenlane_chain::Account) -> bool,
    ) -> Result<(), ReadError> {
        read("accounts", self.view.accounts(from, after(at), visit))
    }

    fn slots(
        &self,
        account: B256,
        from: B256,
        at: At,
        visit: &mut dyn FnMut(B256, U256) -> bool,
    ) -> Result<(), ReadError> {
        read("slots", self.view.slots(account, from, after(at), visit))
    }

    fn before(&self, block: BlockRef) -> Result<Option<Before>, ReadError> {
        read("undo rows", self.view.before(block))
    }

    fn node(&self, place: &NodeKey, at: At) -> Result<Option<Bytes>, ReadError> {
        read("trie node", self.view.node(place, after(at)))
    }

    fn code(&self, hash: B256) -> Result<Option<Bytes>, ReadError> {
        read("code", self.view.code(hash))
    }

    fn hash_of(&self, number: u64) -> Result<Option<B256>, ReadError> {
        read("canonical hash", self.view.hash_of(number))
    }

    fn find(&self, hash: B256) -> Result<Option<(u64, bool)>, ReadError> {
        read("block number", self.view.find(hash))
    }

    fn header(&self, block: BlockRef) -> Result<Option<Bytes>, ReadError> {
        read("header", self.view.header(block))
    }

    fn body(&self, block: BlockRef) -> Result<Option<Bytes>, ReadError> {
        read("body", self.view.body(block))
    }

    fn receipts(&self, block: BlockRef) -> Result<Option<Bytes>, ReadError> {
        read("receipts", self.view.receipts(block))
    }

    fn senders(&self, block: BlockRef) -> Result<Option<Vec<Address>>, ReadError> {
        read("senders", self.view.senders(block))
    }

    fn transaction(&self, hash: B256) -> Result<Option<(BlockRef, usize)>, ReadError> {
        read("transaction", self.view.transaction(hash))
    }

    fn logs(&self, query: &LogQuery, visit: &mut dyn FnMut(u64, &[u32]) -> bool) -> Result<(), ReadError> {
        let mut positions = Vec::new();
        if !query.addresses.is_empty() {
            positions.push((0, query.addresses.iter().map(|address| address.to_vec()).collect()));
        }
        for (position, any) in (1_u8..).zip(&query.topics) {
            if !any.is_empty() {
                positions.push((position, any.iter().map(|topic| topic.to_vec()).collect()));
            }
        }
        read("logs", self.view.logs(&positions, query.from..=query.to, visit)).map(drop)
    }
}

/// Tracker of the newest head and its freshness. Written by the follower, read by every request without a lock.
#[derive(Debug)]
pub struct HeadTracker {
    shown: ArcSwap<HeadView>,
    changes: watch::Sender<u64>,
    liveness: Arc<Liveness>,
    fresh: Current<Fresh>,
}

impl HeadTracker {
    /// Tracker with a first head.
    #[must_use]
    pub fn new(first: HeadView, liveness: Arc<Liveness>, fresh: Current<Fresh>) -> Self {
        let changes = watch::Sender::new(first.head.block.number);
        Self { shown: ArcSwap::from_pointee(first), changes, liveness, fresh }
    }

    /// Shows another head to all requests that begin from now on.
    pub fn show(&self, shown: HeadView) {
        let number = shown.head.block.number;
        self.shown.store(Arc::new(shown));
        self.changes.send_replace(number);
    }

    /// Notes why nothing is read from the feed, or that it is read again.
    pub(crate) fn set_obstacle(&self, reason: Option<String>) {
        self.liveness.set_obstacle(reason);
    }

    /// Reason why nothing is read from the feed, if there is one.
    pub(crate) fn obstacle(&self) -> Option<String> {
        self.liveness.obstacle()
    }

    /// Number and hash of the head that is shown.
    #[must_use]
    pub fn head(&self) -> BlockRef {
        self.shown.load().head.block
    }
}

impl Live for HeadTracker {
    fn view(&self) -> Arc<dyn StateView> {
        self.shown.load_full()
    }

    fn fitness(&self) -> Fitness {
        let shown = self.shown.load();
        let (head, expected, silent) =
            (shown.head.block.number, self.liveness.expected(), self.liveness.silent());
        let lag = expected.saturating_sub(head);
        let age = age_of(Duration::from_secs(shown.head.header.timestamp));
        let fresh = self.fresh.get();
        let stale = if let Some(block) = self.liveness.missing() {
            Some(missing(block))
        } else if !self.liveness.any() || silent > fresh.silence_max {
            Some(self.liveness.silence())
        } else if lag > fresh.lag_blocks_max {
            Some(format!("{lag} blocks behind the master's head {expected}"))
        } else if fresh.head_age_max.is_some_and(|limit| age > limit) {
            Some(format!("head {head} is {} s old", age.as_secs()))
        } else {
            None
        };
        Fitness { stale, head, expected, silent_ms: millis(silent) }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

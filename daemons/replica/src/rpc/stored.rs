//! The store's view as what the RPC reads.

use super::source::{Account, At, Head, LogQuery, ReadError, Source};
use crate::evm::rules::Rules;
use crate::store::{self, View};
use alloy::consensus::Header;
use alloy::primitives::{B256, Bytes, U256};
use alloy::rlp::Decodable as _;
use maidenlane_chain::BlockRef;
use std::sync::Arc;

/// A view with its head decoded once, for all requests that are answered from it.
#[derive(Debug)]
pub struct Stored {
    view: View,
    head: Head,
}

impl Stored {
    /// Decodes the head. `before` is the view that this one follows: an unchanged chain config is not parsed again.
    ///
    /// # Errors
    /// When the head's header or the chain config in the store is not readable.
    pub fn new(view: View, before: Option<&Self>) -> Result<Self, ReadError> {
        let facts = view.facts();
        let header = Header::decode(&mut &view.head_header()[..])
            .map_err(|e| ReadError::new("the head's header", e))?;
        let same = before.filter(|before| before.view.facts().chain_config == facts.chain_config);
        let rules = match same {
            Some(before) => Arc::clone(&before.head.rules),
            None => Arc::new(
                Rules::parse(&facts.chain_config).map_err(|e| ReadError::new("the chain config", e))?,
            ),
        };
        let head = Head {
            block: view.head(),
            header: Arc::new(header),
            safe: facts.safe,
            finalized: facts.finalized,
            state_floor: facts.state_floor,
            body_floor: facts.base,
            rules,
            client_version: facts.client_version.as_str().into(),
        };
        Ok(Self { view, head })
    }

    /// The view itself.
    #[must_use]
    pub const fn view(&self) -> &View {
        &self.view
    }
}

fn block(at: At) -> Option<u64> {
    match at {
        At::Latest => None,
        At::Block(number) => Some(number),
    }
}

/// Names what was read when it could not be.
fn named(what: &'static str) -> impl FnOnce(store::Error) -> ReadError {
    move |error| ReadError::new(what, error)
}

impl Source for Stored {
    fn head(&self) -> &Head {
        &self.head
    }

    fn account(&self, key: B256, at: At) -> Result<Option<Account>, ReadError> {
        let found = self.view.account(key, block(at)).map_err(named("account"))?;
        let plain = |account: maidenlane_chain::account::Account| Account {
            nonce: account.nonce,
            balance: account.balance,
            code_hash: account.code_hash,
        };
        Ok(found.map(plain))
    }

    fn slot(&self, account: B256, key: B256, at: At) -> Result<U256, ReadError> {
        self.view.slot(account, key, block(at)).map_err(named("slot"))
    }

    fn code(&self, hash: B256) -> Result<Option<Bytes>, ReadError> {
        self.view.code(hash).map_err(named("code"))
    }

    fn hash_of(&self, number: u64) -> Result<Option<B256>, ReadError> {
        self.view.hash_of(number).map_err(named("canonical hash"))
    }

    fn find(&self, hash: B256) -> Result<Option<(u64, bool)>, ReadError> {
        self.view.find(hash).map_err(named("block number"))
    }

    fn header(&self, block: BlockRef) -> Result<Option<Bytes>, ReadError> {
        self.view.header(block).map_err(named("header"))
    }

    fn body(&self, block: BlockRef) -> Result<Option<Bytes>, ReadError> {
        self.view.body(block).map_err(named("body"))
    }

    fn receipts(&self, block: BlockRef) -> Result<Option<Bytes>, ReadError> {
        self.view.receipts(block).map_err(named("receipts"))
    }

    fn transaction(&self, hash: B256) -> Result<Option<(BlockRef, usize)>, ReadError> {
        self.view.transaction(hash).map_err(named("transaction"))
    }

    fn logs(&self, query: &LogQuery, most: usize) -> Result<Vec<(u64, Vec<usize>)>, ReadError> {
        let addresses = query.addresses.iter().map(|address| address.to_vec()).collect();
        let topics = query.topics.iter().map(|any| any.iter().map(|topic| topic.to_vec()).collect());
        let positions: Vec<(u8, Vec<Vec<u8>>)> = (0..=4)
            .zip(std::iter::once(addresses).chain(topics))
            .filter(|(_, terms): &(u8, Vec<Vec<u8>>)| !terms.is_empty())
            .collect();
        self.view.logs(&positions, query.from, query.to, most).map_err(named("log index"))
    }
}

//! Database of revm: the view with overrides. One call, one database: overrides and memos live as long as the call.

use super::codes::Codes;
use super::trail::Past;
use alloy::primitives::map::{AddressMap, B256Map};
use maidenlane_state::{At, ReadError, StateView};
use revm::bytecode::Bytecode;
use revm::database_interface::{DBErrorMarker, Database};
use revm::primitives::{Address, B256, StorageKey, StorageValue, U256, keccak256};
use revm::state::AccountInfo;

/// Failed read of state inside a call.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// The store failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An account names code that the store does not have.
    #[error("code {0} is missing")]
    NoCode(B256),
}

impl DBErrorMarker for ReadFault {}

/// Override of one account by a call.
#[derive(Clone, Debug, Default)]
pub struct AccountOverride {
    /// Another nonce.
    pub nonce: Option<u64>,
    /// Another balance.
    pub balance: Option<U256>,
    /// Other code.
    pub code: Option<Bytecode>,
    /// Slots that replace the whole storage: all others are zero.
    pub state: Option<B256Map<B256>>,
    /// Single slots on top of the storage.
    pub diff: B256Map<B256>,
}

impl AccountOverride {
    /// True if it changes nothing.
    pub fn is_empty(&self) -> bool {
        let Self { nonce, balance, code, state, diff } = self;
        nonce.is_none() && balance.is_none() && code.is_none() && state.is_none() && diff.is_empty()
    }

    /// Applies all but the storage.
    pub fn apply(&self, info: &mut AccountInfo) {
        info.nonce = self.nonce.unwrap_or(info.nonce);
        info.balance = self.balance.unwrap_or(info.balance);
        if let Some(code) = &self.code {
            info.code_hash = code.hash_slow();
            info.code = Some(code.clone());
        }
    }
}

/// All overrides of a call.
pub type Overrides = AddressMap<AccountOverride>;

/// State after one block, as one call sees it.
#[derive(Clone)]
pub struct StateDb<'a> {
    source: &'a dyn StateView,
    at: At,
    /// Number below which `BLOCKHASH` knows blocks.
    hashes_below: u64,
    codes: &'a Codes,
    overrides: Option<&'a Overrides>,
    /// Changes of a block's first transactions.
    past: Option<Past>,
    /// Address with its keccak256, which many reads of its slots share.
    last_key: Option<(Address, B256)>,
}

impl std::fmt::Debug for StateDb<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateDb").field("at", &self.at).finish_non_exhaustive()
    }
}

impl<'a> StateDb<'a> {
    /// State at `at` with `overrides` on top, for a block whose ancestors are below `hashes_below`.
    pub fn new(
        source: &'a dyn StateView,
        at: At,
        hashes_below: u64,
        codes: &'a Codes,
        overrides: &'a Overrides,
    ) -> Self {
        Self { overrides: Some(overrides), ..Self::bare(source, at, hashes_below, codes) }
    }

    /// State at `at` as it is, for a block whose ancestors are below `hashes_below`.
    pub fn bare(source: &'a dyn StateView, at: At, hashes_below: u64, codes: &'a Codes) -> Self {
        Self { source, at, hashes_below, codes, overrides: None, past: None, last_key: None }
    }

    /// The same state with the changes of a block's first transactions, below all overrides.
    pub(super) fn after(self, past: Past) -> Self {
        Self { past: Some(past), ..self }
    }

    /// Sets the number below which `BLOCKHASH` knows blocks.
    pub fn sees_hashes_below(&mut self, number: u64) {
        self.hashes_below = number;
    }

    fn stored(&mut self, address: Address) -> Result<Option<AccountInfo>, ReadFault> {
        let key = self.key(address);
        let found = self.source.account(key, self.at)?;
        Ok(found.map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            account_id: None,
            code: None,
        }))
    }

    fn key(&mut self, address: Address) -> B256 {
        match self.last_key {
            Some((last, key)) if last == address => key,
            _ => {
                let key = keccak256(address);
                self.last_key = Some((address, key));
                key
            }
        }
    }
}

impl Database for StateDb<'_> {
    type Error = ReadFault;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, ReadFault> {
        let mut info = match self.past.as_ref().and_then(|past| past.account(&address)) {
            Some(info) => info,
            None => self.stored(address)?,
        };
        if let Some(wanted) = self.overrides.and_then(|overrides| overrides.get(&address)) {
            wanted.apply(info.get_or_insert_default());
        }
        Ok(info)
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, ReadFault> {
        if let Some(code) = self.past.as_ref().and_then(|past| past.code(&hash)) {
            return Ok(code);
        }
        self.codes.get(self.source, hash)?.ok_or(ReadFault::NoCode(hash))
    }

    fn storage(&mut self, address: Address, index: StorageKey) -> Result<StorageValue, ReadFault> {
        let slot = B256::from(index);
        if let Some(wanted) = self.overrides.and_then(|overrides| overrides.get(&address)) {
            let whole = wanted.state.as_ref();
            if let Some(value) = wanted.diff.get(&slot).or_else(|| whole.and_then(|state| state.get(&slot))) {
                return Ok(U256::from_be_bytes(value.0));
            }
            if whole.is_some() {
                return Ok(U256::ZERO);
            }
        }
        if let Some(value) = self.past.as_ref().and_then(|past| past.slot(&address, &index)) {
            return Ok(value);
        }
        let account = self.key(address);
        Ok(self.source.slot(account, keccak256(slot), self.at)?)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, ReadFault> {
        if number >= self.hashes_below {
            return Ok(B256::ZERO);
        }
        // revm asks only for the 256 ancestors; what is older than this replica's headers is zero, as in geth.
        Ok(self.source.hash_of(number)?.unwrap_or_default())
    }
}

//! State overlay: changes on top of the view by earlier transactions, simulated blocks and their overrides. It lives as
//! long as one request.

use super::database::{Overrides, ReadFault, StateDb};
use super::fate::{Fate, fate};
use alloy::primitives::map::AddressMap;
use maidenlane_state::trie::state;
use revm::bytecode::Bytecode;
use revm::database_interface::{Database, DatabaseCommit};
use revm::primitives::hardfork::SpecId;
use revm::primitives::map::HashMap;
use revm::primitives::{Address, B256, StorageKey, StorageValue, U256, keccak256};
use revm::state::{Account, AccountInfo};
use std::collections::BTreeMap;

/// One account that differs from the view.
#[derive(Clone, Debug, Default)]
struct Changed {
    /// Fields of the account; `None` if there is none any more.
    info: Option<AccountInfo>,
    /// Slots that differ.
    slots: HashMap<StorageKey, StorageValue>,
    /// True if slots that are not in `slots` are zero, whatever the view has.
    wiped: bool,
}

/// The view with changes on it.
#[derive(Clone, Debug)]
pub struct Overlay<'a> {
    base: StateDb<'a>,
    changed: AddressMap<Changed>,
    hashes: BTreeMap<u64, B256>,
    /// True before Spurious Dragon, where an empty account is an account.
    keeps_empty: bool,
}

impl<'a> Overlay<'a> {
    /// Overlay without changes.
    pub fn new(base: StateDb<'a>, spec: SpecId) -> Self {
        let mut overlay =
            Self { base, changed: AddressMap::default(), hashes: BTreeMap::new(), keeps_empty: false };
        overlay.enter(spec);
        overlay
    }

    /// Sets the fork under which the next transactions run.
    pub fn enter(&mut self, spec: SpecId) {
        self.keeps_empty = !spec.is_enabled_in(SpecId::SPURIOUS_DRAGON);
    }

    /// True if an empty account is an account.
    pub(super) fn keeps_empty(&self) -> bool {
        self.keeps_empty
    }

    /// Sets the hash that `BLOCKHASH` returns for a block that is not on the chain.
    pub fn set_hash(&mut self, number: u64, hash: B256) {
        self.hashes.insert(number, hash);
    }

    /// All changes on top of the view, by the trie's keys.
    pub fn changes(&self) -> BTreeMap<B256, state::Changed> {
        let slot = |(slot, value): (&U256, &U256)| (keccak256(B256::from(*slot)), *value);
        let account = |(address, changed): (&Address, &Changed)| {
            let account = changed.info.as_ref().map(|info| maidenlane_chain::Account {
                nonce: info.nonce,
                balance: info.balance,
                code_hash: info.code_hash,
                ..maidenlane_chain::Account::default()
            });
            let slots = changed.slots.iter().map(slot).collect();
            (keccak256(address), state::Changed { account, wiped: changed.wiped, slots })
        };
        self.changed.iter().map(account).collect()
    }

    /// Entry of an account, made from its present fields if there is none.
    fn entry(&mut self, address: Address) -> Result<&mut Changed, ReadFault> {
        use std::collections::hash_map::Entry;
        match self.changed.entry(address) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let info = self.base.basic(address)?;
                Ok(entry.insert(Changed { info, ..Changed::default() }))
            }
        }
    }

    /// Applies overrides, as if a transaction had written them.
    pub fn apply(&mut self, overrides: &Overrides) -> Result<(), ReadFault> {
        for (address, wanted) in overrides {
            // An override that changes nothing makes no account.
            if wanted.is_empty() {
                continue;
            }
            let changed = self.entry(*address)?;
            wanted.apply(changed.info.get_or_insert_default());
            if let Some(state) = &wanted.state {
                changed.wiped = true;
                changed.slots.clear();
                changed.slots.extend(state.iter().map(word));
            }
            changed.slots.extend(wanted.diff.iter().map(word));
        }
        Ok(())
    }

    /// Adds to a balance: withdrawals and rewards. Zero makes no account, but looks at it.
    pub fn pay(&mut self, address: Address, wei: U256) -> Result<(), ReadFault> {
        let info = &mut self.entry(address)?.info;
        if !wei.is_zero() {
            let info = info.get_or_insert_default();
            info.balance = info.balance.saturating_add(wei);
        }
        Ok(())
    }
}

fn word((slot, value): (&B256, &B256)) -> (U256, U256) {
    (U256::from_be_bytes(slot.0), U256::from_be_bytes(value.0))
}

impl Database for Overlay<'_> {
    type Error = ReadFault;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, ReadFault> {
        match self.changed.get(&address) {
            Some(changed) => Ok(changed.info.clone()),
            None => self.base.basic(address),
        }
    }

    /// Code by its hash; changed code comes with its account.
    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, ReadFault> {
        self.base.code_by_hash(hash)
    }

    fn storage(&mut self, address: Address, index: StorageKey) -> Result<StorageValue, ReadFault> {
        if let Some(changed) = self.changed.get(&address) {
            if let Some(value) = changed.slots.get(&index) {
                return Ok(*value);
            }
            if changed.wiped {
                return Ok(U256::ZERO);
            }
        }
        self.base.storage(address, index)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, ReadFault> {
        match self.hashes.get(&number) {
            Some(hash) => Ok(*hash),
            None => self.base.block_hash(number),
        }
    }
}

impl DatabaseCommit for Overlay<'_> {
    fn commit(&mut self, changes: AddressMap<Account>) {
        for (address, account) in changes {
            let Some(Fate { exists, wiped, slots }) = fate(&account, self.keeps_empty) else { continue };
            let changed = self.changed.entry(address).or_default();
            if wiped {
                changed.wiped = true;
                changed.slots.clear();
            }
            changed.slots.extend(slots);
            let kept = changed.info.take().and_then(|info| info.code);
            changed.info = exists.then(|| AccountInfo { code: account.info.code.or(kept), ..account.info });
        }
    }
}

//! Trail of a mined block: what each step of its run changed, so that a later run begins where it is asked about. Steps
//! are the calls of the protocol before the first transaction, and the transactions; before them stands what the view has
//! of all that the block changes, so that it is read at once.
//!
//! # Correctness
//! A trail belongs to one block on the state of its parent, which the block's hash names both, and a run of them has one
//! outcome: of several that note at a time, each step is the same, and the first to come to it notes it. Readers see only
//! the steps before their own, so what is noted beside them changes nothing for them.

use super::fate::fate;
use maidenlane_state::{self as state, Before};
use revm::bytecode::Bytecode;
use revm::primitives::map::{AddressMap, B256Map, HashMap};
use revm::primitives::{Address, B256, StorageKey, StorageValue, U256};
use revm::state::{Account, AccountInfo};
use std::sync::{Arc, PoisonError, RwLock};

/// Values of one thing, each with the step that left it there, in order.
type Steps<T> = Vec<(usize, T)>;

/// Fields of an account; code stands apart.
#[derive(Clone, Copy, Debug)]
struct Fields {
    balance: U256,
    nonce: u64,
    code_hash: B256,
}

impl From<state::Account> for Fields {
    fn from(account: state::Account) -> Self {
        let state::Account { nonce, balance, code_hash } = account;
        Self { balance, nonce, code_hash }
    }
}

/// One account through the block.
#[derive(Debug, Default)]
struct Track {
    /// Fields; `None` where there was no account any more.
    fields: Steps<Option<Fields>>,
    /// Steps that made zero of all slots which they did not write.
    wiped: Steps<()>,
    slots: HashMap<StorageKey, Steps<StorageValue>>,
}

#[derive(Debug, Default)]
struct Noted {
    /// Number of the block's logs after each step.
    logs: Vec<usize>,
    accounts: AddressMap<Track>,
    /// Code that the block itself deployed.
    codes: B256Map<Bytecode>,
    bytes: usize,
}

/// Trail of a block, as far as it has been run.
#[derive(Debug, Default)]
pub struct Trail(RwLock<Noted>);

/// Twice the size: lists and tables may be twice as large as what is in them.
const fn held<T>() -> usize {
    2 * size_of::<T>()
}

/// Bytes of an entry of the allocator.
const ALLOCATED_BYTES: usize = 16;
/// Bytes of a code besides itself.
const CODE_BYTES: usize = 200;

/// Last value of a list before a step.
fn before<T>(list: &[(usize, T)], step: usize) -> Option<&(usize, T)> {
    let count = list.partition_point(|(at, _)| *at < step);
    list.get(count.checked_sub(1)?)
}

impl Trail {
    fn read<T>(&self, read: impl FnOnce(&Noted) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Number of steps that are noted.
    pub fn steps(&self) -> usize {
        self.read(|noted| noted.logs.len())
    }

    /// Memory that it takes.
    pub fn bytes(&self) -> usize {
        self.read(|noted| noted.bytes)
    }

    /// Begins with what the view has, as step 0, unless that is noted already.
    pub(super) fn begin(&self, before: Before) {
        let mut noted = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if noted.logs.is_empty() {
            for (address, account) in before.accounts {
                noted.fields(0, address, account.map(Fields::from));
            }
            for (address, number, value) in before.slots {
                noted.slot(0, address, number, value);
            }
            noted.end_step(0);
        }
    }

    /// Notes what a step changed, if it is the next one. `logs` counts those of the block after it.
    pub(super) fn note(&self, step: usize, changes: &AddressMap<Account>, keeps_empty: bool, logs: usize) {
        if self.steps() != step {
            return;
        }
        let mut noted = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Another run may have come first.
        if noted.logs.len() == step {
            for (address, account) in changes {
                noted.account(step, *address, account, keeps_empty);
            }
            noted.end_step(logs);
        }
    }
}

impl Noted {
    fn end_step(&mut self, logs: usize) {
        self.logs.push(logs);
        self.bytes += held::<usize>();
    }

    fn fields(&mut self, step: usize, address: Address, fields: Option<Fields>) -> &mut Track {
        let track = self.accounts.entry(address).or_default();
        if track.fields.is_empty() {
            track.fields.reserve_exact(1);
            self.bytes += held::<(Address, Track)>() + ALLOCATED_BYTES;
        }
        track.fields.push((step, fields));
        self.bytes += held::<(usize, Option<Fields>)>();
        track
    }

    fn slot(&mut self, step: usize, address: Address, number: StorageKey, value: StorageValue) {
        let slots = &mut self.accounts.entry(address).or_default().slots;
        if slots.is_empty() {
            // No table has fewer places than four.
            self.bytes += held::<(StorageKey, Steps<StorageValue>)>();
        }
        let slot = slots.entry(number).or_default();
        if slot.is_empty() {
            slot.reserve_exact(1);
            self.bytes += held::<(StorageKey, Steps<StorageValue>)>() + ALLOCATED_BYTES;
        }
        slot.push((step, value));
        self.bytes += held::<(usize, StorageValue)>();
    }

    fn account(&mut self, step: usize, address: Address, account: &Account, keeps_empty: bool) {
        let Some(fate) = fate(account, keeps_empty) else { return };
        let info = &account.info;
        let fields = Fields { balance: info.balance, nonce: info.nonce, code_hash: info.code_hash };
        let track = self.fields(step, address, fate.exists.then_some(fields));
        if fate.wiped {
            track.wiped.push((step, ()));
            self.bytes += held::<(usize, ())>();
        }
        for (number, value) in fate.slots {
            self.slot(step, address, number, value);
        }
        // Only what is new: the others' code is in the state, and cached for all.
        if let Some(code) = info.code.as_ref().filter(|_| account.original_info().code_hash != info.code_hash)
        {
            self.bytes += code.len() + code.len() / 8 + CODE_BYTES;
            self.codes.insert(info.code_hash, code.clone());
        }
    }
}

/// Reader of a trail: the changes of its first steps.
#[derive(Clone, Debug)]
pub(super) struct Past {
    trail: Arc<Trail>,
    steps: usize,
}

impl Past {
    /// Changes of the first `most` steps, or of all that are noted.
    pub(super) fn of(trail: &Arc<Trail>, most: usize) -> Self {
        Self { trail: Arc::clone(trail), steps: trail.steps().min(most) }
    }

    /// Number of steps that are seen.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// Number of the block's logs after them.
    pub(super) fn logs(&self) -> usize {
        let last = self.steps.checked_sub(1);
        self.trail.read(|noted| last.and_then(|last| noted.logs.get(last)).copied().unwrap_or_default())
    }

    /// An account that they touched; `None` within for one that they removed.
    pub(super) fn account(&self, address: &Address) -> Option<Option<AccountInfo>> {
        let fields = self.trail.read(|noted| {
            before(&noted.accounts.get(address)?.fields, self.steps).map(|(_, fields)| *fields)
        })?;
        Some(fields.map(|Fields { balance, nonce, code_hash }| AccountInfo {
            balance,
            nonce,
            code_hash,
            account_id: None,
            code: None,
        }))
    }

    /// Code that they deployed.
    pub(super) fn code(&self, hash: &B256) -> Option<Bytecode> {
        self.trail.read(|noted| noted.codes.get(hash).cloned())
    }

    /// A slot that they changed.
    pub(super) fn slot(&self, address: &Address, key: &StorageKey) -> Option<StorageValue> {
        self.trail.read(|noted| {
            let track = noted.accounts.get(address)?;
            let written = track.slots.get(key).and_then(|slot| before(slot, self.steps));
            let wiped = before(&track.wiped, self.steps);
            match (written, wiped) {
                // A step that wipes writes after that.
                (Some((at, value)), wiped) if wiped.is_none_or(|(wiped, ())| at >= wiped) => Some(*value),
                (_, Some(_)) => Some(StorageValue::ZERO),
                (_, None) => None,
            }
        })
    }
}

#[cfg(test)]
mod tests;

//! Replay of a mined block, transaction by transaction, on the state before it.
//!
//! What a block does at its end (requests, withdrawals, rewards) no transaction of it can see: [`Replay::end`] is for
//! callers that want the state after it.

use super::budget::Budget;
use super::codes::Codes;
use super::database::{Overrides, ReadFault, StateDb};
use super::overlay::Overlay;
use super::precompiles::Precompiles;
use super::trail::{Past, Trail};
use super::{Ctx, Failure, machine, settle};
use crate::rules::EvmRules as _;
use alloy::consensus::{Header, Transaction as _};
use alloy::eips::{eip2935, eip4788};
use maidenlane_chain::Rules;
use maidenlane_chain::{Block, Transaction};
use maidenlane_state::trie::state;
use maidenlane_state::{At, StateView};
use revm::bytecode::Bytecode;
use revm::context::result::ResultAndState;
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::context_interface::ContextTr as _;
use revm::context_interface::either::Either;
use revm::database_interface::{Database as _, DatabaseCommit as _, DatabaseRef};
use revm::handler::ExecuteEvm as _;
use revm::inspector::Inspector;
use revm::primitives::hardfork::SpecId;
use revm::primitives::map::{AddressMap, AddressSet};
use revm::primitives::{Address, B256, Bytes, StorageKey, StorageValue, TxKind, U256};
use revm::state::{Account, AccountInfo};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A block in the middle of being run again, or being made, or calls on a state. A clone goes on by itself from where it was
/// made.
#[derive(Clone)]
pub struct Replay<'a> {
    state: Overlay<'a>,
    env: BlockEnv,
    cfg: CfgEnv,
    precompiles: Precompiles,
    course: Course,
}

/// How far a run has come.
#[derive(Clone, Debug, Default)]
struct Course {
    /// Number of steps before the first transaction.
    first: usize,
    /// Number of steps so far.
    steps: usize,
    /// Number of logs so far.
    logs: usize,
    /// Trail of the block, if the steps are noted.
    trail: Option<Arc<Trail>>,
}

impl Course {
    /// Counts a step, and notes it.
    fn step(&mut self, state: &Overlay<'_>, changes: &AddressMap<Account>, logs: usize) {
        self.logs = self.logs.saturating_add(logs);
        if let Some(trail) = &self.trail {
            trail.note(self.steps, changes, state.keeps_empty(), self.logs);
        }
        self.steps = self.steps.saturating_add(1);
    }
}

impl<'a> Replay<'a> {
    /// Replay on the state before `block`, after the calls that the protocol makes first. With a trail, which is the
    /// block's own, it begins up to so many transactions later, as far as these are noted there, and notes the others.
    pub fn of(
        block: &Block,
        rules: &Rules,
        source: &'a dyn StateView,
        codes: &'a Codes,
        trail: Option<(Arc<Trail>, usize)>,
        budget: &mut Budget,
    ) -> Result<Self, Failure> {
        let header = &block.header;
        let cfg = cfg_of(header, rules);
        let before = At::Block(header.number.saturating_sub(1));
        let calls = calls_of(header, cfg.spec);
        let mut db = StateDb::bare(source, before, header.number, codes);
        let mut course = Course { first: calls.len().saturating_add(1), steps: 1, ..Course::default() };
        if let Some((trail, index)) = trail {
            if trail.steps() == 0 {
                let before = source.before(block.at()).map_err(|error| Failure::Read(error.into()))?;
                trail.begin(before.unwrap_or_default());
            }
            let past = Past::of(&trail, course.first.saturating_add(index));
            (course.steps, course.logs, course.trail) = (past.steps(), past.logs(), Some(trail));
            db = db.after(past);
        }
        let precompiles = Precompiles::new(cfg.spec, None);
        let mut replay = Self { course, ..Self::on(db, rules.block_env(header), cfg, precompiles) };
        for (contract, word) in calls.into_iter().skip(replay.course.steps.saturating_sub(1)) {
            replay.system_call(contract, word.into(), budget)?;
        }
        Ok(replay)
    }

    /// A block that is being made, of this header as far as the EVM sees it, on the state `at` a block of the chain, after the calls
    /// that the protocol makes first.
    pub fn ahead(
        header: &Header,
        rules: &Rules,
        source: &'a dyn StateView,
        (at, hashes_below): (At, u64),
        codes: &'a Codes,
        budget: &mut Budget,
    ) -> Result<Self, Failure> {
        let cfg = cfg_of(header, rules);
        let calls = calls_of(header, cfg.spec);
        let db = StateDb::bare(source, at, hashes_below, codes);
        let precompiles = Precompiles::new(cfg.spec, None);
        let mut replay = Self::on(db, rules.block_env(header), cfg, precompiles);
        for (contract, word) in calls {
            replay.system_call(contract, word.into(), budget)?;
        }
        Ok(replay)
    }

    /// Replay of calls in an environment, on a state that is there already.
    pub fn on(db: StateDb<'a>, env: BlockEnv, cfg: CfgEnv, precompiles: Precompiles) -> Self {
        Self { state: Overlay::new(db, cfg.spec), env, cfg, precompiles, course: Course::default() }
    }

    /// Changes the environment of the next transactions, and applies overrides to the state.
    pub fn change(
        &mut self,
        env: BlockEnv,
        cfg: CfgEnv,
        precompiles: Precompiles,
        overrides: &Overrides,
    ) -> Result<(), Failure> {
        // None of the block's transactions comes now.
        self.course.trail = None;
        self.state.enter(cfg.spec);
        (self.env, self.cfg, self.precompiles) = (env, cfg, precompiles);
        self.state.apply(overrides).map_err(Failure::Read)
    }

    /// The block's environment.
    pub fn env(&self) -> &BlockEnv {
        &self.env
    }

    /// State after the transactions so far.
    pub fn state(&mut self) -> Looked<'_, 'a> {
        Looked(RefCell::new(&mut self.state))
    }

    /// All changes so far of the state before, by the trie's keys.
    pub fn changes(&self) -> BTreeMap<B256, state::Changed> {
        self.state.changes()
    }

    /// The block's fork.
    pub fn spec(&self) -> SpecId {
        self.cfg.spec
    }

    /// Number of logs of the transactions so far.
    pub fn logs(&self) -> usize {
        self.course.logs
    }

    /// Number of the block's transactions so far.
    pub fn transactions(&self) -> usize {
        self.course.steps.saturating_sub(self.course.first)
    }

    /// Addresses of the precompiles.
    pub fn precompiles(&self) -> &AddressSet {
        self.precompiles.addresses()
    }

    /// Address that a creation gets: by the nonce that its sender has, which need not be the one in the call.
    pub fn creates(&mut self, caller: Address) -> Result<Address, Failure> {
        let info = self.state.basic(caller).map_err(Failure::Read)?;
        Ok(caller.create(info.unwrap_or_default().nonce))
    }

    /// Refund for the accounts that a transaction's authorizations find existing (EIP-7702), before it runs. Only
    /// authorizations with a recovered signer count.
    pub fn authorization_refund(&mut self, tx: &TxEnv) -> Result<i64, Failure> {
        const REFUND: i64 = 12_500;
        let caller = self.state.basic(tx.caller).map_err(Failure::Read)?.unwrap_or_default();
        let mut nonces = AddressMap::from_iter([(tx.caller, caller.nonce.saturating_add(1))]);
        let mut refund = 0;
        for signed in tx.authorization_list.iter().filter_map(|signed| signed.as_ref().right()) {
            let Some(authority) = signed.authority() else { continue };
            let here = signed.chain_id.is_zero() || signed.chain_id == U256::from(self.cfg.chain_id);
            let info = self.state.basic(authority).map_err(Failure::Read)?;
            let nonce = nonces.get(&authority).copied().or(info.as_ref().map(|info| info.nonce));
            let seen = nonces.contains_key(&authority);
            let mut code = info.as_ref().and_then(|info| info.code.clone());
            if let (None, Some(info)) = (&code, &info) {
                code = Some(self.state.code_by_hash(info.code_hash).map_err(Failure::Read)?);
            }
            let free = code.is_none_or(|code| code.is_empty() || code.is_eip7702());
            if here && free && signed.nonce == nonce.unwrap_or_default() && signed.nonce < u64::MAX {
                nonces.insert(authority, signed.nonce.saturating_add(1));
                if seen || info.is_some() {
                    refund += REFUND;
                }
            }
        }
        Ok(refund)
    }

    fn system_call(&mut self, contract: Address, data: Bytes, budget: &mut Budget) -> Result<(), Failure> {
        let (cfg, env) = (self.cfg.clone(), self.env.clone());
        let mut machine = machine(cfg, env, &mut self.state, budget, (), self.precompiles.clone());
        // The result of the contract does not matter to the block, nor whether it is there.
        super::system_call(&mut machine, contract, data)?;
        let changes = machine.finalize();
        self.course.step(&self.state, &changes, 0);
        self.state.commit(changes);
        Ok(())
    }

    /// Runs the end of the block, after its transactions: requests, then withdrawals or rewards.
    pub fn end(&mut self, block: &Block, rules: &Rules, budget: &mut Budget) -> Result<(), Failure> {
        self.course.trail = None;
        if self.cfg.spec.is_enabled_in(SpecId::PRAGUE) {
            for (_, queue) in settle::QUEUES {
                self.system_call(queue, Bytes::new(), budget)?;
            }
        }
        let withdrawals = block.withdrawals.as_deref().unwrap_or_default();
        settle::settle(&mut self.state, rules, &block.header, &block.uncles, withdrawals)
            .map_err(Failure::Read)
    }

    /// Runs transactions and keeps their changes.
    pub fn run(&mut self, txs: impl IntoIterator<Item = TxEnv>, budget: &mut Budget) -> Result<(), Failure> {
        let Self { state, env, cfg, precompiles, course } = self;
        let (cfg, env) = (cfg.clone(), env.clone());
        // One machine for all: to make one takes longer than most transactions.
        let mut machine = machine(cfg, env, state, budget, (), precompiles.clone());
        for tx in txs {
            let result = super::transact(&mut machine, tx)?;
            let changes = machine.finalize();
            let state = machine.ctx.db_mut();
            course.step(state, &changes, result.logs().len());
            state.commit(changes);
        }
        Ok(())
    }

    /// Runs a transaction under an inspector, and does not keep its changes yet: see [`Replay::keep`].
    pub fn inspect<'b, 'd, I>(
        &'d mut self,
        tx: TxEnv,
        budget: &'b mut Budget,
        inspector: I,
    ) -> Result<ResultAndState, Failure>
    where
        I: Inspector<Ctx<'b, &'d mut Overlay<'a>>>,
    {
        let (cfg, env) = (self.cfg.clone(), self.env.clone());
        // Only calls have their nonces unchecked; in blocks nothing is paid, too, which touches the account.
        let unpaid = (cfg.disable_nonce_check && settle::is_free(&tx)).then_some(env.beneficiary);
        let mut machine = machine(cfg, env, &mut self.state, budget, inspector, self.precompiles.clone());
        let result = super::inspect(&mut machine, tx)?;
        let mut state = machine.finalize();
        if let Some(beneficiary) = unpaid {
            settle::unpay(&mut state, beneficiary);
        }
        Ok(ResultAndState { result, state })
    }

    /// Runs a transaction, and does not keep its changes yet: see [`Replay::keep`].
    pub fn attempt(&mut self, tx: TxEnv, budget: &mut Budget) -> Result<ResultAndState, Failure> {
        let (cfg, env) = (self.cfg.clone(), self.env.clone());
        let mut machine = machine(cfg, env, &mut self.state, budget, (), self.precompiles.clone());
        let result = super::transact(&mut machine, tx)?;
        Ok(ResultAndState { result, state: machine.finalize() })
    }

    /// Makes a transaction that was inspected or attempted part of the state.
    pub fn keep(&mut self, done: ResultAndState) {
        self.course.step(&self.state, &done.state, done.result.logs().len());
        self.state.commit(done.state);
    }
}

/// Rules of the EVM in the block of a header.
fn cfg_of(header: &Header, rules: &Rules) -> CfgEnv {
    let mut cfg = super::cfg(rules.spec(header), rules.chain_id());
    let fraction = rules.blobs(header.timestamp).map(|blobs| blobs.update_fraction);
    cfg.blob_base_fee_update_fraction = fraction.and_then(|fraction| u64::try_from(fraction).ok());
    cfg
}

/// Calls that the protocol makes before a block's first transaction: contracts, with the word that each is given.
fn calls_of(header: &Header, spec: SpecId) -> Vec<(Address, B256)> {
    let beacon = header.parent_beacon_block_root.map(|root| (eip4788::BEACON_ROOTS_ADDRESS, root));
    let history = (eip2935::HISTORY_STORAGE_ADDRESS, header.parent_hash);
    let history = spec.is_enabled_in(SpecId::PRAGUE).then_some(history);
    beacon.into_iter().chain(history).collect()
}

/// Database over the state, for readers that do not change it.
pub struct Looked<'d, 'a>(RefCell<&'d mut Overlay<'a>>);

impl DatabaseRef for Looked<'_, '_> {
    type Error = ReadFault;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, ReadFault> {
        self.0.borrow_mut().basic(address)
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, ReadFault> {
        self.0.borrow_mut().code_by_hash(hash)
    }

    fn storage_ref(&self, address: Address, index: StorageKey) -> Result<StorageValue, ReadFault> {
        self.0.borrow_mut().storage(address, index)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, ReadFault> {
        self.0.borrow_mut().block_hash(number)
    }
}

/// A transaction as it stands in a block, for the EVM.
pub fn tx_env(tx: &Transaction, caller: Address) -> TxEnv {
    let authorizations = tx.authorization_list().unwrap_or_default();
    TxEnv {
        tx_type: tx.tx_type().into(),
        caller,
        gas_limit: tx.gas_limit(),
        gas_price: tx.max_fee_per_gas(),
        gas_priority_fee: tx.max_priority_fee_per_gas(),
        kind: tx.to().map_or(TxKind::Create, TxKind::Call),
        value: tx.value(),
        data: tx.input().clone(),
        nonce: tx.nonce(),
        chain_id: tx.chain_id(),
        access_list: tx.access_list().cloned().unwrap_or_default(),
        blob_hashes: tx.blob_versioned_hashes().unwrap_or_default().to_vec(),
        max_fee_per_blob_gas: tx.max_fee_per_blob_gas().unwrap_or_default(),
        authorization_list: authorizations.iter().cloned().map(Either::Left).collect(),
    }
}

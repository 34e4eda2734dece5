//! Execution of a plan's blocks, one after another, on one overlay.

use super::assemble::{Called, Made, Outcome};
use super::plan::{Plan, Planned};
use super::requests;
use super::transfers::Transfers;
use crate::rpc::execute::Stop;
use crate::rpc::request_view::RequestView;
use crate::rpc::tries::Tries;
use crate::rpc::{Shared, call_context};
use alloy::consensus::Header;
use alloy::eips::eip1559::BaseFeeParams;
use alloy::eips::eip7685::Requests;
use alloy::eips::{eip2935, eip4788};
use alloy::primitives::{Address, B256, Bytes, U256};
use maidenlane_chain::Rules;
use maidenlane_ethjson::call_args::CallArgs;
use maidenlane_ethjson::errors;
use maidenlane_ethjson::params::{Big, Number};
use maidenlane_ethjson::select::StateOf;
use maidenlane_ethjson::unsigned;
use maidenlane_evm::budget::Budget;
use maidenlane_evm::database::Overrides;
use maidenlane_evm::overlay::Overlay;
use maidenlane_evm::precompiles::Precompiles;
use maidenlane_evm::rules::EvmRules as _;
use maidenlane_evm::{Call, Failure, settle};
use maidenlane_json::push_list;
use maidenlane_jsonrpc::{Error, Json, codes};
use revm::context::BlockEnv;
use revm::context::result::{ExecutionResult, InvalidTransaction};
use revm::database_interface::{Database as _, DatabaseCommit as _};
use revm::handler::ExecuteEvm as _;
use revm::primitives::hardfork::SpecId;

/// Gas of a blob.
const BLOB_GAS: u64 = 131_072;

/// Runs a plan.
pub(super) fn run(
    shared: &Shared,
    view: &RequestView,
    base: &StateOf,
    plan: &Plan,
    budget: &mut Budget,
) -> Result<Json, Stop> {
    let none = Overrides::default();
    let rules = &*view.head().rules;
    let mut db = call_context::database(shared, view, base, &none);
    // The blocks made here come after the base block, so they know its hash.
    db.sees_hashes_below(base.header.number.saturating_add(1));
    let mut run = Run {
        shared,
        view,
        rules,
        base,
        plan,
        budget,
        state: Overlay::new(db, rules.spec(&base.header)),
        gas_left: shared.settings.get().call_gas_cap,
        bytes_left: shared.settings.get().limits.answer_bytes,
        hash: base.header.hash_slow(),
    };
    let mut blocks: Vec<Made> = Vec::with_capacity(plan.blocks.len());
    for planned in &plan.blocks {
        let parent = blocks.last().map_or(&*base.header, |made| &made.block.header);
        let made = run.block(planned, parent)?;
        run.hash = made.block.hash;
        run.state.set_hash(planned.number, made.block.hash);
        blocks.push(made);
    }
    let mut answers = Vec::with_capacity(blocks.len());
    for made in &blocks {
        run.budget.look()?;
        answers.push(made.json(plan.full_transactions));
    }
    let mut out = String::new();
    push_list(&mut out, answers, |out, answer| out.push_str(answer.as_str()));
    Ok(Json::Owned(out))
}

struct Run<'a> {
    shared: &'a Shared,
    view: &'a RequestView,
    rules: &'a Rules,
    base: &'a StateOf,
    plan: &'a Plan,
    budget: &'a mut Budget,
    state: Overlay<'a>,
    /// Gas left for all calls of all blocks together.
    gas_left: u64,
    /// Bytes left for the outputs and logs of all blocks together: as text they are twice as long.
    bytes_left: usize,
    /// Hash of the last block.
    hash: B256,
}

/// Execution context that all calls of a block share.
struct BlockContext {
    header: Header,
    spec: SpecId,
    env: BlockEnv,
    precompiles: Precompiles,
}

impl Run<'_> {
    /// Makes a block's header and the EVM's environment.
    fn block_context(&mut self, planned: &Planned, parent: &Header) -> Result<BlockContext, Stop> {
        let merged = self.rules.merged(planned.number, planned.time);
        let mut header = planned.header(parent, merged)?;
        call_context::executable(self.view, &header)?;
        header.parent_hash = self.hash;
        if self.rules.is_london(header.number) && header.base_fee_per_gas.is_none() {
            // An override may have given a fee to a parent that is before the fork; it does not count.
            let follows = self.rules.is_london(parent.number);
            let next = follows.then(|| parent.next_block_base_fee(BaseFeeParams::ethereum())).flatten();
            let next = next.unwrap_or(alloy::eips::eip1559::INITIAL_BASE_FEE);
            header.base_fee_per_gas = Some(if self.plan.validation { next } else { 0 });
        }
        let spec = self.rules.spec(&header);
        self.state.enter(spec);
        if spec.is_enabled_in(SpecId::CANCUN) {
            let blobs = self.rules.blobs(header.timestamp).filter(|_| parent.excess_blob_gas.is_some());
            let excess = blobs.and_then(|blobs| parent.next_block_excess_blob_gas(blobs));
            header.excess_blob_gas = Some(excess.unwrap_or_default());
            header.parent_beacon_block_root = Some(planned.block.beacon_root.unwrap_or_default());
        }
        let mut env = self.rules.block_env(&header);
        if let (Some(fee), Some(blob)) = (planned.block.blob_base_fee, env.blob_excess_gas_and_price.as_mut())
        {
            let wide = || Error::params("block override \"blobBaseFee\" exceeds 128 bits");
            blob.blob_gasprice = u128::try_from(fee.0).map_err(|_| wide())?;
        }
        let (overrides, moved) = planned.state.clone().resolve(spec, true)?;
        self.budget.look()?;
        self.state.apply(&overrides)?;
        Ok(BlockContext { precompiles: Precompiles::new(spec, moved), header, spec, env })
    }

    fn block(&mut self, planned: &Planned, parent: &Header) -> Result<Made, Stop> {
        let mut block_context = self.block_context(planned, parent)?;
        if let Some(root) = block_context.header.parent_beacon_block_root {
            self.system_call(&block_context, eip4788::BEACON_ROOTS_ADDRESS, root.into())?;
        }
        let prague = block_context.spec.is_enabled_in(SpecId::PRAGUE);
        if prague {
            self.system_call(
                &block_context,
                eip2935::HISTORY_STORAGE_ADDRESS,
                block_context.header.parent_hash.into(),
            )?;
        }
        let mut transfers = Transfers::new(self.plan.trace_transfers);
        let mut calls: Vec<Called> = Vec::with_capacity(planned.calls.len());
        let (mut used, mut blob_gas) = (0_u64, 0_u64);
        for wanted in &planned.calls {
            let blobs = wanted.blob_versioned_hashes.as_ref().map_or(0, Vec::len);
            let called = self.transact(&block_context, wanted.clone(), used, &mut transfers)?;
            used = used.saturating_add(called.used());
            let too_large = || Error::new(codes::RESPONSE_TOO_LARGE, "response too large");
            self.bytes_left = self.bytes_left.checked_sub(called.bytes_told()).ok_or_else(too_large)?;
            if called.transaction.is_eip4844() {
                let gas = u64::try_from(blobs).unwrap_or_default().saturating_mul(BLOB_GAS);
                blob_gas = blob_gas.saturating_add(gas);
            }
            calls.push(called);
        }
        let header = &mut block_context.header;
        header.gas_used = used;
        header.blob_gas_used = block_context.spec.is_enabled_in(SpecId::CANCUN).then_some(blob_gas);
        if prague {
            block_context.header.requests_hash = Some(self.requests(&block_context, &calls)?);
        }
        let withdrawals = planned.block.withdrawals.iter().flatten().copied().map(Into::into).collect();
        let withdrawals = block_context.spec.is_enabled_in(SpecId::SHANGHAI).then_some::<Vec<_>>(withdrawals);
        let paid = withdrawals.as_deref().unwrap_or_default();
        settle::settle(&mut self.state, self.rules, &block_context.header, &[], paid)?;
        block_context.header.state_root = self.root()?;
        Ok(Made::new(block_context.header, calls, withdrawals))
    }

    fn root(&mut self) -> Result<B256, Stop> {
        // Zero where no trie is kept here.
        let tries = Tries::of(self.view.source(), self.base).map(|tries| tries.noted(&self.shared.blocks));
        let root = tries.map(|tries| tries.root_with(&self.state.changes())).transpose()?;
        Ok(root.unwrap_or_default())
    }

    fn system_call(
        &mut self,
        block_context: &BlockContext,
        contract: Address,
        data: Bytes,
    ) -> Result<ExecutionResult, Failure> {
        let cfg = maidenlane_evm::cfg(block_context.spec, self.rules.chain_id());
        let (env, precompiles) = (block_context.env.clone(), block_context.precompiles.clone());
        let mut machine = maidenlane_evm::machine(cfg, env, &mut self.state, self.budget, (), precompiles);
        let result = maidenlane_evm::system_call(&mut machine, contract, data)?;
        let changes = machine.finalize();
        self.state.commit(changes);
        Ok(result)
    }

    fn requests(&mut self, block_context: &BlockContext, calls: &[Called]) -> Result<B256, Stop> {
        let logs = calls.iter().filter(|called| called.is_success()).flat_map(Called::logs);
        let contract = self.rules.forks().config().deposit_contract_address;
        let mut all: Vec<Bytes> = requests::deposits(logs, contract)?.into_iter().collect();
        for (kind, queue) in settle::QUEUES {
            match self.system_call(block_context, queue, Bytes::new())? {
                ExecutionResult::Success { output, .. } => {
                    all.extend(requests::request(kind, output.data()));
                }
                _ => return Err(Error::server("system call failed to execute").into()),
            }
        }
        Ok(Requests::new(all).requests_hash())
    }

    /// Runs one call of a block that has used `used` gas before.
    fn transact(
        &mut self,
        block_context: &BlockContext,
        mut wanted: CallArgs,
        used: u64,
        transfers: &mut Transfers,
    ) -> Result<Called, Stop> {
        let from = wanted.from.unwrap_or_default();
        let account = self.state.basic(from)?.unwrap_or_default();
        let Number(nonce) = wanted.nonce.unwrap_or(Number(account.nonce));
        let remaining = block_context.header.gas_limit.saturating_sub(used);
        let asked = wanted.gas.map_or(remaining, |gas| gas.0);
        if remaining < asked {
            let text = format!("block gas limit reached: remaining: {remaining}, required: {asked}");
            return Err(Error::new(codes::BLOCK_GAS_LIMIT_REACHED, text).into());
        }
        let gas = asked.min(self.gas_left);
        (wanted.nonce, wanted.gas) = (Some(Number(nonce)), Some(Number(gas)));
        let call = self.prepare(block_context, &wanted, nonce)?;
        let dynamic = block_context.header.base_fee_per_gas.is_some();
        let chain_id = self.rules.chain_id();
        let (transaction, bytes) = unsigned::transaction(&wanted, nonce, gas, chain_id, dynamic)?;
        self.check(block_context, &call, account.nonce)?;
        wanted.check_forms().map_err(|error| Error::new(codes::INTERNAL, error.message))?;
        let result = self.execute(block_context, call, account.balance, transfers)?;
        let spent = result.tx_gas_used();
        self.gas_left = self.gas_left.checked_sub(spent).ok_or_else(|| {
            let left = self.gas_left;
            Error::server(format!("RPC gas cap exhausted: need {spent}, remaining {left}"))
        })?;
        let byzantium = block_context.spec.is_enabled_in(SpecId::BYZANTIUM);
        let root = if byzantium { None } else { Some(self.root()?) };
        let outcome = Outcome { capped: gas < asked, total: used.saturating_add(spent), root };
        Ok(Called::new(from, transaction, bytes, result, transfers.take(), &outcome))
    }

    fn prepare(&self, block_context: &BlockContext, wanted: &CallArgs, nonce: u64) -> Result<Call, Error> {
        let mut call = wanted.clone().prepare(self.rules, &block_context.header, u64::MAX)?;
        // A free call sees the block's fees as they are.
        call.block = block_context.env.clone();
        call.tx.nonce = nonce;
        let cap = wanted.max_fee_per_blob_gas.unwrap_or(Big(U256::ZERO));
        if let Some(blob) = call.block.blob_excess_gas_and_price
            && cap.0.is_zero()
            && !self.plan.validation
        {
            call.tx.max_fee_per_blob_gas = blob.blob_gasprice;
        }
        Ok(call)
    }

    /// Checks nonce and fees before all else, in geth's order.
    fn check(&self, block_context: &BlockContext, call: &Call, nonce: u64) -> Result<(), Error> {
        let tx = &call.tx;
        if self.plan.validation && tx.nonce != nonce {
            let (code, text) = if tx.nonce > nonce {
                (codes::NONCE_TOO_HIGH, "nonce too high")
            } else {
                (codes::NONCE_TOO_LOW, "nonce too low")
            };
            let text = format!("err: {text}: address {}, tx: {} state: {nonce}", tx.caller, tx.nonce);
            return Err(Error::new(code, text));
        }
        let tip = tx.gas_priority_fee.unwrap_or(tx.gas_price);
        let free = !self.plan.validation && tx.gas_price == 0 && tip == 0;
        // An override gives a base fee to blocks before London, where it is not checked.
        let checked = block_context.spec.is_enabled_in(SpecId::LONDON) && !free;
        if let Some(base_fee) = block_context.header.base_fee_per_gas.filter(|_| checked) {
            if tx.gas_price < tip {
                let text = "err: max priority fee per gas higher than max fee per gas";
                return Err(Error::params(text));
            }
            if tx.gas_price < u128::from(base_fee) {
                let text = format!(
                    "err: max fee per gas less than block base fee: address {}, maxFeePerGas: {}, baseFee: {base_fee}",
                    tx.caller, tx.gas_price
                );
                return Err(Error::new(codes::BASE_FEE_TOO_LOW, text));
            }
        }
        Ok(())
    }

    fn execute(
        &mut self,
        block_context: &BlockContext,
        call: Call,
        balance: U256,
        transfers: &mut Transfers,
    ) -> Result<ExecutionResult, Stop> {
        let mut cfg = call.cfg();
        cfg.disable_nonce_check = true;
        cfg.disable_base_fee = true;
        let tx = call.tx.clone();
        let unpaid = (!self.plan.validation && settle::is_free(&tx)).then_some(call.block.beneficiary);
        let (env, precompiles) = (call.block.clone(), block_context.precompiles.clone());
        let mut machine =
            maidenlane_evm::machine(cfg, env, &mut self.state, self.budget, transfers, precompiles);
        match maidenlane_evm::inspect(&mut machine, tx) {
            Ok(result) => {
                let mut changes = machine.finalize();
                if let Some(beneficiary) = unpaid {
                    settle::unpay(&mut changes, beneficiary);
                }
                self.state.commit(changes);
                Ok(result)
            }
            Err(Failure::Invalid(invalid)) => Err(refused(&invalid, &call, balance).into()),
            Err(failure) => Err(failure.into()),
        }
    }
}

/// Error of a call that a block cannot hold, with geth's code.
fn refused(invalid: &InvalidTransaction, call: &Call, balance: U256) -> Error {
    let tx = &call.tx;
    let cost = U256::from(tx.gas_limit).saturating_mul(U256::from(tx.gas_price)).saturating_add(tx.value);
    let code = match invalid {
        // geth looks at the balance first.
        InvalidTransaction::CallGasCostMoreThanGasLimit { .. }
        | InvalidTransaction::GasFloorMoreThanGasLimit { .. }
            if cost > balance =>
        {
            codes::INSUFFICIENT_FUNDS
        }
        InvalidTransaction::LackOfFundForMaxFee { .. } | InvalidTransaction::OverflowPaymentInTransaction => {
            codes::INSUFFICIENT_FUNDS
        }
        InvalidTransaction::CallGasCostMoreThanGasLimit { .. } => codes::INTRINSIC_GAS,
        InvalidTransaction::CreateInitCodeSizeLimit => codes::INIT_CODE_TOO_LARGE,
        _ => codes::INTERNAL,
    };
    Error::new(code, format!("err: {} (supplied gas {})", errors::invalid(invalid), tx.gas_limit))
}

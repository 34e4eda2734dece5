//! `eth_createAccessList`: what a transaction touches. A list changes what the transaction costs, and so what it may
//! do, so it runs until it touches just what its list says.

use super::fill;
use crate::rpc::Shared;
use crate::rpc::call_context::{self, CallContext};
use crate::rpc::execute::Stop;
use crate::rpc::request_view::RequestView;
use alloy::eips::eip2930::{AccessList, AccessListItem};
use alloy::primitives::map::AddressSet;
use alloy::primitives::{Address, B256, U256};
use maidenlane_ethjson::call_args::CallArgs;
use maidenlane_ethjson::errors;
use maidenlane_ethjson::params;
use maidenlane_evm::budget::Budget;
use maidenlane_evm::database::StateDb;
use maidenlane_evm::fault::Fault;
use maidenlane_evm::{Call, Failure, cost};
use maidenlane_json::{Object, push_data, push_str};
use maidenlane_jsonrpc::{Args, Error, Json};
use revm::bytecode::opcode;
use revm::context::result::{ExecutionResult, HaltReason};
use revm::context_interface::transaction::AuthorizationTr;
use revm::database_interface::Database as _;
use revm::handler::EthPrecompiles;
use revm::inspector::Inspector;
use revm::interpreter::Interpreter;
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::{InputsTr as _, Jumps as _};
use revm::primitives::TxKind;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// Most rounds of a search. Lists mostly take two, and one more for each read that depends on how much gas an earlier
/// list has left. A call that takes this many oscillates for ever, and gets the error of the timeout at once.
const ROUNDS_MAX: usize = 256;

/// Accounts and slots, in the order that geth lists them.
type Touched = BTreeMap<Address, BTreeSet<B256>>;

/// Inspector that collects the accounts and slots that instructions touch.
struct Watch<'e> {
    /// Accounts that need no listing.
    excluded: &'e AddressSet,
    touched: Touched,
}

impl<'e> Watch<'e> {
    /// New inspector, which starts with what is on the list already, but for what needs no listing.
    fn new(list: &AccessList, excluded: &'e AddressSet) -> Self {
        let mut watch = Self { excluded, touched: Touched::new() };
        for item in list.iter().filter(|item| !excluded.contains(&item.address)) {
            watch.touched.entry(item.address).or_default().extend(item.storage_keys.iter().copied());
        }
        watch
    }

    fn account(&mut self, word: U256) {
        let address = Address::from_word(B256::from(word));
        if !self.excluded.contains(&address) {
            self.touched.entry(address).or_default();
        }
    }

    fn list(&self) -> AccessList {
        let item = |(address, slots): (&Address, &BTreeSet<B256>)| AccessListItem {
            address: *address,
            storage_keys: slots.iter().copied().collect(),
        };
        AccessList(self.touched.iter().map(item).collect())
    }
}

impl<CTX> Inspector<CTX, EthInterpreter> for Watch<'_> {
    fn step(&mut self, interpreter: &mut Interpreter<EthInterpreter>, _: &mut CTX) {
        let stack = &interpreter.stack;
        match interpreter.bytecode.opcode() {
            opcode::SLOAD | opcode::SSTORE => {
                if let Ok(slot) = stack.peek(0) {
                    let here = interpreter.input.target_address();
                    self.touched.entry(here).or_default().insert(B256::from(slot));
                }
            }
            opcode::EXTCODECOPY
            | opcode::EXTCODEHASH
            | opcode::EXTCODESIZE
            | opcode::BALANCE
            | opcode::SELFDESTRUCT => {
                if let Ok(account) = stack.peek(0) {
                    self.account(account);
                }
            }
            opcode::DELEGATECALL | opcode::CALL | opcode::STATICCALL | opcode::CALLCODE => {
                if let (true, Ok(account)) = (stack.len() >= 5, stack.peek(1)) {
                    self.account(account);
                }
            }
            _ => (),
        }
    }
}

/// Result of the search: the list, and the execution with it.
struct Created {
    list: AccessList,
    result: ExecutionResult,
    /// Reason why the call failed, if it did.
    fault: Option<String>,
}

impl Created {
    /// Number of accounts and slots on the list.
    fn listed(&self) -> usize {
        self.list.iter().map(|item| item.storage_keys.len().saturating_add(1)).sum()
    }
}

/// `eth_createAccessList`: call, block, state overrides.
pub(crate) fn create(
    shared: &Shared,
    view: &RequestView,
    params: Option<&RawValue>,
    budget: &mut Budget,
) -> Result<Json, Stop> {
    let mut args = Args::parse(params, 3)?;
    let mut wanted = args.required(params::read::<Option<CallArgs>>)?.unwrap_or_default();
    let context = CallContext::open(view, &mut args)?;
    let header = context.header(view)?;
    fill::fees(&mut wanted, &view.head().rules, &header, || {
        shared.fees.suggestion_within(shared, view, budget)
    })?;
    let nonce = wanted.nonce.map(|nonce| nonce.0);
    let authorizations = wanted.authorization_list.as_ref().map_or(0, Vec::len);
    let mut call = context.prepare(shared, view, wanted)?;
    if u64::try_from(authorizations).unwrap_or(u64::MAX)
        > call.tx.gas_limit / maidenlane_evm::AUTHORIZATION_GAS
    {
        return Err(Error::server("insufficient gas to process all authorizations").into());
    }
    maidenlane_evm::recover(&mut call.tx, budget)?;
    let (overrides, _) = context.overrides.resolve(call.spec, false)?;
    let mut db = call_context::database(shared, view, &context.state, &overrides);
    let excluded = excluded(&call, nonce, &mut db)?;
    match search(&call, &mut db, &excluded, budget) {
        Ok(created) => {
            budget.charge(cost::json(created.listed().saturating_mul(64)))?;
            Ok(json(&created))
        }
        Err(Failure::Invalid(invalid)) => {
            Err(Error::server(format!("failed to apply transaction: {}", errors::invalid(&invalid))).into())
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Accounts that need no listing: sender, receiver, precompiles and the signers of authorizations are known before the
/// first instruction.
fn excluded(call: &Call, nonce: Option<u64>, db: &mut StateDb<'_>) -> Result<AddressSet, Failure> {
    let from = call.tx.caller;
    let to = match (call.tx.kind, nonce) {
        (TxKind::Call(to), _) => to,
        (TxKind::Create, Some(nonce)) => from.create(nonce),
        (TxKind::Create, None) => {
            from.create(db.basic(from).map_err(Failure::Read)?.unwrap_or_default().nonce)
        }
    };
    let mut excluded = EthPrecompiles::new(call.spec).warm_addresses().clone();
    excluded.extend([from, to]);
    let valid = call.tx.authorization_list.iter().filter(|signed| {
        let here = signed.chain_id().is_zero() || signed.chain_id() == U256::from(call.chain_id);
        here && signed.nonce() < u64::MAX
    });
    excluded.extend(valid.filter_map(AuthorizationTr::authority));
    Ok(excluded)
}

/// Runs the call with what it touched the last time, until that does not change.
///
/// The search need not end: with its list a call may run out of gas earlier and touch less, so that the next list is
/// shorter and the call touches more again. geth goes on until its time is up.
fn search(
    call: &Call,
    db: &mut StateDb<'_>,
    excluded: &AddressSet,
    budget: &mut Budget,
) -> Result<Created, Failure> {
    let mut before = Watch::new(&call.tx.access_list, excluded);
    for _ in 0..ROUNDS_MAX {
        let list = before.list();
        let mut call = call.clone();
        call.tx.access_list = list.clone();
        let inspector = (Watch::new(&list, excluded), Fault::default());
        let mut machine = call.machine(&mut *db, budget, inspector);
        let result = maidenlane_evm::inspect(&mut machine, call.tx)?;
        let (after, fault) = machine.inspector;
        if after.touched == before.touched {
            return Ok(Created { list, result, fault: fault.finish() });
        }
        before = after;
    }
    Err(Failure::TIMEOUT)
}

fn json(created: &Created) -> Json {
    Json::object(|object| {
        object.list("accessList", created.list.iter(), |out, item| {
            let mut object = Object::new(out);
            object.data("address", item.address.as_slice());
            object.list("storageKeys", &item.storage_keys, |out, key| push_data(out, key.as_slice()));
            object.end();
        });
        let error = match &created.result {
            ExecutionResult::Success { .. } => None,
            ExecutionResult::Revert { .. } => Some("execution reverted".to_owned()),
            ExecutionResult::Halt { reason, .. } => {
                let precompile = matches!(reason, HaltReason::PrecompileErrorWithContext(_));
                created.fault.clone().filter(|_| !precompile).or_else(|| Some(errors::halted(reason)))
            }
        };
        if let Some(error) = error {
            push_str(object.value("error"), &error);
        }
        object.quantity("gasUsed", created.result.tx_gas_used());
    })
}

#[cfg(test)]
mod tests;

//! `eth_createAccessList`: what a transaction touches. A list changes what the transaction costs, and so what it may
//! do, so it runs until it touches just what its list says.

use super::Shared;
use super::call::{self, Desk};
use super::call_args::CallArgs;
use super::fill;
use super::session::Session;
use crate::evm::budget::Budget;
use crate::evm::database::StateDb;
use crate::evm::{self, Call, Failure};
use alloy::eips::eip2930::{AccessList, AccessListItem};
use alloy::eips::eip7702::SignedAuthorization;
use alloy::primitives::map::AddressSet;
use alloy::primitives::{Address, B256, U256};
use maidenlane_jsonrpc::json::{Object, push_data, push_str};
use maidenlane_jsonrpc::{Args, Error, Json};
use revm::bytecode::opcode;
use revm::context::result::ExecutionResult;
use revm::database_interface::Database as _;
use revm::handler::EthPrecompiles;
use revm::inspector::{InspectEvm as _, Inspector};
use revm::interpreter::Interpreter;
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::{InputsTr as _, Jumps as _};
use revm::primitives::TxKind;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Accounts and slots, in the order that geth lists them.
type Touched = BTreeMap<Address, BTreeSet<B256>>;

/// Collects what instructions touch.
struct Watch<'e> {
    /// Accounts that need no listing.
    excluded: &'e AddressSet,
    touched: Touched,
}

impl<'e> Watch<'e> {
    /// Counts what is on the list already, but for what needs no listing.
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

/// What came out.
struct Created {
    list: AccessList,
    result: ExecutionResult,
}

/// `eth_createAccessList`: call, block, state overrides.
pub(crate) async fn create(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    params: Option<&RawValue>,
) -> Result<Json, Error> {
    let mut args = Args::parse(params, 3)?;
    let mut wanted = args.required(call::read::<Option<CallArgs>>)?.unwrap_or_default();
    let desk = Desk::open(session, &mut args)?;
    let header = desk.header(session)?;
    fill::fees(&mut wanted, &session.head().rules, &header, || shared.fees.suggestion(shared, session))?;
    let nonce = wanted.nonce.map(|nonce| nonce.0);
    let authorizations = wanted.authorization_list.clone().unwrap_or_default();
    let call = desk.prepare(shared, session, wanted)?;
    if u64::try_from(authorizations.len()).unwrap_or(u64::MAX) > call.tx.gas_limit / evm::AUTHORIZATION_GAS {
        return Err(Error::server("insufficient gas to process all authorizations"));
    }
    let (overrides, _) = desk.overrides.resolve(None)?;
    let state = desk.state;
    let job = move |shared: &Shared, session: &Session, budget| {
        let mut db = call::database(shared, session, &state, &overrides);
        let excluded = excluded(&call, nonce, &authorizations, &mut db)?;
        search(&call, &mut db, &excluded, budget)
    };
    match call::bounded(shared, session, false, job).await? {
        Ok(created) => Ok(json(&created)),
        Err(Failure::Invalid(invalid)) => {
            Err(Error::server(format!("failed to apply transaction: {}", call::told(&invalid))))
        }
        Err(failure) => Err(call::failed(shared, failure)),
    }
}

/// Sender, receiver, precompiles and whoever signed an authorization are known before the first instruction.
fn excluded(
    call: &Call,
    nonce: Option<u64>,
    authorizations: &[SignedAuthorization],
    db: &mut StateDb<'_>,
) -> Result<AddressSet, Failure> {
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
    let valid = authorizations.iter().filter(|signed| {
        (signed.chain_id.is_zero() || signed.chain_id == U256::from(call.chain_id)) && signed.nonce < u64::MAX
    });
    excluded.extend(valid.filter_map(|signed| signed.recover_authority().ok()));
    Ok(excluded)
}

/// Runs the call with what it touched the last time, until that does not change.
fn search(
    call: &Call,
    db: &mut StateDb<'_>,
    excluded: &AddressSet,
    budget: Budget,
) -> Result<Created, Failure> {
    let mut before = Watch::new(&call.tx.access_list, excluded);
    loop {
        let list = before.list();
        let mut call = call.clone();
        call.tx.access_list = list.clone();
        let mut machine = call.machine(&mut *db, budget.clone(), Watch::new(&list, excluded));
        let result = machine.inspect_one_tx(call.tx);
        let result = evm::outcome(&machine, result)?;
        let after = machine.inspector;
        if after.touched == before.touched {
            return Ok(Created { list, result });
        }
        before = after;
    }
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
            ExecutionResult::Halt { reason, .. } => Some(call::halted(reason)),
        };
        if let Some(error) = error {
            push_str(object.value("error"), &error);
        }
        object.quantity("gasUsed", created.result.tx_gas_used());
    })
}

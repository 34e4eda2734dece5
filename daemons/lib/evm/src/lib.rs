//! Execution of calls on a view of the state: revm, geth's `eth_call` rules, bounded in gas, time and memory.
//!
//! | file | idea |
//! |---|---|
//! | [`rules`] | chain config to fork rules and block environments |
//! | `database` | the view as revm's database, with overrides on top |
//! | `overlay` | changes on top of the view, for what runs one after another |
//! | `estimate` | the least gas for a call |
//! | `precompiles` | precompiles of the fork, where overrides leave them |
//! | `codes` | analysed bytecode, shared by all calls |
//! | `budget` | time and cancellation, one for all runs of a request |
//! | `cost` | cost of work |
//! | `instructions` | instructions that count their cost |
//! | `ledger` | revm's journal with geth's payments |
//! | `fate` | how a transaction leaves an account |
//! | `replay` | mined blocks run again |
//! | `trail` | what each transaction of a mined block changed |
//! | `settle` | how a block ends |
//! | `steps`, `frames`, `touched` | tracers: instructions, calls, accounts |
//! | `asked`, `fault`, `words` | what geth asks for an instruction; why it does not run it, in geth's words |
//! | `watch` | bound of what a tracer keeps |
//! | `pool` | the few threads that run what takes longer |

mod asked;
pub mod budget;
pub mod codes;
pub mod cost;
pub mod database;
pub mod estimate;
mod fate;
pub mod fault;
pub mod frames;
mod instructions;
pub mod ledger;
pub mod overlay;
pub mod pool;
pub mod precompiles;
pub mod replay;
pub mod rules;
pub mod settle;
pub mod steps;
pub mod touched;
pub mod trail;
pub mod watch;
mod words;

use budget::{Budget, Spent};
use database::ReadFault;
use ledger::Ledger;
use precompiles::{Moved, Precompiles};
use revm::context::result::{EVMError, ExecutionResult, InvalidTransaction};
use revm::context::{BlockEnv, CfgEnv, Context, Evm, FrameStack, TxEnv};
use revm::context_interface::cfg::GasId;
use revm::context_interface::either::Either;
use revm::database_interface::Database;
use revm::handler::instructions::EthInstructions;
use revm::handler::{EthFrame, ExecuteEvm as _, SystemCallEvm as _};
use revm::inspector::{InspectEvm as _, Inspector};
use revm::interpreter::interpreter::EthInterpreter;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, Bytes};
use std::sync::Arc;

/// The concrete context: any database, and the budget where revm keeps chain-specific data.
pub type Ctx<'b, DB> = Context<BlockEnv, TxEnv, CfgEnv, DB, Ledger<DB>, &'b mut Budget>;

/// The EVM as everything here runs it, with `()` or an inspector.
pub type Machine<'b, DB, I = ()> =
    Evm<Ctx<'b, DB>, I, EthInstructions<EthInterpreter, Ctx<'b, DB>>, Precompiles, EthFrame<EthInterpreter>>;

/// Maximum number of blobs in one transaction from Osaka on (EIP-7594).
const BLOBS_MAX: u64 = 6;

/// Gas of an account in an access list (EIP-2930).
const LISTED_ACCOUNT_GAS: u64 = 2_400;
/// Gas of a slot in an access list (EIP-2930).
const LISTED_SLOT_GAS: u64 = 1_900;
/// Gas of an authorization before refunds (EIP-7702).
pub const AUTHORIZATION_GAS: u64 = 25_000;

/// Reason why a call has no result.
#[derive(Debug)]
pub enum Failure {
    /// Time is up, or the client left.
    Spent(Spent),
    /// The call is not valid on this block.
    Invalid(InvalidTransaction),
    /// Reading state failed.
    Read(ReadFault),
    /// revm refused for another reason.
    Other(String),
}

impl Failure {
    /// Time is up.
    pub const TIMEOUT: Self = Self::Spent(Spent::Time);
}

/// A call with everything that it needs but the state.
#[derive(Clone, Debug)]
pub struct Call {
    /// Fork rules.
    pub spec: SpecId,
    /// Chain id for `CHAINID`.
    pub chain_id: u64,
    /// The block it runs in.
    pub block: BlockEnv,
    /// The call as a transaction.
    pub tx: TxEnv,
    /// Denominator of the blob fee's exponent.
    pub blob_update_fraction: Option<u64>,
    /// Precompiles that overrides took from their places.
    pub moved: Option<Arc<Moved>>,
}

impl Call {
    /// Rules for a call that is in no block: as in geth its nonce, its sender's code and the caps on transactions
    /// in blocks do not matter.
    pub fn cfg(&self) -> CfgEnv {
        let mut cfg = cfg(self.spec, self.chain_id);
        cfg.disable_nonce_check = true;
        cfg.disable_eip3607 = true;
        cfg.disable_block_gas_limit = true;
        cfg.tx_chain_id_check = false;
        cfg.tx_gas_limit_cap = Some(u64::MAX);
        cfg.blob_base_fee_update_fraction = self.blob_update_fraction;
        let early = self.early_gas();
        if early > 0 {
            let base = cfg.gas_params.tx_base_stipend().saturating_add(early);
            cfg.gas_params.override_gas([(GasId::tx_base_stipend(), base)]);
        }
        cfg
    }

    /// Gas that geth charges for lists also in blocks before the fork that gives them a meaning.
    fn early_gas(&self) -> u64 {
        let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        let mut gas = 0_u64;
        if !self.spec.is_enabled_in(SpecId::BERLIN) {
            for item in self.tx.access_list.iter() {
                let slots = count(item.storage_keys.len()).saturating_mul(LISTED_SLOT_GAS);
                gas = gas.saturating_add(LISTED_ACCOUNT_GAS).saturating_add(slots);
            }
        }
        if !self.spec.is_enabled_in(SpecId::PRAGUE) {
            let authorizations = count(self.tx.authorization_list.len());
            gas = gas.saturating_add(authorizations.saturating_mul(AUTHORIZATION_GAS));
        }
        gas
    }

    /// An EVM for this call.
    pub fn machine<'b, DB: Database, I>(
        &self,
        db: DB,
        budget: &'b mut Budget,
        inspector: I,
    ) -> Machine<'b, DB, I> {
        let precompiles = Precompiles::new(self.spec, self.moved.clone());
        machine(self.cfg(), self.block.clone(), db, budget, inspector, precompiles)
    }
}

/// Recovers the signers of a transaction's authorizations, so that this is not done anew whenever it runs. There may be
/// more of them than its gas pays for: then it does not run, whoever signed them.
pub fn recover(tx: &mut TxEnv, budget: &mut Budget) -> Result<(), Failure> {
    let count = u64::try_from(tx.authorization_list.len()).unwrap_or(u64::MAX);
    if count.saturating_mul(AUTHORIZATION_GAS) > tx.gas_limit {
        return Ok(());
    }
    for authorization in &mut tx.authorization_list {
        if let Either::Left(signed) = authorization {
            budget.charge(cost::RECOVERY)?;
            *authorization = Either::Right(signed.clone().into_recovered());
        }
    }
    Ok(())
}

/// The rules of a fork for transactions as they are in blocks.
pub fn cfg(spec: SpecId, chain_id: u64) -> CfgEnv {
    let mut cfg = CfgEnv::<SpecId>::default().with_spec_and_mainnet_gas_params(spec).with_chain_id(chain_id);
    cfg.max_blobs_per_tx = spec.is_enabled_in(SpecId::OSAKA).then_some(BLOBS_MAX);
    cfg
}

/// An EVM under a budget. One machine may run many transactions; what they change stays in its journal until it is
/// finalised.
pub fn machine<'b, DB: Database, I>(
    cfg: CfgEnv,
    block: BlockEnv,
    db: DB,
    budget: &'b mut Budget,
    inspector: I,
    precompiles: Precompiles,
) -> Machine<'b, DB, I> {
    let spec = cfg.spec;
    let ctx: Context<BlockEnv, TxEnv, CfgEnv, DB, Ledger<DB>> = Context::new(db, spec);
    let mut ctx: Ctx<'b, DB> = ctx.with_chain(budget);
    ctx.block = block;
    let instruction = instructions::table(spec);
    Evm {
        ctx: ctx.with_cfg(cfg),
        inspector,
        instruction,
        precompiles,
        // Frames are made when they are needed: each has a stack of 32 kB, and most calls need one.
        frame_stack: FrameStack::new(),
    }
}

/// Runs a transaction. All runs of the EVM go through here, [`inspect`] or [`system_call`], which look at the clock
/// first: no loop around them outlasts its budget.
pub fn transact<DB>(machine: &mut Machine<'_, DB>, tx: TxEnv) -> Result<ExecutionResult, Failure>
where
    DB: Database<Error = ReadFault>,
{
    machine.ctx.chain.begin(&tx)?;
    let result = machine.transact_one(tx);
    outcome(machine, result)
}

/// Runs a transaction under the machine's inspector.
pub fn inspect<'b, DB, I>(machine: &mut Machine<'b, DB, I>, tx: TxEnv) -> Result<ExecutionResult, Failure>
where
    DB: Database<Error = ReadFault>,
    I: Inspector<Ctx<'b, DB>>,
{
    machine.ctx.chain.begin(&tx)?;
    let result = machine.inspect_one_tx(tx);
    outcome(machine, result)
}

/// Calls a contract as the protocol does, from the system address.
pub fn system_call<DB>(
    machine: &mut Machine<'_, DB>,
    contract: Address,
    data: Bytes,
) -> Result<ExecutionResult, Failure>
where
    DB: Database<Error = ReadFault>,
{
    machine.ctx.chain.begin(&TxEnv::default())?;
    let result = machine.system_call_one(contract, data);
    outcome(machine, result)
}

/// Result of a run: a spent budget goes before the error that it made the EVM return.
fn outcome<DB: Database, I, T>(
    machine: &mut Machine<'_, DB, I>,
    result: Result<T, EVMError<ReadFault>>,
) -> Result<T, Failure> {
    if let Some(spent) = machine.ctx.chain.end() {
        return Err(Failure::Spent(spent));
    }
    result.map_err(|error| match error {
        EVMError::Transaction(invalid) => Failure::Invalid(invalid),
        EVMError::Database(fault) => Failure::Read(fault),
        other => Failure::Other(other.to_string()),
    })
}

/// Runs one call. Nothing is written anywhere.
pub fn execute<DB>(call: Call, db: DB, budget: &mut Budget) -> Result<ExecutionResult, Failure>
where
    DB: Database<Error = ReadFault>,
{
    transact(&mut call.machine(db, budget, ()), call.tx)
}

#[cfg(test)]
mod tests;

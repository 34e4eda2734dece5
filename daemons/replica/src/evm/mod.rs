//! Executing calls on a view of the state: revm, geth's `eth_call` rules, bounded in gas, time and memory.
//!
//! | file | idea |
//! |---|---|
//! | [`rules`] | chain config to fork rules and block environments |
//! | `database` | the view as revm's database, with overrides on top |
//! | `codes` | analysed bytecode, shared by all calls |
//! | `budget` | time and cancellation, checked in jumps and calls |
//! | `pool` | the few threads that run what takes longer |

pub(crate) mod budget;
pub(crate) mod codes;
pub(crate) mod database;
pub(crate) mod pool;
pub mod rules;

use budget::{Budget, Spent};
use database::{ReadFault, StateDb};
use revm::context::result::{EVMError, ExecutionResult, InvalidTransaction};
use revm::context::{BlockEnv, CfgEnv, Context, Evm, FrameStack, Journal, TxEnv};
use revm::handler::{EthPrecompiles, ExecuteEvm as _};
use revm::primitives::hardfork::SpecId;

/// The concrete context: our database, and the budget where revm keeps chain-specific data.
pub(crate) type Ctx<'a> = Context<BlockEnv, TxEnv, CfgEnv, StateDb<'a>, Journal<StateDb<'a>>, Budget>;

/// Blobs in one transaction from Osaka on (EIP-7594).
const BLOBS_MAX: u64 = 6;

/// Why a call has no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Time is up, or the client left.
    Spent(Spent),
    /// The call is not valid on this block.
    Invalid(InvalidTransaction),
    /// Reading state failed.
    Read(ReadFault),
    /// revm refused for another reason.
    Other(String),
}

/// Everything about one call but the state.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Fork rules.
    pub(crate) spec: SpecId,
    /// `CHAINID`.
    pub(crate) chain_id: u64,
    /// The block it runs in.
    pub(crate) block: BlockEnv,
    /// The call as a transaction.
    pub(crate) tx: TxEnv,
    /// Denominator of the blob fee's exponent.
    pub(crate) blob_update_fraction: Option<u64>,
}

/// Runs one call. Nothing is written anywhere.
pub(crate) fn execute(call: Call, db: StateDb<'_>, budget: Budget) -> Result<ExecutionResult, Failure> {
    let mut cfg =
        CfgEnv::<SpecId>::default().with_spec_and_mainnet_gas_params(call.spec).with_chain_id(call.chain_id);
    // As geth: a call's nonce, sender's code and the caps on transactions in blocks do not matter.
    cfg.disable_nonce_check = true;
    cfg.disable_eip3607 = true;
    cfg.disable_block_gas_limit = true;
    cfg.tx_chain_id_check = false;
    cfg.tx_gas_limit_cap = Some(u64::MAX);
    cfg.max_blobs_per_tx = call.spec.is_enabled_in(SpecId::OSAKA).then_some(BLOBS_MAX);
    cfg.blob_base_fee_update_fraction = call.blob_update_fraction;
    let mut ctx: Ctx<'_> = Context::new(db, call.spec);
    ctx.block = call.block;
    ctx.chain = budget;
    let ctx = ctx.with_cfg(cfg);
    let mut evm = Evm {
        ctx,
        inspector: (),
        instruction: budget::instructions(call.spec),
        precompiles: EthPrecompiles::new(call.spec),
        frame_stack: FrameStack::new_prealloc(8),
    };
    let outcome = evm.transact_one(call.tx);
    if let Some(spent) = evm.ctx.chain.spent() {
        return Err(Failure::Spent(spent));
    }
    outcome.map_err(|error| match error {
        EVMError::Transaction(invalid) => Failure::Invalid(invalid),
        EVMError::Database(fault) => Failure::Read(fault),
        other => Failure::Other(other.to_string()),
    })
}

#[cfg(test)]
mod tests;

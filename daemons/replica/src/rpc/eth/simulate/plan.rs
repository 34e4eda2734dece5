//! Plan of a simulation's blocks: numbers and times in order, gaps filled.

use alloy::consensus::Header;
use alloy::primitives::U256;
use maidenlane_ethjson::block_overrides::BlockOverrides;
use maidenlane_ethjson::call_args::{CallArgs, StateOverrides};
use maidenlane_ethjson::params::Number;
use maidenlane_jsonrpc::{Error, codes};
use serde::Deserialize;

/// Blocks in one simulation, gaps included.
const BLOCKS_MAX: usize = 256;
/// Calls in one block.
const BLOCK_CALLS_MAX: usize = 5_000;
/// Calls in one simulation.
const CALLS_MAX: usize = 10_000;
/// Seconds between two blocks whose times were left open.
const SECONDS_PER_BLOCK: u64 = 12;

/// First parameter of `eth_simulateV1`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Options {
    // As for geth's decoder, null is an empty one.
    block_state_calls: Option<Vec<Option<BlockOptions>>>,
    trace_transfers: Option<bool>,
    validation: Option<bool>,
    return_full_transactions: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockOptions {
    block_overrides: Option<BlockOverrides>,
    state_overrides: Option<StateOverrides>,
    calls: Option<Vec<Option<CallArgs>>>,
}

/// One block to make.
#[derive(Debug, Default)]
pub(super) struct Planned {
    pub(super) number: u64,
    pub(super) time: u64,
    pub(super) block: BlockOverrides,
    pub(super) state: StateOverrides,
    pub(super) calls: Vec<CallArgs>,
}

/// Blocks to make, and the options of all.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) blocks: Vec<Planned>,
    /// Ether transfers are logged as those of a token.
    pub(super) trace_transfers: bool,
    /// Nonces, fees and balances are validated.
    pub(super) validation: bool,
    pub(super) full_transactions: bool,
}

fn limit(text: impl Into<String>) -> Error {
    Error::new(codes::CLIENT_LIMIT, text.into())
}

impl Options {
    /// Checks what does not depend on the state.
    pub(super) fn check(&self) -> Result<(), Error> {
        let blocks = self.block_state_calls.as_deref().unwrap_or_default();
        if blocks.is_empty() {
            return Err(Error::params("empty input"));
        }
        if blocks.len() > BLOCKS_MAX {
            return Err(limit("too many blocks"));
        }
        let mut total = 0;
        for block in blocks {
            let calls = block.as_ref().and_then(|block| block.calls.as_ref()).map_or(0, Vec::len);
            if calls > BLOCK_CALLS_MAX {
                return Err(limit(format!("too many calls in block: {calls} > {BLOCK_CALLS_MAX}")));
            }
            total += calls;
            if total > CALLS_MAX {
                return Err(limit(format!("too many calls: {total} > {CALLS_MAX}")));
            }
        }
        Ok(())
    }

    /// The blocks to make on `base`.
    pub(super) fn plan(self, base: &Header) -> Result<Plan, Error> {
        let mut blocks = Vec::new();
        let (mut number, mut time) = (base.number, base.timestamp);
        for wanted in self.block_state_calls.unwrap_or_default() {
            let wanted = wanted.unwrap_or_default();
            let block = wanted.block_overrides.unwrap_or_default();
            let next = block.number.map_or(U256::from(number.saturating_add(1)), |number| number.0);
            if next <= U256::from(number) {
                let text = format!("block numbers must be in order: {next} <= {number}");
                return Err(Error::new(codes::BLOCK_NUMBER_INVALID, text));
            }
            if next - U256::from(base.number) > U256::from(BLOCKS_MAX) {
                return Err(limit("too many blocks"));
            }
            let next = u64::try_from(next).map_err(|_| limit("too many blocks"))?;
            for number in number.saturating_add(1)..next {
                time = time.saturating_add(SECONDS_PER_BLOCK);
                blocks.push(Planned { number, time, ..Planned::default() });
            }
            number = next;
            let Number(at) = block.time.unwrap_or(Number(time.saturating_add(SECONDS_PER_BLOCK)));
            if at <= time {
                let text = format!("block timestamps must be in order: {at} <= {time}");
                return Err(Error::new(codes::BLOCK_TIMESTAMP_INVALID, text));
            }
            time = at;
            let (state, calls) = (wanted.state_overrides, wanted.calls);
            let calls = calls.unwrap_or_default().into_iter().map(Option::unwrap_or_default).collect();
            let state = state.unwrap_or_default();
            blocks.push(Planned { number, time, block, state, calls });
        }
        Ok(Plan {
            blocks,
            trace_transfers: self.trace_transfers.unwrap_or_default(),
            validation: self.validation.unwrap_or_default(),
            full_transactions: self.return_full_transactions.unwrap_or_default(),
        })
    }
}

impl Planned {
    /// The header before anything ran in the block. Fee recipient and gas limit go on from block to block.
    pub(super) fn header(&self, parent: &Header, merged: bool) -> Result<Header, Error> {
        let over = &self.block;
        Ok(Header {
            number: self.number,
            timestamp: self.time,
            beneficiary: over.fee_recipient.unwrap_or(parent.beneficiary),
            difficulty: match over.difficulty {
                Some(difficulty) => difficulty.0,
                None if merged => U256::ZERO,
                None => parent.difficulty,
            },
            gas_limit: over.gas_limit.map_or(parent.gas_limit, |limit| limit.0),
            mix_hash: over.prev_randao.unwrap_or_default(),
            base_fee_per_gas: over.base_fee()?,
            ..Header::default()
        })
    }
}

//! Rules of a chain by block, from its chain config: forks, blob parameters, rewards, the block to come.

use crate::forks::{Forks, ForksError};
use alloy::consensus::Header;
use alloy::eips::eip1559::{BaseFeeParams, INITIAL_BASE_FEE};
use alloy::eips::eip7840::BlobParams;
use alloy::primitives::{B256, U256};

const WEI_PER_ETHER: u64 = 1_000_000_000_000_000_000;

/// The chain's rules by block.
#[derive(Clone, Debug)]
pub struct Rules {
    forks: Forks,
}

impl Rules {
    /// Parses geth's chain config.
    pub fn parse(json: &str) -> Result<Self, ForksError> {
        Ok(Self { forks: Forks::parse(json)? })
    }

    /// EIP-155 id.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.forks.chain_id()
    }

    /// The fork that rules the block and is not implemented here.
    #[must_use]
    pub fn unknown_at(&self, header: &Header) -> Option<&str> {
        self.forks.unknown_at(header.number, header.timestamp).map(|fork| fork.name.as_str())
    }

    /// Blob parameters at a block's time; `None` before Cancun.
    pub fn blobs(&self, time: u64) -> Option<BlobParams> {
        self.forks.blobs_at(time)
    }

    /// True if blocks of this number have a base fee.
    pub fn is_london(&self, number: u64) -> bool {
        self.forks.config().london_block.is_some_and(|from| from <= number)
    }

    /// The fork schedule.
    pub fn forks(&self) -> &Forks {
        &self.forks
    }

    /// True for a block of proof of stake, as far as the config says.
    pub fn merged(&self, number: u64, time: u64) -> bool {
        let config = self.forks.config();
        config.terminal_total_difficulty == Some(U256::ZERO)
            || config.merge_netsplit_block.is_some_and(|from| from <= number)
            || config.shanghai_time.is_some_and(|from| from <= time)
    }

    /// Reward of a miner for a block, in wei; none where blocks are signed.
    pub fn reward(&self, number: u64) -> Option<U256> {
        let config = self.forks.config();
        let reached = |from: Option<u64>| from.is_some_and(|from| from <= number);
        let ether: u64 = if reached(config.constantinople_block) {
            2
        } else if reached(config.byzantium_block) {
            3
        } else {
            5
        };
        config.clique.is_none().then(|| U256::from(ether) * U256::from(WEI_PER_ETHER))
    }

    /// Price of a unit of blob gas in a block.
    pub fn blob_price(&self, header: &Header) -> Option<u128> {
        let excess = header.excess_blob_gas?;
        self.blobs(header.timestamp).map(|params| params.calc_blob_fee(excess))
    }

    /// Price of a unit of blob gas in the block after it, by this block's parameters.
    pub fn next_blob_price(&self, header: &Header) -> Option<u128> {
        let params = self.blobs(header.timestamp)?;
        header.excess_blob_gas?;
        Some(params.calc_blob_fee(header.next_block_excess_blob_gas(params).unwrap_or_default()))
    }

    /// The header of a block being built on `parent` at `time`, as far as the EVM sees it.
    pub fn pending(&self, parent: &Header, time: u64) -> Header {
        let number = parent.number.saturating_add(1);
        let timestamp = time.max(parent.timestamp.saturating_add(1));
        let base_fee = parent.next_block_base_fee(BaseFeeParams::ethereum()).unwrap_or(INITIAL_BASE_FEE);
        let blobs = self.blobs(timestamp);
        Header {
            parent_hash: parent.hash_slow(),
            number,
            timestamp,
            gas_limit: parent.gas_limit,
            difficulty: parent.difficulty,
            mix_hash: B256::ZERO,
            base_fee_per_gas: self.is_london(number).then_some(base_fee),
            excess_blob_gas: blobs.map(|blobs| parent.next_block_excess_blob_gas(blobs).unwrap_or_default()),
            ..Header::default()
        }
    }
}

#[cfg(test)]
mod tests;

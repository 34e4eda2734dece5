//! Rules of a block in revm's terms.

use alloy::consensus::Header;
use alloy::primitives::U256;
use maidenlane_chain::{Fork, Rules};
use revm::context::BlockEnv;
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::primitives::hardfork::SpecId;

/// Parameters of the EVM for a block, from the chain's rules and the block's header.
pub trait EvmRules {
    /// Fork rules for a block. Proof of stake shows in its difficulty, as geth's EVM sees it.
    fn spec(&self, header: &Header) -> SpecId;
    /// The block's environment.
    fn block_env(&self, header: &Header) -> BlockEnv;
}

impl EvmRules for Rules {
    fn spec(&self, header: &Header) -> SpecId {
        match self.forks().fork_of(header) {
            Fork::Frontier => SpecId::FRONTIER,
            Fork::Homestead => SpecId::HOMESTEAD,
            Fork::TangerineWhistle => SpecId::TANGERINE,
            Fork::SpuriousDragon => SpecId::SPURIOUS_DRAGON,
            Fork::Byzantium => SpecId::BYZANTIUM,
            // revm has no Constantinople alone: its metered SSTORE lived for hours on test networks only.
            Fork::Constantinople | Fork::Petersburg => SpecId::PETERSBURG,
            Fork::Istanbul => SpecId::ISTANBUL,
            Fork::Berlin => SpecId::BERLIN,
            Fork::London => SpecId::LONDON,
            Fork::Paris => SpecId::MERGE,
            Fork::Shanghai => SpecId::SHANGHAI,
            Fork::Cancun => SpecId::CANCUN,
            Fork::Prague => SpecId::PRAGUE,
            Fork::Osaka => SpecId::OSAKA,
        }
    }

    fn block_env(&self, header: &Header) -> BlockEnv {
        // A header that was moved into a fork with blobs by an override has no excess of its own.
        let blobs = self.blobs(header.timestamp).map(|params| {
            let excess_blob_gas = header.excess_blob_gas.unwrap_or_default();
            BlobExcessGasAndPrice { excess_blob_gas, blob_gasprice: params.calc_blob_fee(excess_blob_gas) }
        });
        BlockEnv {
            number: U256::from(header.number),
            beneficiary: header.beneficiary,
            timestamp: U256::from(header.timestamp),
            gas_limit: header.gas_limit,
            basefee: header.base_fee_per_gas.unwrap_or_default(),
            difficulty: header.difficulty,
            prevrandao: header.difficulty.is_zero().then_some(header.mix_hash),
            blob_excess_gas_and_price: blobs,
            slot_num: header.slot_number.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests;

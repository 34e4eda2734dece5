//! From chain config and header to what the EVM must know about a block.

use alloy::consensus::Header;
use alloy::eips::eip1559::{BaseFeeParams, INITIAL_BASE_FEE};
use alloy::eips::eip7840::BlobParams;
use alloy::genesis::ChainConfig;
use alloy::primitives::{B256, U256};
use revm::context::BlockEnv;
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::primitives::hardfork::SpecId;

/// The chain's forks, as geth's JSON config states them.
#[derive(Clone, Debug)]
pub struct Rules {
    config: ChainConfig,
    /// Name and time of the first fork that this build does not execute.
    unknown: Option<(String, u64)>,
}

impl Rules {
    /// Parses geth's chain config.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        let config: ChainConfig = serde_json::from_str(json)?;
        let named = [("amsterdam", config.amsterdam_time), ("bogota", config.bogota_time)];
        let named = named.into_iter().filter_map(|(name, time)| Some((name.to_owned(), time?)));
        let extra = config.extra_fields.iter().filter_map(|(key, value)| {
            let name = key.strip_suffix("Time").or_else(|| key.strip_suffix("Timestamp"))?;
            Some((name.to_owned(), value.as_u64()?))
        });
        let unknown = named.chain(extra).min_by_key(|(_, time)| *time);
        Ok(Self { config, unknown })
    }

    /// EIP-155 id.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.config.chain_id
    }

    /// The fork that is active at `time` and not implemented here.
    #[must_use]
    pub fn unknown_at(&self, time: u64) -> Option<&str> {
        self.unknown.as_ref().filter(|(_, from)| *from <= time).map(|(name, _)| name.as_str())
    }

    /// Fork rules for a block. Proof of stake shows in its difficulty, as geth's EVM sees it.
    pub(crate) fn spec(&self, header: &Header) -> SpecId {
        let (number, time) = (header.number, header.timestamp);
        let from = |fork: Option<u64>, now: u64| fork.is_some_and(|from| from <= now);
        let config = &self.config;
        let london = from(config.london_block, number);
        if header.difficulty.is_zero() && london {
            let timed = [
                (config.osaka_time, SpecId::OSAKA),
                (config.prague_time, SpecId::PRAGUE),
                (config.cancun_time, SpecId::CANCUN),
                (config.shanghai_time, SpecId::SHANGHAI),
            ];
            return timed
                .into_iter()
                .find(|(fork, _)| from(*fork, time))
                .map_or(SpecId::MERGE, |(_, spec)| spec);
        }
        let numbered = [
            (config.london_block, SpecId::LONDON),
            (config.berlin_block, SpecId::BERLIN),
            (config.istanbul_block, SpecId::ISTANBUL),
            (config.petersburg_block, SpecId::PETERSBURG),
            // revm has no Constantinople alone: its metered SSTORE lived for hours on test networks only.
            (config.constantinople_block, SpecId::PETERSBURG),
            (config.byzantium_block, SpecId::BYZANTIUM),
            (config.eip158_block, SpecId::SPURIOUS_DRAGON),
            (config.eip150_block, SpecId::TANGERINE),
            (config.homestead_block, SpecId::HOMESTEAD),
        ];
        numbered.into_iter().find(|(fork, _)| from(*fork, number)).map_or(SpecId::FRONTIER, |(_, spec)| spec)
    }

    /// Blob parameters at a block's time; `None` before Cancun.
    pub(crate) fn blobs(&self, time: u64) -> Option<BlobParams> {
        let config = &self.config;
        let schedule = [
            (config.bpo5_time, "bpo5"),
            (config.bpo4_time, "bpo4"),
            (config.bpo3_time, "bpo3"),
            (config.bpo2_time, "bpo2"),
            (config.bpo1_time, "bpo1"),
            (config.osaka_time, "osaka"),
            (config.prague_time, "prague"),
            (config.cancun_time, "cancun"),
        ];
        let named = |name: &str| config.blob_schedule.get(name).copied().or_else(|| default_blobs(name));
        schedule
            .into_iter()
            .filter(|(from, _)| from.is_some_and(|from| from <= time))
            .find_map(|(_, name)| named(name))
    }

    /// Whether the miner's reward is two ether already.
    #[cfg(test)]
    pub(crate) fn config_constantinople(&self, number: u64) -> bool {
        self.config.constantinople_block.is_some_and(|from| from <= number)
    }

    /// Price of a unit of blob gas in a block.
    pub(crate) fn blob_price(&self, header: &Header) -> Option<u128> {
        let excess = header.excess_blob_gas?;
        self.blobs(header.timestamp).map(|params| params.calc_blob_fee(excess))
    }

    /// The block's environment.
    pub(crate) fn block_env(&self, header: &Header) -> BlockEnv {
        let price = self.blob_price(header);
        BlockEnv {
            number: U256::from(header.number),
            beneficiary: header.beneficiary,
            timestamp: U256::from(header.timestamp),
            gas_limit: header.gas_limit,
            basefee: header.base_fee_per_gas.unwrap_or_default(),
            difficulty: header.difficulty,
            prevrandao: header.difficulty.is_zero().then_some(header.mix_hash),
            blob_excess_gas_and_price: header.excess_blob_gas.zip(price).map(
                |(excess_blob_gas, blob_gasprice)| BlobExcessGasAndPrice { excess_blob_gas, blob_gasprice },
            ),
            slot_num: header.slot_number.unwrap_or_default(),
        }
    }

    /// The header of a block being built on `parent` at `time`, as far as the EVM sees it.
    pub(crate) fn pending(&self, parent: &Header, time: u64) -> Header {
        let number = parent.number.saturating_add(1);
        let timestamp = time.max(parent.timestamp.saturating_add(1));
        let london = self.config.london_block.is_some_and(|from| from <= number);
        let base_fee = parent.next_block_base_fee(BaseFeeParams::ethereum()).unwrap_or(INITIAL_BASE_FEE);
        let blobs = self.blobs(timestamp);
        Header {
            parent_hash: parent.hash_slow(),
            number,
            timestamp,
            gas_limit: parent.gas_limit,
            difficulty: parent.difficulty,
            mix_hash: B256::ZERO,
            base_fee_per_gas: london.then_some(base_fee),
            excess_blob_gas: blobs.map(|blobs| parent.next_block_excess_blob_gas(blobs).unwrap_or_default()),
            ..Header::default()
        }
    }
}

/// geth's values for a chain config without a schedule of its own.
fn default_blobs(name: &str) -> Option<BlobParams> {
    Some(match name {
        "cancun" => BlobParams::cancun(),
        "prague" => BlobParams::prague(),
        "osaka" => BlobParams::osaka(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;

//! Header of the next block, as far as the EVM sees it.
//!
//! # What is known, and what is chosen
//! Number, base fee (EIP-1559) and excess blob gas follow from the parent. The rest is its proposer's, or a builder's, and is
//! chosen where the caller says nothing:
//! - the timestamp is one block time after the parent's: a missed slot makes it later;
//! - the gas limit is the parent's: a builder moves it by a thousandth at most;
//! - the fee recipient is the parent's: an account that exists, as a builder's does, so that what is paid to it costs as much;
//! - `PREVRANDAO` and the beacon root are the parent's: values of the right kind, which no contract can have foreseen either.

use alloy::consensus::Header;
use maidenlane_chain::{Address, B256, Rules};

/// Wishes of a caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Number.
    pub number: Option<u64>,
    /// Timestamp.
    pub timestamp: Option<u64>,
    /// Fee recipient.
    pub fee_recipient: Option<Address>,
    /// Gas limit.
    pub gas_limit: Option<u64>,
    /// Base fee.
    pub base_fee: Option<u64>,
    /// Value of `PREVRANDAO`, which once was the difficulty.
    pub randao: Option<B256>,
    /// Excess blob gas.
    pub excess_blob_gas: Option<u64>,
}

/// The header of the block after `parent`.
#[must_use]
pub fn header(rules: &Rules, parent: &Header, block_time_s: u64, wishes: &Wishes) -> Header {
    let timestamp = wishes.timestamp.unwrap_or_else(|| parent.timestamp.saturating_add(block_time_s));
    let pending = rules.pending(parent, timestamp);
    let has_blobs = pending.excess_blob_gas.is_some();
    Header {
        number: wishes.number.unwrap_or(pending.number),
        beneficiary: wishes.fee_recipient.unwrap_or(parent.beneficiary),
        gas_limit: wishes.gas_limit.unwrap_or(pending.gas_limit),
        base_fee_per_gas: wishes.base_fee.or(pending.base_fee_per_gas),
        mix_hash: wishes.randao.unwrap_or(parent.mix_hash),
        excess_blob_gas: wishes.excess_blob_gas.filter(|_| has_blobs).or(pending.excess_blob_gas),
        parent_beacon_block_root: has_blobs.then(|| parent.parent_beacon_block_root.unwrap_or_default()),
        ..pending
    }
}

#[cfg(test)]
mod tests {
    use super::{Wishes, header};
    use alloy::consensus::Header;
    use maidenlane_chain::{Address, B256, Rules};

    /// A chain that has all forks from its beginning, but for Osaka at a time.
    const CONFIG: &str = r#"{"chainId":1,"homesteadBlock":0,"eip150Block":0,"eip155Block":0,"eip158Block":0,"byzantiumBlock":0,
        "constantinopleBlock":0,"petersburgBlock":0,"istanbulBlock":0,"berlinBlock":0,"londonBlock":0,"terminalTotalDifficulty":0,
        "shanghaiTime":0,"cancunTime":0,"pragueTime":0,"osakaTime":5000,"blobSchedule":{"cancun":{"target":3,"max":6,
        "baseFeeUpdateFraction":3338477},"prague":{"target":6,"max":9,"baseFeeUpdateFraction":5007716},"osaka":{"target":6,"max":9,
        "baseFeeUpdateFraction":5007716}}}"#;

    fn parent() -> Header {
        Header {
            number: 99,
            timestamp: 1_000,
            gas_limit: 30_000_000,
            gas_used: 30_000_000,
            base_fee_per_gas: Some(800),
            excess_blob_gas: Some(0),
            blob_gas_used: Some(9 * 131_072),
            beneficiary: Address::repeat_byte(7),
            mix_hash: B256::repeat_byte(8),
            parent_beacon_block_root: Some(B256::repeat_byte(9)),
            ..Header::default()
        }
    }

    #[test]
    fn fees_follow_from_the_parent_and_the_rest_is_as_it_says() {
        let rules = Rules::parse(CONFIG).unwrap();
        let next = header(&rules, &parent(), 12, &Wishes::default());
        assert_eq!((next.number, next.timestamp, next.gas_limit), (100, 1_012, 30_000_000));
        assert_eq!(next.base_fee_per_gas, Some(900), "a full parent: an eighth more");
        assert_eq!(next.excess_blob_gas, Some(3 * 131_072), "nine blobs are three above the target");
        assert_eq!((next.beneficiary, next.mix_hash), (Address::repeat_byte(7), B256::repeat_byte(8)));
        assert_eq!(next.parent_beacon_block_root, Some(B256::repeat_byte(9)));
        assert_eq!(next.parent_hash, parent().hash_slow());
    }

    #[test]
    fn wishes_come_first() {
        let rules = Rules::parse(CONFIG).unwrap();
        let wishes = Wishes {
            number: Some(120),
            timestamp: Some(1_500),
            fee_recipient: Some(Address::repeat_byte(1)),
            gas_limit: Some(5),
            base_fee: Some(6),
            randao: Some(B256::repeat_byte(2)),
            excess_blob_gas: Some(131_072),
        };
        let next = header(&rules, &parent(), 12, &wishes);
        assert_eq!((next.number, next.timestamp, next.gas_limit), (120, 1_500, 5));
        assert_eq!((next.base_fee_per_gas, next.excess_blob_gas), (Some(6), Some(131_072)));
        assert_eq!((next.beneficiary, next.mix_hash), (Address::repeat_byte(1), B256::repeat_byte(2)));
    }
}

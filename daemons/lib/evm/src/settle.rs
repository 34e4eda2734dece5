//! Payments for a call and at a block's end; and the contracts that a block asks before that (EIP-7685).

use super::database::ReadFault;
use super::overlay::Overlay;
use alloy::consensus::Header;
use alloy::eips::eip4895::Withdrawal;
use maidenlane_chain::Rules;
use revm::context::TxEnv;
use revm::primitives::map::AddressMap;
use revm::primitives::{Address, U256, address};
use revm::state::Account;

/// The contracts that hold queues, with the types of their requests (EIP-7002, EIP-7251).
pub const QUEUES: [(u8, Address); 2] = [
    (1, address!("00000961Ef480Eb55e80D19ad83579A64c007002")),
    (2, address!("0000BBdDc7CE488642fb579F8B00f3a590007251")),
];

const WEI_PER_GWEI: u64 = 1_000_000_000;

/// Pays withdrawals, or the miners of the block and its uncles.
pub fn settle(
    state: &mut Overlay<'_>,
    rules: &Rules,
    header: &Header,
    uncles: &[Header],
    withdrawals: &[Withdrawal],
) -> Result<(), ReadFault> {
    if header.difficulty.is_zero() {
        return withdrawals.iter().try_for_each(|withdrawal| {
            let wei = U256::from(withdrawal.amount).saturating_mul(U256::from(WEI_PER_GWEI));
            state.pay(withdrawal.address, wei)
        });
    }
    let Some(reward) = rules.reward(header.number) else { return Ok(()) };
    let mut mined = reward;
    for uncle in uncles {
        let eighths = uncle.number.saturating_add(8).saturating_sub(header.number);
        state.pay(uncle.beneficiary, reward.saturating_mul(U256::from(eighths)) >> 3)?;
        mined = mined.saturating_add(reward >> 5);
    }
    state.pay(header.beneficiary, mined)
}

/// True if a call offers nothing for its gas.
pub fn is_free(tx: &TxEnv) -> bool {
    tx.gas_price == 0 && tx.gas_priority_fee.unwrap_or_default() == 0
}

/// Removes an account that paying the beneficiary nothing has made, as it does before Spurious Dragon: geth pays nobody
/// for a free call.
pub fn unpay(changes: &mut AddressMap<Account>, beneficiary: Address) {
    let made = |account: &Account| account.is_loaded_as_not_existing() && account.info.is_empty();
    if changes.get(&beneficiary).is_some_and(made) {
        changes.remove(&beneficiary);
    }
}

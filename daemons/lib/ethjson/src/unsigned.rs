//! Unsigned transactions: a call as a block would hold it. Nobody signed it: its signature is zero.

use crate::call_args::CallArgs;
use crate::params::Big;
use alloy::consensus::{
    EthereumTxEnvelope, SignableTransaction as _, Signed, TxEip1559, TxEip4844, TxEip7702, TxLegacy,
};
use alloy::eips::eip2718::Encodable2718 as _;
use alloy::primitives::{Bytes, Signature, TxKind, U256, keccak256};
use maidenlane_chain::Transaction;
use maidenlane_jsonrpc::Error;

/// Transaction of a call, and its bytes. `dynamic` is true if the block has a base fee.
pub fn transaction(
    call: &CallArgs,
    nonce: u64,
    gas: u64,
    chain_id: u64,
    dynamic: bool,
) -> Result<(Transaction, Bytes), Error> {
    let fits = |big: Option<Big>| big.map_or(0, |big| u128::try_from(big.0).unwrap_or(u128::MAX));
    let to = call.to();
    let value = call.value.map_or(U256::ZERO, |value| value.0);
    let input = call.input.as_ref().or(call.data.as_ref()).map(|data| data.0.clone()).unwrap_or_default();
    if call.gas_price.is_some() || !dynamic {
        let kind = to.map_or(TxKind::Create, TxKind::Call);
        return Ok(legacy(TxLegacy {
            // An unsigned transaction has in place of its signature what one for no chain is signed with.
            chain_id: Some(0),
            nonce,
            gas_price: fits(call.gas_price),
            gas_limit: gas,
            to: kind,
            value,
            input,
        }));
    }
    let (max_fee_per_gas, max_priority_fee_per_gas) =
        (fits(call.max_fee_per_gas), fits(call.max_priority_fee_per_gas));
    let access_list = call.access_list.clone().unwrap_or_default();
    let signature = Signature::new(U256::ZERO, U256::ZERO, false);
    let no_receiver = || Error::server("a transaction of this type needs a receiver");
    let tx: Transaction = if let Some(authorization_list) = call.authorization_list.clone() {
        let to = to.ok_or_else(no_receiver)?;
        #[rustfmt::skip]
        let tx = TxEip7702 { chain_id, nonce, gas_limit: gas, max_fee_per_gas, max_priority_fee_per_gas, to, value,
            access_list, authorization_list, input };
        EthereumTxEnvelope::Eip7702(tx.into_signed(signature))
    } else if let Some(blob_versioned_hashes) = call.blob_versioned_hashes.clone() {
        let to = to.ok_or_else(no_receiver)?;
        let max_fee_per_blob_gas = fits(call.max_fee_per_blob_gas);
        #[rustfmt::skip]
        let tx = TxEip4844 { chain_id, nonce, gas_limit: gas, max_fee_per_gas, max_priority_fee_per_gas, to, value,
            access_list, blob_versioned_hashes, max_fee_per_blob_gas, input };
        EthereumTxEnvelope::Eip4844(tx.into_signed(signature))
    } else {
        let to = to.map_or(TxKind::Create, TxKind::Call);
        #[rustfmt::skip]
        let tx = TxEip1559 { chain_id, nonce, gas_limit: gas, max_fee_per_gas, max_priority_fee_per_gas, to, value,
            access_list, input };
        EthereumTxEnvelope::Eip1559(tx.into_signed(signature))
    };
    let bytes = tx.encoded_2718().into();
    Ok((tx, bytes))
}

fn legacy(tx: TxLegacy) -> (Transaction, Bytes) {
    let mut bytes = Vec::new();
    tx.encode_for_signing(&mut bytes);
    let signature = Signature::new(U256::ZERO, U256::ZERO, false);
    let hash = keccak256(&bytes);
    (EthereumTxEnvelope::Legacy(Signed::new_unchecked(tx, signature, hash)), bytes.into())
}

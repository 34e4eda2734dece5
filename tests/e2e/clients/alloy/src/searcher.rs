//! `alloy RELAY NODE KEY`: bundles, trees and private transactions by alloy's extension for searchers, each step with what it must bring.

use crate::http;
use alloy::eips::BlockNumberOrTag;
use alloy::eips::eip2718::Encodable2718 as _;
use alloy::network::{EthereumWallet, NetworkTransactionBuilder as _, TransactionBuilder as _};
use alloy::primitives::{B256, Bytes, TxHash, U256, keccak256};
use alloy::providers::ext::{MevApi as _, MevBuilder};
use alloy::providers::{DynProvider, Provider as _};
use alloy::rpc::types::TransactionRequest;
use alloy::rpc::types::mev::{
    BundleItem, EthCallBundle, EthSendBundle, EthSendPrivateTransaction, MevSendBundle, ProtocolVersion,
};
use alloy::signers::local::PrivateKeySigner;
use serde_json::{Value, json};
use std::error::Error;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);
const GWEI: u128 = 1_000_000_000;
const NAME: &str = "5b1bd09a-2c4e-4a5c-8d1a-0a3a6a1c6f01";

fn holds(what: &str, truth: bool, seen: impl std::fmt::Debug) -> Result<(), Box<dyn Error>> {
    if truth { Ok(()) } else { Err(format!("{what}: {seen:?}").into()) }
}

/// Runs all steps.
pub(crate) async fn run(relay: &str, node: &str, key: &str) -> Result<(), Box<dyn Error>> {
    let (relay, node) = (http(relay)?, http(node)?);
    // Whoever signs requests need own nothing.
    let (account, auth): (PrivateKeySigner, _) = (key.parse()?, PrivateKeySigner::random());
    let nonce = node.get_transaction_count(account.address()).await?;
    let (first, second) =
        (transfer(&node, &account, nonce).await?, transfer(&node, &account, nonce + 1).await?);
    let hash = keccak256(keccak256(&first));
    let head = node.get_block_number().await?;

    let call = EthCallBundle {
        txs: vec![first.clone()],
        block_number: head + 1,
        state_block_number: BlockNumberOrTag::Latest,
        ..EthCallBundle::default()
    };
    let called = relay.call_bundle(call).with_auth(auth.clone()).await?.ok_or("no answer to a call")?;
    holds("a call", called.total_gas_used == 21_000 && called.bundle_hash == hash, &called)?;
    holds("its tip", called.coinbase_diff == U256::from(21_000 * GWEI), &called)?;
    let part = BundleItem::Tx { tx: first.clone(), can_revert: false };
    let tree = MevSendBundle::new(head + 1, None, ProtocolVersion::V0_1, vec![part]);
    let simulated =
        relay.sim_mev_bundle(tree).with_auth(auth.clone()).await?.ok_or("no answer for a tree")?;
    holds("a tree", simulated.success && simulated.gas_used == 21_000, &simulated)?;

    // One that waits, is there, is cancelled. The library takes null alone for an answer to a cancel, and no builder gives that.
    let far = EthSendBundle {
        txs: vec![first.clone()],
        block_number: head + 60,
        replacement_uuid: Some(NAME.to_owned()),
        ..EthSendBundle::default()
    };
    let taken = relay.send_bundle(far).with_auth(auth.clone()).await?.ok_or("no answer to a bundle")?;
    holds("a bundle's hash", taken.bundle_hash == hash, &taken)?;
    let cancelled = relay.cancel_bundle(NAME.to_owned()).with_auth(auth.clone()).await;
    let status = status(&relay, hash, &auth).await?;
    holds("a cancel", status[0]["status"] == "cancelled", (&status, cancelled))?;

    // A private transaction that lands, and is too late to be taken back.
    for raw in [first, second] {
        let private = EthSendPrivateTransaction {
            tx: raw.clone(),
            max_block_number: None,
            preferences: Default::default(),
        };
        let sent = relay.send_private_transaction(private).with_auth(auth.clone()).await?;
        holds("a private transaction", sent == Some(keccak256(&raw)), sent)?;
        landed(&node, keccak256(&raw)).await?;
        let ended = relay.cancel_private_transaction(keccak256(&raw)).with_auth(auth.clone()).await;
        holds("a cancel of what is there", ended.is_ok(), ended)?;
    }
    println!("all agree");
    Ok(())
}

async fn transfer(node: &DynProvider, from: &PrivateKeySigner, nonce: u64) -> Result<Bytes, Box<dyn Error>> {
    let request = TransactionRequest::default()
        .with_to(from.address())
        .with_value(U256::from(1))
        .with_nonce(nonce)
        .with_gas_limit(21_000)
        .with_chain_id(node.get_chain_id().await?)
        .with_max_fee_per_gas(20 * GWEI)
        .with_max_priority_fee_per_gas(GWEI);
    Ok(request.build(&EthereumWallet::from(from.clone())).await?.encoded_2718().into())
}

async fn status(relay: &DynProvider, hash: B256, auth: &PrivateKeySigner) -> Result<Value, Box<dyn Error>> {
    let asked = relay.client().request("maidenlane_bundleStatus", (json!({ "bundleHash": hash }),));
    Ok(MevBuilder::<_, Value>::new_rpc(asked).with_auth(auth.clone()).await?)
}

async fn landed(node: &DynProvider, hash: TxHash) -> Result<(), Box<dyn Error>> {
    let end = Instant::now() + SOON;
    while Instant::now() < end {
        if node.get_transaction_receipt(hash).await?.is_some() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(format!("no receipt of {hash} within {SOON:?}").into())
}

//! Parts that stand still: blocks and their contents, calls on them, the node.

use crate::Network;
use crate::asked::Asked;
use alloy::consensus::BlockHeader as _;
use alloy::eips::BlockId;
use alloy::network::TransactionBuilder as _;
use alloy::primitives::{Address, B256, Bytes, TxKind, U256, bytes};
use alloy::providers::Provider as _;
use alloy::providers::ext::{DebugApi as _, NetApi as _};
use alloy::rpc::types::simulate::{SimBlock, SimulatePayload};
use alloy::rpc::types::state::{AccountOverride, StateOverride};
use alloy::rpc::types::trace::geth::{
    CallConfig, GethDebugBuiltInTracerType, GethDebugTracingCallOptions, GethDebugTracingOptions,
    PreStateConfig,
};
use alloy::rpc::types::{Filter, StorageValuesRequest, TransactionRequest};

/// Nobody has it.
const WORD: B256 = B256::repeat_byte(0x44);
/// Reverts with one byte of data.
const REVERTS: Bytes = bytes!("60aa60005360016000fd");

/// Every block of the beginning, with all that it holds.
pub(crate) async fn blocks(asked: &mut Asked, network: &Network) -> Result<(), String> {
    for number in 0..network.block.saturating_add(1).min(8) {
        let at = BlockId::number(number);
        let block = asked.known("block", |side| async move { side.get_block(at).full().await }).await?;
        let hash = block.header.hash;
        asked.both("block by hash", |side| async move { side.get_block_by_hash(hash).await }).await;
        asked.both("receipts", |side| async move { side.get_block_receipts(at).await }).await;
        asked
            .both(
                "count",
                |side| async move { side.get_block_transaction_count_by_number(number.into()).await },
            )
            .await;
        asked.both("uncles", |side| async move { side.get_uncle_count(hash.into()).await }).await;
        asked.both("raw block", |side| async move { side.debug_get_raw_block(at).await }).await;
        state(asked, network, at).await;
        if block.header.number() == 0 {
            continue;
        }
        let traced = GethDebugTracingOptions::call_tracer(CallConfig::default().with_log());
        asked
            .both("traced block", |side| {
                let traced = traced.clone();
                async move { side.debug_trace_block_by_number(number.into(), traced).await }
            })
            .await;
        for hash in block.transactions.hashes().take(3) {
            transaction(asked, hash).await;
        }
    }
    Ok(())
}

async fn state(asked: &mut Asked, network: &Network, at: BlockId) {
    let (contract, account) = (network.contract, network.account.address());
    asked.both("balance", |side| async move { side.get_balance(account).block_id(at).await }).await;
    asked.both("nonce", |side| async move { side.get_transaction_count(account).block_id(at).await }).await;
    asked.both("code", |side| async move { side.get_code_at(contract).block_id(at).await }).await;
    asked
        .both("slot", |side| async move { side.get_storage_at(contract, U256::ZERO).block_id(at).await })
        .await;
    let call = to(contract);
    asked
        .both("call", |side| {
            let call = call.clone();
            async move { side.call(call).block(at).await }
        })
        .await;
}

async fn transaction(asked: &mut Asked, hash: B256) {
    asked.both("transaction", |side| async move { side.get_transaction_by_hash(hash).await }).await;
    asked.both("receipt", |side| async move { side.get_transaction_receipt(hash).await }).await;
    asked.both("raw transaction", |side| async move { side.get_raw_transaction_by_hash(hash).await }).await;
    for options in [
        GethDebugTracingOptions::default(),
        GethDebugTracingOptions::prestate_tracer(PreStateConfig {
            diff_mode: Some(true),
            ..PreStateConfig::default()
        }),
        GethDebugTracingOptions::new_tracer(GethDebugBuiltInTracerType::FourByteTracer),
        GethDebugTracingOptions::new_tracer(GethDebugBuiltInTracerType::FlatCallTracer),
    ] {
        asked
            .both("traced", |side| {
                let options = options.clone();
                async move { side.debug_trace_transaction(hash, options).await }
            })
            .await;
    }
}

/// Calls, searches, and what is not there.
pub(crate) async fn calls(asked: &mut Asked, network: &Network) -> Result<(), String> {
    let (contract, at) = (network.contract, BlockId::number(network.block));
    let call = to(contract).with_from(network.account.address());
    let filter = Filter::new().address(contract).from_block(0).to_block(network.block);
    let all = filter.clone();
    let logs = asked
        .both("logs", move |side| {
            let all = all.clone();
            async move { side.get_logs(&all).await }
        })
        .await;
    let log = logs.and_then(|logs| logs.first().cloned()).ok_or("the contract has no logs")?;
    let one = filter.clone().event_signature(log.topics().first().copied().unwrap_or_default());
    asked
        .both("logs of a topic", move |side| {
            let one = one.clone();
            async move { side.get_logs(&one).await }
        })
        .await;
    let block = Filter::new().at_block_hash(log.block_hash.unwrap_or_default());
    asked
        .both("logs of a block", move |side| {
            let block = block.clone();
            async move { side.get_logs(&block).await }
        })
        .await;

    for call in [
        call.clone(),
        call.clone().with_kind(TxKind::Create).with_input(REVERTS),
        to(Address::ZERO).with_from(network.account.address()),
    ] {
        let call = &call;
        asked.both("called", |side| async move { side.call(call.clone()).block(at).await }).await;
        asked.both("gas", |side| async move { side.estimate_gas(call.clone()).block(at).await }).await;
        asked
            .both("access list", |side| async move { side.create_access_list(call).block_id(at).await })
            .await;
        let options =
            GethDebugTracingCallOptions::new(GethDebugTracingOptions::call_tracer(CallConfig::default()));
        asked
            .both("traced call", |side| {
                let options = options.clone();
                async move { side.debug_trace_call(call.clone(), at, options).await }
            })
            .await;
    }
    let reverting = AccountOverride { code: Some(REVERTS), ..AccountOverride::default() };
    let overrides: StateOverride = [(contract, reverting)].into_iter().collect();
    let overridden = &call;
    asked
        .both("overridden", |side| {
            let overrides = overrides.clone();
            async move { side.call(overridden.clone()).overrides(overrides).block(at).await }
        })
        .await;
    let payload =
        SimulatePayload::default().extend(SimBlock::default().call(call.clone())).with_trace_transfers();
    let payload = &payload;
    // The blocks have other hashes: without a trie a replica cannot tell their state roots.
    asked
        .both("simulated", |side| async move {
            let mut blocks = side.simulate(payload).block_id(at).await?;
            let calls = blocks.iter_mut().map(|block| std::mem::take(&mut block.calls));
            let mut calls: Vec<_> = calls.flatten().collect();
            calls.iter_mut().flat_map(|call| &mut call.logs).for_each(|log| log.block_hash = None);
            Ok(calls)
        })
        .await;
    let last = network.block.into();
    asked.both("fees", |side| async move { side.get_fee_history(4, last, &[10.0, 90.0]).await }).await;
    asked.both("no transaction", |side| async move { side.get_transaction_by_hash(WORD).await }).await;
    asked.both("no receipt", |side| async move { side.get_transaction_receipt(WORD).await }).await;
    asked.both("no block", |side| async move { side.get_block_by_hash(WORD).await }).await;
    asked
        .both("no state", |side| async move { side.get_balance(contract).block_id(WORD.into()).await })
        .await;
    asked
        .both("storage", |side| async move {
            let slots = StorageValuesRequest::new().with_keys(contract, vec![B256::ZERO, WORD]);
            side.get_storage_values(slots).block_id(at).await
        })
        .await;
    Ok(())
}

/// Answers about the node itself are geth's, but for the tip that the replica suggests: blocks here are nearly empty.
pub(crate) async fn node(asked: &mut Asked) {
    asked.both("chain", |side| async move { side.get_chain_id().await }).await;
    asked.both("network", |side| async move { side.get_net_version().await }).await;
    asked.both("listening", |side| async move { side.net_listening().await }).await;
    asked.both("hash", |side| async move { side.get_sha3(b"maidenlane").await }).await;
    asked.both("blob fee", |side| async move { side.get_blob_base_fee().await }).await;
    asked.both("syncing", |side| async move { side.syncing().await }).await;
}

/// A call that logs and stores.
fn to(contract: Address) -> TransactionRequest {
    TransactionRequest::default().with_to(contract).with_input(WORD)
}

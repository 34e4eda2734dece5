//! Execution of blocks, one after another, on a state in memory.

use crate::chain::{State, Stored};
use alloy::consensus::{Eip658Value, Header, Receipt, ReceiptEnvelope, Transaction as _, TxType};
use alloy::eips::eip2718::Encodable2718 as _;
use alloy::genesis::Genesis;
use alloy::primitives::{Address, B256, Bytes, TxKind, U256, address, keccak256};
use alloy::rlp::{self, Decodable as _, Encodable as _};
use maidenlane_chain::{Block, Rules, Transaction};
use maidenlane_evm::rules::EvmRules as _;
use maidenlane_state::Account;
use revm::context::result::ExecutionResult;
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::context_interface::either::Either;
use revm::database::{CacheDB, EmptyDB};
use revm::handler::{MainBuilder as _, MainContext as _, SystemCallCommitEvm as _};
use revm::primitives::hardfork::SpecId;
use revm::{Context, ExecuteCommitEvm as _};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The state while blocks are executed.
pub(crate) type Db = CacheDB<EmptyDB>;

/// Block 0, with its state in `db`.
pub(crate) fn first(genesis: &Genesis, db: &mut Db) -> Stored {
    let header = Header {
        gas_limit: genesis.gas_limit,
        difficulty: genesis.difficulty,
        nonce: genesis.nonce.into(),
        extra_data: genesis.extra_data.clone(),
        state_root: root(db),
        timestamp: genesis.timestamp,
        mix_hash: genesis.mix_hash,
        beneficiary: genesis.coinbase,
        ..Header::default()
    };
    let hash = header.hash_slow();
    db.cache.block_hashes.insert(U256::ZERO, hash);
    let header = Bytes::from(alloy::rlp::encode(&header));
    let empty = Bytes::from_static(&[0xc2, 0xc0, 0xc0]);
    Stored {
        hash,
        header,
        body: empty,
        receipts: Bytes::from_static(&[0xc0]),
        state: state(db),
        nodes: OnceLock::new(),
    }
}

/// Executes the next block of `rest` and checks it against its header.
pub(crate) fn next(rules: &Rules, db: &mut Db, parent: B256, rest: &mut &[u8]) -> Stored {
    let mut inner = *rest;
    let list = rlp::Header::decode(&mut inner).expect("a block");
    let (payload, after) = inner.split_at(list.payload_length);
    *rest = after;
    let mut items = payload;
    let header = Header::decode(&mut items).expect("a header");
    let header_bytes = &payload[..payload.len() - items.len()];
    let mut body = Vec::new();
    rlp::Header { list: true, payload_length: items.len() }.encode(&mut body);
    body.extend_from_slice(items);
    let hash = keccak256(header_bytes);
    assert_eq!(header.parent_hash, parent, "block {}", header.number);
    let block = Block::decode(hash, header_bytes, &body).expect("a block");
    let receipts = execute(rules, db, &block);
    let number = header.number;
    assert_eq!(
        alloy::consensus::proofs::calculate_receipt_root(&receipts),
        header.receipts_root,
        "block {number}"
    );
    assert_eq!(root(db), header.state_root, "state of block {number}");
    db.cache.block_hashes.insert(U256::from(number), hash);
    Stored {
        hash,
        header: Bytes::copy_from_slice(header_bytes),
        body: body.into(),
        receipts: consensus(&receipts),
        state: state(db),
        nodes: OnceLock::new(),
    }
}

/// Receipts as geth stores and sends them: typed ones as byte strings.
fn consensus(receipts: &[ReceiptEnvelope]) -> Bytes {
    let mut payload = Vec::new();
    for receipt in receipts {
        let bytes = receipt.encoded_2718();
        match receipt.tx_type() {
            TxType::Legacy => payload.extend_from_slice(&bytes),
            _ => bytes[..].encode(&mut payload),
        }
    }
    let mut out = Vec::new();
    rlp::Header { list: true, payload_length: payload.len() }.encode(&mut out);
    out.extend_from_slice(&payload);
    out.into()
}

fn execute(rules: &Rules, db: &mut Db, block: &Block) -> Vec<ReceiptEnvelope> {
    let header = &block.header;
    let spec = rules.spec(header);
    let env = rules.block_env(header);
    if let Some(beacon) = header.parent_beacon_block_root.filter(|_| header.number > 0) {
        system(db, rules, spec, &env, address!("000F3df6D732807Ef1319fB7B8bB8522d0Beac02"), beacon.into());
    }
    if spec.is_enabled_in(SpecId::PRAGUE) {
        let history = address!("0000F90827F1C53a10cb7A02335B175320002935");
        system(db, rules, spec, &env, history, header.parent_hash.into());
    }
    let mut used = 0;
    let mut receipts = Vec::new();
    for (tx, from) in block.transactions.iter().zip(block.senders()) {
        let result = {
            let mut evm = Context::mainnet()
                .with_db(&mut *db)
                .with_block(env.clone())
                .with_cfg(cfg(rules, spec))
                .build_mainnet();
            evm.transact_commit(tx_env(tx, from)).expect("the chain is valid")
        };
        settle(db, spec.is_enabled_in(SpecId::SPURIOUS_DRAGON));
        used += result.tx_gas_used();
        let post = if spec.is_enabled_in(SpecId::BYZANTIUM) {
            Eip658Value::Eip658(result.is_success())
        } else {
            Eip658Value::PostState(root(db))
        };
        let logs = match result {
            ExecutionResult::Success { logs, .. } => logs,
            _ => Vec::new(),
        };
        receipts.push(envelope(tx.tx_type(), Receipt { status: post, cumulative_gas_used: used, logs }));
    }
    finish(db, rules, spec, &env, block);
    receipts
}

fn envelope(kind: TxType, receipt: Receipt) -> ReceiptEnvelope {
    let receipt = receipt.with_bloom();
    match kind {
        TxType::Legacy => ReceiptEnvelope::Legacy(receipt),
        TxType::Eip2930 => ReceiptEnvelope::Eip2930(receipt),
        TxType::Eip1559 => ReceiptEnvelope::Eip1559(receipt),
        TxType::Eip4844 => ReceiptEnvelope::Eip4844(receipt),
        TxType::Eip7702 => ReceiptEnvelope::Eip7702(receipt),
    }
}

/// Pays rewards and withdrawals, and makes the calls for the requests of Prague.
fn finish(db: &mut Db, rules: &Rules, spec: SpecId, env: &BlockEnv, block: &Block) {
    if spec.is_enabled_in(SpecId::PRAGUE) {
        for contract in [
            address!("00000961Ef480Eb55e80D19ad83579A64c007002"),
            address!("0000BBdDc7CE488642fb579F8B00f3a590007251"),
        ] {
            system(db, rules, spec, env, contract, Bytes::new());
        }
    }
    let mut gains: BTreeMap<Address, U256> = BTreeMap::new();
    for withdrawal in block.withdrawals.iter().flatten() {
        *gains.entry(withdrawal.address).or_default() +=
            U256::from(withdrawal.amount) * U256::from(1_000_000_000u64);
    }
    if !spec.is_enabled_in(SpecId::MERGE) {
        let reward = rules.reward(block.header.number).expect("no clique");
        let uncles = U256::from(block.uncles.len());
        *gains.entry(block.header.beneficiary).or_default() += reward + reward / U256::from(32) * uncles;
        for uncle in &block.uncles {
            let share = U256::from(uncle.number + 8 - block.header.number) * reward / U256::from(8);
            *gains.entry(uncle.beneficiary).or_default() += share;
        }
    }
    for (address, gain) in gains {
        let mut info = db.load_account(address).expect("in memory").info.clone();
        info.balance += gain;
        db.insert_account_info(address, info);
        db.load_account(address).expect("in memory").account_state = revm::database::AccountState::Touched;
    }
    settle(db, spec.is_enabled_in(SpecId::SPURIOUS_DRAGON));
}

fn cfg(rules: &Rules, spec: SpecId) -> CfgEnv {
    CfgEnv::<SpecId>::default().with_spec_and_mainnet_gas_params(spec).with_chain_id(rules.chain_id())
}

fn system(db: &mut Db, rules: &Rules, spec: SpecId, env: &BlockEnv, contract: Address, data: Bytes) {
    let mut evm = Context::mainnet()
        .with_db(&mut *db)
        .with_block(env.clone())
        .with_cfg(cfg(rules, spec))
        .build_mainnet();
    let _ = evm.system_call_commit(contract, data).expect("the chain is valid");
}

fn tx_env(tx: &Transaction, caller: Address) -> TxEnv {
    TxEnv {
        tx_type: tx.tx_type().into(),
        caller,
        gas_limit: tx.gas_limit(),
        gas_price: tx.max_fee_per_gas(),
        gas_priority_fee: tx.max_priority_fee_per_gas(),
        kind: tx.to().map_or(TxKind::Create, TxKind::Call),
        value: tx.value(),
        data: tx.input().clone(),
        nonce: tx.nonce(),
        chain_id: tx.chain_id(),
        access_list: tx.access_list().cloned().unwrap_or_default(),
        blob_hashes: tx.blob_versioned_hashes().unwrap_or_default().to_vec(),
        max_fee_per_blob_gas: tx.max_fee_per_blob_gas().unwrap_or_default(),
        authorization_list: tx
            .authorization_list()
            .unwrap_or_default()
            .iter()
            .cloned()
            .map(Either::Left)
            .collect(),
    }
}

/// Removes accounts that were touched and left empty, from Spurious Dragon on; those that lay there empty before stay.
fn settle(db: &mut Db, clears: bool) {
    use revm::database::AccountState;
    for account in db.cache.accounts.values_mut() {
        account.account_state = match account.account_state {
            AccountState::NotExisting => AccountState::NotExisting,
            AccountState::Touched | AccountState::StorageCleared if clears && account.info.is_empty() => {
                AccountState::NotExisting
            }
            _ => AccountState::None,
        };
    }
}

fn existing(db: &Db) -> impl Iterator<Item = (Address, &revm::database::DbAccount)> {
    use revm::database::AccountState;
    let accounts = db.cache.accounts.iter().map(|(address, account)| (*address, account));
    accounts.filter(|(_, account)| account.account_state != AccountState::NotExisting)
}

fn state(db: &Db) -> State {
    let account = |(address, account): (Address, &revm::database::DbAccount)| {
        let info = &account.info;
        let plain = Account { nonce: info.nonce, balance: info.balance, code_hash: info.code_hash };
        let slots = account.storage.iter().filter(|(_, value)| !value.is_zero());
        let slots = slots.map(|(slot, value)| (keccak256(B256::from(*slot)), *value)).collect();
        (keccak256(address), (plain, slots))
    };
    existing(db).map(account).collect()
}

fn root(db: &Db) -> B256 {
    let account = |(address, account): (Address, &revm::database::DbAccount)| {
        let slots = account.storage.iter().filter(|(_, value)| !value.is_zero());
        let storage = slots.map(|(slot, value)| (B256::from(*slot), *value));
        let storage_root = alloy_trie::root::storage_root_unhashed(storage);
        let info = &account.info;
        let (nonce, balance, code_hash) = (info.nonce, info.balance, info.code_hash);
        (address, alloy_trie::TrieAccount { nonce, balance, storage_root, code_hash })
    };
    alloy_trie::root::state_root_unhashed(existing(db).map(account))
}

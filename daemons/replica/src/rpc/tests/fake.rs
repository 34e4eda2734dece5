//! A chain in memory, executed here from genesis: every state, block and receipt of the execution-apis fixture.
//!
//! revm runs each block, and each block's receipts root and state root must come out as its header says. So what the
//! tests read is right by the chain's own hashes, and geth is not needed to test the RPC against its answers.

mod tries;

use crate::evm::rules::Rules;
use crate::rpc::block::{Block, Transaction};
use crate::rpc::logs::query_matches;
use crate::rpc::source::{Account, At, Fitness, Head, Live, LogQuery, ReadError, Source};
use crate::trie::tests::Held;
use crate::trie::{Nodes as _, Place};
use alloy::consensus::{Eip658Value, Header, Receipt, ReceiptEnvelope, Transaction as _, TxType};
use alloy::eips::eip2718::Encodable2718 as _;
use alloy::genesis::Genesis;
use alloy::primitives::{Address, B256, Bytes, TxKind, U256, address, keccak256};
use alloy::rlp::{self, Decodable, Encodable};
use maidenlane_chain::{BlockRef, Logs};
use revm::context::result::ExecutionResult;
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::context_interface::either::Either;
use revm::database::{CacheDB, EmptyDB};
use revm::handler::{MainBuilder as _, MainContext as _, SystemCallCommitEvm as _};
use revm::primitives::hardfork::SpecId;
use revm::state::AccountInfo;
use revm::{Context, ExecuteCommitEvm as _};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use tries::{nodes, storage_trie};

type Db = CacheDB<EmptyDB>;
type State = BTreeMap<B256, (Account, BTreeMap<B256, U256>)>;

#[derive(Debug)]
struct Stored {
    hash: B256,
    header: Bytes,
    body: Bytes,
    receipts: Bytes,
    state: State,
    nodes: OnceLock<Held>,
}

/// The chain, shown as of some head.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    blocks: Arc<Vec<Stored>>,
    codes: Arc<HashMap<B256, Bytes>>,
    head: Head,
    side: Option<(BlockRef, Arc<Stored>)>,
}

/// The fixtures, if this machine has them.
pub(crate) fn fixtures() -> Option<PathBuf> {
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures");
    let dir =
        maidenlane_service::env("MAIDENLANE_FIXTURES").map_or_else(|| PathBuf::from(shared), PathBuf::from);
    let dir = dir.join("execution-apis");
    if dir.join("chain.rlp").exists() {
        return Some(dir);
    }
    eprintln!("not run: no fixtures at {}; set MAIDENLANE_FIXTURES", dir.display());
    None
}

/// The whole fixture chain, executed once per test process.
pub(crate) fn chain() -> Option<Chain> {
    static CHAIN: OnceLock<Chain> = OnceLock::new();
    let dir = fixtures()?;
    Some(CHAIN.get_or_init(|| Chain::execute(&dir)).clone())
}

impl Chain {
    fn execute(dir: &std::path::Path) -> Self {
        let genesis = std::fs::read_to_string(dir.join("genesis.json")).expect("fixture");
        let parsed: serde_json::Value = serde_json::from_str(&genesis).expect("fixture");
        let rules = Arc::new(Rules::parse(&parsed["config"].to_string()).expect("a chain config"));
        let genesis: Genesis = serde_json::from_str(&genesis).expect("fixture");
        let mut db = Db::default();
        for (address, account) in &genesis.alloc {
            let code = account.code.clone().unwrap_or_default();
            let info = AccountInfo {
                balance: account.balance,
                nonce: account.nonce.unwrap_or_default(),
                ..AccountInfo::default().with_code(revm::bytecode::Bytecode::new_raw(code))
            };
            db.insert_account_info(*address, info);
            for (slot, value) in account.storage.iter().flatten() {
                db.insert_account_storage(*address, (*slot).into(), (*value).into()).expect("in memory");
            }
        }
        let mut blocks = vec![first(&genesis, &mut db)];
        let bytes = std::fs::read(dir.join("chain.rlp")).expect("fixture");
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let parent = blocks.last().expect("genesis").hash;
            blocks.push(next(&rules, &mut db, parent, &mut rest));
        }
        let codes = db.cache.contracts.iter().map(|(hash, code)| (*hash, code.original_bytes())).collect();
        let last = blocks.last().expect("genesis");
        let block = BlockRef::new(blocks.len() as u64 - 1, last.hash);
        let header = Header::decode(&mut &last.header[..]).expect("a header");
        let head = Head {
            block,
            header: Arc::new(header),
            safe: Some(block),
            finalized: Some(block),
            state_floor: 0,
            body_floor: 0,
            proofs_floor: Some(0),
            rules,
            client_version: "Geth/test".into(),
        };
        Self { blocks: Arc::new(blocks), codes: Arc::new(codes), head, side: None }
    }

    /// The same chain with an earlier head; later blocks do not exist.
    pub(crate) fn at(&self, number: u64) -> Self {
        let stored = &self.blocks[usize::try_from(number).expect("small")];
        let mut chain = self.clone();
        chain.head.block = BlockRef::new(number, stored.hash);
        chain.head.header = Arc::new(Header::decode(&mut &stored.header[..]).expect("a header"));
        chain.head.safe = None;
        chain.head.finalized = None;
        chain
    }

    /// The same with the blocks above `number` undone, the one after it still known by its hash.
    pub(crate) fn undone_to(&self, number: u64) -> (Self, B256) {
        let mut chain = self.at(number);
        let gone = &self.blocks[usize::try_from(number + 1).expect("small")];
        let copy = Stored {
            hash: gone.hash,
            header: gone.header.clone(),
            body: gone.body.clone(),
            receipts: gone.receipts.clone(),
            state: State::default(),
            nodes: OnceLock::new(),
        };
        chain.side = Some((BlockRef::new(number + 1, gone.hash), Arc::new(copy)));
        (chain, gone.hash)
    }

    /// The same, as a replica without trie nodes has it.
    pub(crate) fn without_trie(self) -> Self {
        self.with_head(|head| head.proofs_floor = None)
    }

    /// Changes what the head says.
    pub(crate) fn with_head(mut self, change: impl FnOnce(&mut Head)) -> Self {
        change(&mut self.head);
        self
    }

    fn stored(&self, at: BlockRef) -> Option<&Stored> {
        let index = usize::try_from(at.number).ok()?;
        let canonical = self.blocks.get(index).filter(|stored| stored.hash == at.hash);
        let canonical = canonical.filter(|_| at.number <= self.head.block.number);
        canonical
            .or_else(|| self.side.as_ref().filter(|(block, _)| *block == at).map(|(_, stored)| &**stored))
    }

    fn after(&self, at: At) -> &Stored {
        let number = match at {
            At::Latest => self.head.block.number,
            At::Block(number) => number,
        };
        &self.blocks[usize::try_from(number).expect("small")]
    }

    fn state(&self, at: At) -> &State {
        &self.after(at).state
    }

    fn decoded(&self, number: u64) -> Block {
        let stored = &self.blocks[usize::try_from(number).expect("small")];
        Block::decode(stored.hash, &stored.header, &stored.body).expect("it was executed")
    }
}

impl Source for Chain {
    fn head(&self) -> &Head {
        &self.head
    }

    fn account(&self, key: B256, at: At) -> Result<Option<Account>, ReadError> {
        Ok(self.state(at).get(&key).map(|(account, _)| *account))
    }

    fn slot(&self, account: B256, key: B256, at: At) -> Result<U256, ReadError> {
        Ok(self.state(at).get(&account).and_then(|(_, slots)| slots.get(&key)).copied().unwrap_or_default())
    }

    fn accounts(
        &self,
        from: B256,
        at: At,
        told: &mut dyn FnMut(B256, maidenlane_chain::Account) -> bool,
    ) -> Result<(), ReadError> {
        for (key, (account, slots)) in self.state(at).range(from..) {
            let Account { nonce, balance, code_hash } = *account;
            let storage_root = storage_trie(*key, slots).seal(&mut |_, _| ());
            if !told(*key, maidenlane_chain::Account { nonce, balance, storage_root, code_hash }) {
                break;
            }
        }
        Ok(())
    }

    fn slots(
        &self,
        account: B256,
        from: B256,
        at: At,
        told: &mut dyn FnMut(B256, U256) -> bool,
    ) -> Result<(), ReadError> {
        let slots = self.state(at).get(&account).map(|(_, slots)| slots);
        let mut slots = slots.into_iter().flat_map(|slots| slots.range(from..));
        let _ended = slots.all(|(key, value)| told(*key, *value));
        Ok(())
    }

    /// Here nothing can be undone.
    fn changed(&self, _block: BlockRef) -> Result<Option<Vec<Address>>, ReadError> {
        Ok(None)
    }

    fn node(&self, place: &Place, at: At) -> Result<Option<Bytes>, ReadError> {
        let stored = self.after(at);
        let nodes = stored.nodes.get_or_init(|| nodes(&stored.state));
        nodes.node(place.owner, &place.path).map_err(|fault| ReadError::new("node", fault))
    }

    fn code(&self, hash: B256) -> Result<Option<Bytes>, ReadError> {
        Ok(self.codes.get(&hash).cloned())
    }

    fn hash_of(&self, number: u64) -> Result<Option<B256>, ReadError> {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let known = (number <= self.head.block.number).then(|| self.blocks.get(index)).flatten();
        Ok(known.map(|stored| stored.hash))
    }

    fn find(&self, hash: B256) -> Result<Option<(u64, bool)>, ReadError> {
        if let Some((block, _)) = self.side.as_ref().filter(|(block, _)| block.hash == hash) {
            return Ok(Some((block.number, false)));
        }
        let found = self.blocks.iter().position(|stored| stored.hash == hash).map(|index| index as u64);
        Ok(found.filter(|number| *number <= self.head.block.number).map(|number| (number, true)))
    }

    fn header(&self, at: BlockRef) -> Result<Option<Bytes>, ReadError> {
        Ok(self.stored(at).map(|stored| stored.header.clone()))
    }

    fn body(&self, at: BlockRef) -> Result<Option<Bytes>, ReadError> {
        Ok(self.stored(at).map(|stored| stored.body.clone()))
    }

    fn receipts(&self, at: BlockRef) -> Result<Option<Bytes>, ReadError> {
        Ok(self.stored(at).map(|stored| stored.receipts.clone()))
    }

    fn transaction(&self, hash: B256) -> Result<Option<(BlockRef, usize)>, ReadError> {
        for number in 0..=self.head.block.number {
            let block = self.decoded(number);
            if let Some(index) = block.transactions.iter().position(|tx| *tx.tx_hash() == hash) {
                return Ok(Some((BlockRef::new(number, block.hash), index)));
            }
        }
        Ok(None)
    }

    fn logs(&self, query: &LogQuery, told: &mut dyn FnMut(u64, &[u32]) -> bool) -> Result<(), ReadError> {
        assert!(query.is_selective(), "an index cannot answer this");
        // As an index does: without regard to how many topics a log has.
        let query = LogQuery { topics: trimmed(&query.topics), ..query.clone() };
        for number in query.from..=query.to {
            let stored = &self.blocks[usize::try_from(number).expect("small")];
            let logs = Logs::of(&stored.receipts).expect("encoded here").map(|log| log.expect("a log"));
            let wanted = (0..).zip(logs).filter(|(_, log)| query_matches(&query, log));
            let indexes: Vec<u32> = wanted.map(|(index, _)| index).collect();
            if !told(number, &indexes) {
                break;
            }
        }
        Ok(())
    }
}

/// Without the empty positions at the end.
fn trimmed(topics: &[Vec<B256>]) -> Vec<Vec<B256>> {
    let named = topics.iter().rposition(|any| !any.is_empty()).map_or(0, |last| last + 1);
    topics.iter().take(named).cloned().collect()
}

fn first(genesis: &Genesis, db: &mut Db) -> Stored {
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
fn next(rules: &Rules, db: &mut Db, parent: B256, rest: &mut &[u8]) -> Stored {
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

/// As geth stores and sends them: typed receipts as byte strings.
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

/// Rewards, withdrawals and the requests of Prague.
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

/// From Spurious Dragon on, what was touched and left empty is gone; what lay there empty before stays.
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

/// A fake chain that stands still, with a given fitness.
#[derive(Debug)]
pub(crate) struct Still {
    /// What is shown.
    pub(crate) chain: std::sync::Mutex<Arc<Chain>>,
    /// How it is.
    pub(crate) fitness: Fitness,
    /// Told of changes.
    pub(crate) changes: tokio::sync::watch::Sender<u64>,
}

impl Still {
    /// Following, at the chain's head.
    pub(crate) fn new(chain: Chain) -> Self {
        let head = chain.head.block.number;
        let fitness = Fitness { stale: None, head, expected: head, silent_ms: 10 };
        Self {
            chain: std::sync::Mutex::new(Arc::new(chain)),
            fitness,
            changes: tokio::sync::watch::Sender::new(head),
        }
    }

    /// Moves to another head.
    pub(crate) fn show(&self, chain: Chain) {
        let head = chain.head.block.number;
        *self.chain.lock().expect("no panic") = Arc::new(chain);
        let _ = self.changes.send(head);
    }
}

impl Live for Still {
    fn view(&self) -> Arc<dyn Source> {
        let chain: Arc<Chain> = Arc::clone(&self.chain.lock().expect("no panic"));
        chain
    }

    fn fitness(&self) -> Fitness {
        self.fitness.clone()
    }

    fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

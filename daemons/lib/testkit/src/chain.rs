//! A chain in memory, executed here from genesis: every state, block and receipt of the execution-apis fixture.
//!
//! revm runs each block, and each block's receipts root and state root must come out as its header says. So what the
//! tests read is right by the chain's own hashes, and geth is not needed to test the RPC against its answers.

use crate::execution::{Db, first, next};
use crate::tries::{nodes, storage_trie};
use alloy::consensus::{Header, Transaction as TransactionTrait};
use alloy::eips::eip2935::HISTORY_STORAGE_ADDRESS;
use alloy::genesis::Genesis;
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::rlp::Decodable as _;
use maidenlane_chain::{Block, BlockRef, Logs, Rules};
use maidenlane_state::trie::{NodeKey, Nodes as _};
use maidenlane_state::{Account, At, Before, Head, LogQuery, ReadError, StateView};
use revm::state::AccountInfo;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Accounts and their slots, by their keys.
pub(crate) type State = BTreeMap<B256, (Account, BTreeMap<B256, U256>)>;

/// One executed block, and the state after it.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) hash: B256,
    pub(crate) header: Bytes,
    pub(crate) body: Bytes,
    pub(crate) receipts: Bytes,
    pub(crate) state: State,
    pub(crate) nodes: OnceLock<BTreeMap<NodeKey, Bytes>>,
}

/// The chain, shown as of some head.
#[derive(Clone, Debug)]
pub struct Chain {
    blocks: Arc<Vec<Stored>>,
    codes: Arc<HashMap<B256, Bytes>>,
    head: Head,
    side: Option<(BlockRef, Arc<Stored>)>,
    told: Option<Vec<Address>>,
}

/// Directory of the fixtures, if this machine has them.
pub fn fixtures() -> Option<PathBuf> {
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/fixtures");
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
pub fn chain() -> Option<Chain> {
    static CHAIN: OnceLock<Chain> = OnceLock::new();
    let dir = fixtures()?;
    Some(CHAIN.get_or_init(|| Chain::execute(&dir)).clone())
}

impl Chain {
    /// A chain of a genesis alone.
    ///
    /// # Panics
    /// The text is none.
    #[must_use]
    pub fn genesis(text: &str) -> Self {
        let (rules, db, first) = Self::begin(text);
        Self::of(rules, &db, vec![first])
    }

    fn execute(dir: &std::path::Path) -> Self {
        let genesis = std::fs::read_to_string(dir.join("genesis.json")).expect("fixture");
        let (rules, mut db, first) = Self::begin(&genesis);
        let mut blocks = vec![first];
        let bytes = std::fs::read(dir.join("chain.rlp")).expect("fixture");
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let parent = blocks.last().expect("genesis").hash;
            blocks.push(next(&rules, &mut db, parent, &mut rest));
        }
        Self::of(rules, &db, blocks)
    }

    /// Rules of a genesis, its state, and its block.
    fn begin(genesis: &str) -> (Arc<Rules>, Db, Stored) {
        let parsed: serde_json::Value = serde_json::from_str(genesis).expect("fixture");
        let rules = Arc::new(Rules::parse(&parsed["config"].to_string()).expect("a chain config"));
        let genesis: Genesis = serde_json::from_str(genesis).expect("fixture");
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
        let first = first(&genesis, &mut db);
        (rules, db, first)
    }

    fn of(rules: Arc<Rules>, db: &Db, blocks: Vec<Stored>) -> Self {
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
            network_id: None,
        };
        Self { blocks: Arc::new(blocks), codes: Arc::new(codes), head, side: None, told: None }
    }

    /// The same chain with an earlier head; later blocks do not exist.
    pub fn at(&self, number: u64) -> Self {
        let stored = &self.blocks[usize::try_from(number).expect("small")];
        let mut chain = self.clone();
        chain.head.block = BlockRef::new(number, stored.hash);
        chain.head.header = Arc::new(Header::decode(&mut &stored.header[..]).expect("a header"));
        chain.head.safe = None;
        chain.head.finalized = None;
        chain
    }

    /// The chain with the blocks above `number` undone, the one after it still known by its hash.
    pub fn undone_to(&self, number: u64) -> (Self, B256) {
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

    /// The chain as a replica without trie nodes has it.
    pub fn without_trie(self) -> Self {
        self.with_head(|head| head.proofs_floor = None)
    }

    /// The chain as a feed tells it that has these senders for every block.
    pub fn sent_by(self, told: Vec<Address>) -> Self {
        Self { told: Some(told), ..self }
    }

    /// Changes the fields of the head.
    pub fn with_head(mut self, change: impl FnOnce(&mut Head)) -> Self {
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

    /// A block of the chain.
    pub fn decoded(&self, number: u64) -> Block {
        let stored = &self.blocks[usize::try_from(number).expect("small")];
        Block::decode(stored.hash, &stored.header, &stored.body).expect("it was executed")
    }
}

impl StateView for Chain {
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
        visit: &mut dyn FnMut(B256, maidenlane_chain::Account) -> bool,
    ) -> Result<(), ReadError> {
        for (key, (account, slots)) in self.state(at).range(from..) {
            let Account { nonce, balance, code_hash } = *account;
            let storage_root = storage_trie(*key, slots).seal(&mut |_, _| ());
            if !visit(*key, maidenlane_chain::Account { nonce, balance, storage_root, code_hash }) {
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
        visit: &mut dyn FnMut(B256, U256) -> bool,
    ) -> Result<(), ReadError> {
        let slots = self.state(at).get(&account).map(|(_, slots)| slots);
        let mut slots = slots.into_iter().flat_map(|slots| slots.range(from..));
        let _ended = slots.all(|(key, value)| visit(*key, *value));
        Ok(())
    }

    /// Parties of the block's transactions, and the slot of the history contract; nothing of early blocks, as where
    /// changes are no longer kept.
    fn before(&self, block: BlockRef) -> Result<Option<Before>, ReadError> {
        const KEPT_FROM: u64 = 10;
        let Some(parent) = block.number.checked_sub(1).filter(|_| block.number >= KEPT_FROM) else {
            return Ok(None);
        };
        let (decoded, history) = (self.decoded(block.number), HISTORY_STORAGE_ADDRESS);
        let parties = decoded.transactions.iter().filter_map(TransactionTrait::to).chain(decoded.senders());
        let parties: BTreeSet<Address> = parties.chain([decoded.header.beneficiary]).collect();
        let then = |address: Address| Ok((address, self.account(keccak256(address), At::Block(parent))?));
        let accounts = parties.into_iter().map(then).collect::<Result<_, ReadError>>()?;
        let number = U256::from(parent);
        let value = self.slot(keccak256(history), keccak256(B256::from(number)), At::Block(parent))?;
        Ok(Some(Before { accounts, slots: vec![(history, number, value)] }))
    }

    fn node(&self, place: &NodeKey, at: At) -> Result<Option<Bytes>, ReadError> {
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

    fn senders(&self, at: BlockRef) -> Result<Option<Vec<Address>>, ReadError> {
        if self.told.is_some() {
            return Ok(self.told.clone());
        }
        // Told of every other block, so that both ways to know them are asked.
        let told = self.stored(at).filter(|_| at.number.is_multiple_of(2));
        let decoded = |stored: &Stored| Block::decode(stored.hash, &stored.header, &stored.body);
        Ok(told.map(|stored| decoded(stored).expect("it was executed").senders().collect()))
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

    fn logs(&self, query: &LogQuery, visit: &mut dyn FnMut(u64, &[u32]) -> bool) -> Result<(), ReadError> {
        assert!(query.is_selective(), "an index cannot answer this");
        // As an index does: without regard to how many topics a log has.
        let query = LogQuery { topics: trimmed(&query.topics), ..query.clone() };
        for number in query.from..=query.to {
            let stored = &self.blocks[usize::try_from(number).expect("small")];
            let logs = Logs::of(&stored.receipts).expect("encoded here").map(|log| log.expect("a log"));
            let wanted = (0..).zip(logs).filter(|(_, log)| query.matches(log));
            let indexes: Vec<u32> = wanted.map(|(index, _)| index).collect();
            if !visit(number, &indexes) {
                break;
            }
        }
        Ok(())
    }
}

/// Topics without the empty positions at the end.
fn trimmed(topics: &[Vec<B256>]) -> Vec<Vec<B256>> {
    let named = topics.iter().rposition(|any| !any.is_empty()).map_or(0, |last| last + 1);
    topics.iter().take(named).cloned().collect()
}

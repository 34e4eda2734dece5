//! Random chains with a model of everything a replica must know of them, and feeds of them.

use alloy::consensus::{Eip658Value, Header, Receipt, ReceiptEnvelope, SignableTransaction as _, TxLegacy};
use alloy::eips::Encodable2718 as _;
use alloy::primitives::{Log, LogData, Signature, TxKind};
use alloy::rlp;
use fastrand::Rng;
use maidenlane_chain::transaction::{Transaction, sender};
use maidenlane_chain::{Account, Address, B256, BlockRef, Bytes, U256, keccak256};
use maidenlane_state::trie::{NodeKey, whole};
use maidenlane_wire::record::{Advance, Final, Genesis, Heartbeat, Open, Record, Stamp, Start, Undo};
use maidenlane_wire::rows::{AccountRow, CodeRow, Rows, SlotRow, StorageRows};
use maidenlane_wire::{NodeRow, NodeSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Chain id of all tests.
pub const CHAIN_ID: u64 = 1337;
const ADDRESSES: u8 = 4;
const SLOTS: u8 = 3;

/// All addresses that ever occur.
pub fn addresses() -> impl Iterator<Item = Address> {
    (1..=ADDRESSES).map(Address::repeat_byte)
}

/// All plain slots that ever occur.
pub fn slots() -> impl Iterator<Item = B256> {
    (1..=SLOTS).map(B256::with_last_byte)
}

/// A log with its place.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Number of its block.
    pub block: u64,
    /// Index in its block.
    pub index: usize,
    /// Emitter.
    pub address: Address,
    /// Topics.
    pub topics: Vec<B256>,
}

/// A block, and the world after it.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// Number and hash.
    pub at: BlockRef,
    /// Hash of the parent.
    pub parent: B256,
    /// RLP of the header.
    pub header: Bytes,
    body: Bytes,
    receipts: Bytes,
    hashes: Vec<B256>,
    senders: Vec<Address>,
    /// Changes of state, as ADVANCE has them.
    pub rows: Rows,
    /// Changes of trie nodes.
    pub set: Vec<NodeRow>,
    /// All trie nodes after it.
    pub nodes: BTreeMap<NodeKey, Bytes>,
    /// All accounts after it.
    pub accounts: BTreeMap<Address, Account>,
    /// All slots after it.
    pub slots: BTreeMap<(Address, B256), U256>,
    /// Block and index of every transaction up to it.
    pub transactions: BTreeMap<B256, (u64, usize)>,
    /// Every log up to it.
    pub logs: Vec<Logged>,
}

/// A transaction of the chains here. Nobody's key has signed it, but whatever is a signature has a signer.
pub fn transfer(nonce: u64) -> Transaction {
    let tx = TxLegacy { nonce, gas_limit: 21_000, to: TxKind::Call(Address::ZERO), ..TxLegacy::default() };
    Transaction::Legacy(tx.into_signed(Signature::test_signature()))
}

fn trimmed(value: U256) -> Option<Bytes> {
    (!value.is_zero()).then(|| Bytes::from(value.to_be_bytes_trimmed_vec()))
}

impl Block {
    /// Block 0 with some accounts and slots.
    pub fn genesis() -> Self {
        let mut block = Self::default();
        block.change_state(&mut Rng::with_seed(0));
        block.seal(0);
        block
    }

    /// A child of `self`, another one for each seed.
    pub fn child(&self, seed: u8) -> Self {
        let number = self.at.number + 1;
        let mut random = Rng::with_seed(number << 8 | u64::from(seed));
        let mut block = Self {
            at: BlockRef::new(number, B256::ZERO),
            parent: self.at.hash,
            accounts: self.accounts.clone(),
            slots: self.slots.clone(),
            nodes: self.nodes.clone(),
            transactions: self.transactions.clone(),
            logs: self.logs.clone(),
            ..Self::default()
        };
        block.change_state(&mut random);
        block.transact(&mut random);
        block.seal(seed);
        block
    }

    fn change_state(&mut self, random: &mut Rng) {
        let before = self.clone();
        for address in addresses().filter(|_| random.u8(..2) == 0).collect::<Vec<_>>() {
            if random.u8(..4) == 0 {
                self.accounts.remove(&address);
            } else {
                let nonce = u64::from(random.u8(..3));
                let account = Account { nonce, balance: U256::from(random.u8(..3)), ..Account::default() };
                self.accounts.insert(address, account);
            }
        }
        for address in addresses() {
            for slot in slots().filter(|_| random.u8(..3) == 0).collect::<Vec<_>>() {
                let value = U256::from(random.u8(..3)) << usize::from(random.u8(..2) * 100);
                self.slots.insert((address, slot), value);
            }
        }
        // Storage is that of an account.
        self.slots.retain(|(address, _), value| !value.is_zero() && self.accounts.contains_key(address));
        for (address, account) in &mut self.accounts {
            let slots = self.slots.iter().filter(|((owner, _), _)| owner == address);
            let slots = slots.map(|((_, slot), value)| (*slot, *value));
            account.storage_root = alloy_trie::root::storage_root_unhashed(slots);
        }
        self.rows = self.rows_since(&before);
        if random.u8(..3) == 0 {
            let code = Bytes::from(vec![0x60, random.u8(..200)]);
            self.rows.codes.push(CodeRow { hash: keccak256(&code), code });
        }
        let whole = Self::default();
        self.nodes = whole::whole(&self.rows_since(&whole), self.root()).unwrap().into_iter().collect();
        self.set = self.set_since(&before);
    }

    /// State root, by another implementation than the one that is tested.
    fn root(&self) -> B256 {
        let accounts = self.accounts.iter().map(|(address, account)| (*address, account.trie()));
        alloy_trie::root::state_root_unhashed(accounts)
    }

    fn rows_since(&self, before: &Self) -> Rows {
        let mut rows = Rows::default();
        for address in addresses() {
            let slim = |block: &Self| block.accounts.get(&address).map(Account::encode_slim);
            let (before_slim, after) = (slim(before), slim(self));
            if before_slim != after {
                rows.accounts.push(AccountRow { address, before: before_slim, after });
            }
            let value = |block: &Self, slot| block.slots.get(&(address, slot)).copied().and_then(trimmed);
            let row = |slot| SlotRow {
                key: keccak256(slot),
                plain: Some(slot),
                before: value(before, slot),
                after: value(self, slot),
            };
            let mut changed: Vec<_> = slots().map(row).filter(|row| row.before != row.after).collect();
            changed.sort_by_key(|row| row.key);
            if !changed.is_empty() {
                rows.storage.push(StorageRows { address, slots: changed });
            }
        }
        rows
    }

    fn set_since(&self, before: &Self) -> Vec<NodeRow> {
        let places: BTreeSet<_> = self.nodes.keys().chain(before.nodes.keys()).collect();
        let row = |place: &&NodeKey| NodeRow {
            owner: place.owner,
            path: place.path.to_vec().into(),
            before: before.nodes.get(*place).cloned(),
            after: self.nodes.get(*place).cloned(),
        };
        places.iter().map(row).filter(|row| row.before != row.after).collect()
    }

    /// The trie nodes that it changed.
    pub fn node_set(&self) -> NodeSet {
        NodeSet { block: self.at, parent: self.parent, nodes: self.set.clone() }
    }

    /// Transactions of a pool that neighbouring blocks share, so that a reorg moves them to other places.
    fn transact(&mut self, random: &mut Rng) {
        let pool = (self.at.number / 2 * 4)..(self.at.number / 2 * 4 + 6);
        let (mut raw, mut receipts, mut gas) = (Vec::new(), Vec::new(), 0);
        let first = self.logs.len();
        for transaction in pool.filter(|_| random.u8(..3) == 0).collect::<Vec<_>>() {
            let signed = transfer(transaction);
            let (bytes, hash) = (signed.encoded_2718(), *signed.tx_hash());
            if self.transactions.contains_key(&hash) {
                continue;
            }
            self.transactions.insert(hash, (self.at.number, self.hashes.len()));
            self.hashes.push(hash);
            self.senders.push(sender(&signed));
            raw.extend_from_slice(&bytes);
            let mut logs = Vec::new();
            for _ in 0..random.u8(..4) {
                let address = Address::repeat_byte(1 + random.u8(..ADDRESSES));
                let topics: Vec<_> = (0..random.u8(..5)).map(|_| B256::repeat_byte(random.u8(..3))).collect();
                logs.push(Log {
                    address,
                    data: LogData::new_unchecked(topics.clone(), Bytes::from_static(b"x")),
                });
                self.logs.push(Logged {
                    block: self.at.number,
                    index: self.logs.len() - first,
                    address,
                    topics,
                });
            }
            gas += 21_000;
            let receipt = Receipt { status: Eip658Value::Eip658(true), cumulative_gas_used: gas, logs };
            receipts.push(match random.u8(..2) {
                0 => ReceiptEnvelope::Legacy(receipt.with_bloom()),
                _ => ReceiptEnvelope::Eip1559(receipt.with_bloom()),
            });
        }
        self.receipts = rlp::encode(&receipts).into();
        self.body = list(&[&list(&[&raw]), &[0xc0], &[0xc0]]).into();
    }

    fn seal(&mut self, seed: u8) {
        if self.body.is_empty() {
            self.body = Bytes::from_static(&[0xc3, 0xc0, 0xc0, 0xc0]);
        }
        let header = Header {
            parent_hash: self.parent,
            number: self.at.number,
            timestamp: 12 * self.at.number,
            extra_data: Bytes::from(vec![seed]),
            state_root: self.root(),
            ..Header::default()
        };
        self.header = rlp::encode(&header).into();
        self.at.hash = keccak256(&self.header);
    }

    /// ADVANCE of the block.
    pub fn advance(&self) -> Record {
        Record::Advance(Advance {
            block: self.at,
            parent: self.parent,
            header: self.header.clone(),
            body: self.body.clone(),
            receipts: self.receipts.clone(),
            rows: self.rows.clone(),
            proofs: Some(self.node_set().digest()),
            senders: self.told_senders(),
        })
    }

    /// Senders as far as its ADVANCE tells them: that of every other block is of the first schema.
    pub fn told_senders(&self) -> Option<Vec<Address>> {
        (!self.at.number.is_multiple_of(2)).then(|| self.senders.clone())
    }

    /// UNDO of the block.
    pub fn undo(&self) -> Record {
        Record::Undo(Undo {
            block: self.at,
            parent: self.parent,
            header: self.header.clone(),
            transactions: self.hashes.clone(),
            receipts: self.receipts.clone(),
            rows: self.rows.reversed(),
        })
    }
}

fn list(items: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    let payload_length = items.iter().map(|item| item.len()).sum();
    rlp::Header { list: true, payload_length }.encode(&mut out);
    out.extend(items.concat());
    out
}

/// A canonical chain, from genesis on.
pub type Chain = Vec<Arc<Block>>;

/// A move of a master.
#[derive(Clone, Debug)]
pub enum Move {
    /// A child comes.
    Grow(u8),
    /// So many blocks leave (but genesis), and children with these seeds come.
    Reorg(usize, Vec<u8>),
    /// Another writer takes over.
    Open,
    /// A heartbeat is sent.
    Heartbeat,
    /// The head this many blocks back is final.
    Final(usize),
    /// The last entry is sent once more.
    Again,
}

/// Feed that writes entries, and knows the canonical chain after each of them.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Stamp of the next record.
    pub stamp: Stamp,
    /// The canonical chain now.
    pub chain: Chain,
    /// Entries so far, each with the chain that holds after it.
    pub entries: Vec<(Vec<u8>, Chain)>,
    /// Entries of trie nodes, each with the number of entries of the feed before it.
    pub sets: Vec<(usize, Vec<u8>)>,
}

impl Feed {
    /// A feed with OPEN.
    fn opened(genesis: B256) -> Self {
        let stamp = Stamp { feed: [1; 16], epoch: 0, writer: [0; 16], seq: 0, finalized: 0, more: false };
        let mut feed = Self { stamp, chain: Vec::new(), entries: Vec::new(), sets: Vec::new() };
        feed.open(CHAIN_ID, genesis);
        feed
    }

    /// A feed with OPEN and START at `base`.
    pub fn starting(base: Block) -> Self {
        let mut feed = Self::opened(Block::genesis().at.hash);
        let start = Start { block: base.at, header: base.header.clone(), ancestors: Vec::new() };
        feed.chain.push(Arc::new(base));
        feed.put(Record::Start(start), false);
        feed
    }

    /// A feed with OPEN and GENESIS.
    pub fn from_genesis() -> Self {
        let genesis = Block::genesis();
        let mut feed = Self::opened(genesis.at.hash);
        let record = Genesis {
            block: genesis.at,
            header: genesis.header.clone(),
            body: genesis.body.clone(),
            rows: genesis.rows.clone(),
        };
        feed.chain.push(Arc::new(genesis));
        feed.put(Record::Genesis(record), false);
        feed
    }

    /// A new feed in which nothing but `chain` ever happened.
    pub fn straight(chain: &Chain) -> Self {
        let mut feed = Self::from_genesis();
        for block in chain.iter().skip(1) {
            feed.come(Arc::clone(block), false);
        }
        feed
    }

    /// Drops all but the first `end` entries.
    pub fn cut(&mut self, end: usize) {
        self.chain = self.entries[end - 1].1.clone();
        self.entries.truncate(end);
        self.sets.retain(|(at, _)| *at < end);
    }

    /// Appends a record, in parts if it is large.
    pub fn put(&mut self, record: Record, more: bool) {
        let stamp = Stamp { more, ..self.stamp };
        let (entries, next) = maidenlane_wire::parts::entries(stamp, record).unwrap();
        self.stamp.seq = next;
        self.entries.extend(entries.into_iter().map(|entry| (entry, self.chain.clone())));
    }

    /// Appends OPEN by another writer, of the next epoch.
    pub fn open(&mut self, chain_id: u64, genesis: B256) {
        let epoch = self.stamp.epoch + 1;
        let writer = keccak256(epoch.to_be_bytes())[..16].try_into().unwrap();
        self.stamp = Stamp { epoch, writer, seq: 0, ..self.stamp };
        let (chain_config, client_version) = ("{}".to_owned(), format!("writer {epoch}"));
        // Of both schemas: a tap of either version may have written.
        let network_id = epoch.is_multiple_of(2).then_some(crate::geth::NETWORK_ID);
        self.put(Record::Open(Open { chain_id, genesis, chain_config, client_version, network_id }), false);
    }

    /// The newest block.
    pub fn tip(&self) -> &Block {
        self.chain.last().unwrap()
    }

    fn grow(&mut self, seed: u8, more: bool) {
        self.come(Arc::new(self.tip().child(seed)), more);
    }

    /// Appends a block, its trie nodes before it.
    pub fn come(&mut self, block: Arc<Block>, more: bool) {
        let (_, entries) = block.node_set().entries().unwrap();
        self.sets.extend(entries.into_iter().map(|entry| (self.entries.len(), entry)));
        self.chain.push(Arc::clone(&block));
        self.put(block.advance(), more);
    }

    /// Plays one move.
    pub fn play(&mut self, a_move: &Move) {
        let head = self.tip().at;
        match a_move {
            Move::Grow(seed) => self.grow(*seed, false),
            Move::Reorg(depth, seeds) => {
                let depth = (*depth).min(self.chain.len() - 1);
                for left in (0..depth).rev() {
                    let block = self.chain.pop().unwrap();
                    self.put(block.undo(), left > 0 || !seeds.is_empty());
                }
                for (at, seed) in (1..).zip(seeds) {
                    self.grow(*seed, at < seeds.len());
                }
            }
            Move::Open => self.open(CHAIN_ID, self.chain[0].at.hash),
            Move::Heartbeat => self.put(
                Record::Heartbeat(Heartbeat {
                    published: head,
                    master: head,
                    resuming: false,
                    master_seen_ms: 1,
                }),
                false,
            ),
            Move::Final(back) => {
                let block = self.chain.iter().rev().nth(*back).map(|block| block.at);
                self.put(Record::Final(Final { safe: Some(head), finalized: block }), false);
            }
            Move::Again => self.entries.push(self.entries.last().unwrap().clone()),
        }
    }
}

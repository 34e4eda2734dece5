//! States made here, as geth would write them, and the few blocks around them.

use crate::Error;
use crate::master::{Blocks, Content, Header};
use alloy::rlp::{self, Encodable};
use flate2::{Compression, write::GzEncoder};
use maidenlane_chain::{Account, B256, Bytes, U256, keccak256};
use maidenlane_state::trie::{EMPTY_ROOT_HASH, NodeKey, Nothing, Owner, Partial};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write as _;

pub(super) const CHAIN_ID: u64 = 7;
/// RLP of a body without anything in it, and of no receipts.
const EMPTY: (&[u8], &[u8]) = (&[0xc2, 0xc0, 0xc0], &[0xc0]);

type Slots = BTreeMap<B256, U256>;

/// A state: accounts with their slots, and codes.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) accounts: BTreeMap<B256, (Account, Slots)>,
    pub(super) codes: BTreeMap<B256, Bytes>,
}

impl State {
    /// A state with accounts of all kinds: without storage, with one slot, with some, with many.
    pub(super) fn generate(seed: u64) -> Self {
        let (mut rng, mut state) = (fastrand::Rng::with_seed(seed), Self::default());
        let hash = |rng: &mut fastrand::Rng| keccak256(rng.u64(..).to_be_bytes());
        for number in 0..60 {
            let mut account =
                Account { nonce: rng.u64(..3), balance: U256::from(rng.u64(..)), ..Account::default() };
            if number % 3 == 0 {
                let code = Bytes::from(vec![rng.u8(..4); rng.usize(1..200)]);
                account.code_hash = keccak256(&code);
                state.codes.insert(account.code_hash, code);
            }
            let slots = [0, 1, 7, 300][rng.usize(..4)];
            let slots: Slots = (0..slots).map(|_| (hash(&mut rng), U256::from(rng.u128(1..)))).collect();
            account.storage_root = root(&trie(None, &slots, |value| rlp::encode(value)));
            state.accounts.insert(hash(&mut rng), (account, slots));
        }
        state
    }

    pub(super) fn root(&self) -> B256 {
        root(&self.account_trie())
    }

    fn account_trie(&self) -> Partial<'static> {
        trie(None, &self.accounts, |(account, _)| rlp::encode(account.trie()))
    }

    /// Numbers of accounts and slots.
    pub(super) fn counts(&self) -> (u64, u64) {
        let slots: usize = self.accounts.values().map(|(_, slots)| slots.len()).sum();
        (self.accounts.len() as u64, slots as u64)
    }

    /// All nodes that stand for themselves.
    pub(super) fn nodes(&self) -> Vec<(NodeKey, Vec<u8>)> {
        let mut nodes = Vec::new();
        let mut take = |owner, trie: Partial<'_>| {
            trie.seal(&mut |path, node| nodes.push((NodeKey { owner, path }, node.to_vec())));
        };
        take(None, self.account_trie());
        for (key, (_, slots)) in &self.accounts {
            take(Some(*key), trie(Some(*key), slots, |value| rlp::encode(value)));
        }
        nodes
    }

    /// Output of `geth db export snapshot`.
    pub(super) fn snapshot(&self) -> Vec<u8> {
        let mut rows = vec![row(1, b"SnapshotRoot", &[])];
        for (key, (account, _)) in &self.accounts {
            rows.push(row(0, &[b"a", key.as_slice()].concat(), &account.encode_slim()));
        }
        for (account, (_, slots)) in &self.accounts {
            for (key, value) in slots {
                rows.push(row(0, &[b"o", account.as_slice(), key.as_slice()].concat(), &rlp::encode(value)));
            }
        }
        [header("snapshot"), rows.concat()].concat()
    }

    /// Output of `geth db export code`.
    pub(super) fn codes(&self) -> Vec<u8> {
        let rows = self.codes.iter().map(|(hash, code)| row(0, &[b"c", hash.as_slice()].concat(), code));
        [header("code"), rows.collect::<Vec<_>>().concat()].concat()
    }

    /// Output of `geth snapshot dump`.
    pub(super) fn dump(&self) -> String {
        let mut lines = vec![format!("{{\"root\":\"{}\"}}", self.root())];
        for (key, (account, slots)) in &self.accounts {
            let code = self.codes.get(&account.code_hash);
            let code = code.map_or_else(String::new, |code| format!("\"code\":\"{code}\","));
            let slots: Vec<_> = slots
                .iter()
                .map(|(key, value)| format!("\"{key}\":\"{}\"", alloy::hex::encode(rlp::encode(value))))
                .collect();
            let storage = if slots.is_empty() {
                String::new()
            } else {
                format!("\"storage\":{{{}}},", slots.join(","))
            };
            lines.push(format!(
                "{{\"balance\":\"{}\",\"nonce\":{},\"root\":\"{}\",\"codeHash\":\"{}\",{code}{storage}\"key\":\"{key}\"}}",
                account.balance, account.nonce, account.storage_root, account.code_hash
            ));
        }
        lines.join("\n") + "\n"
    }
}

fn trie<V>(owner: Owner, leaves: &BTreeMap<B256, V>, value: impl Fn(&V) -> Vec<u8>) -> Partial<'static> {
    let mut trie = Partial::new(&Nothing, owner, EMPTY_ROOT_HASH);
    for (key, leaf) in leaves {
        trie.set(*key, Some(value(leaf))).unwrap();
    }
    trie
}

fn root(trie: &Partial<'_>) -> B256 {
    trie.root()
}

/// First item of an export.
pub(super) fn header(kind: &str) -> Vec<u8> {
    let mut fields = Vec::new();
    b"gethdbdump".as_slice().encode(&mut fields);
    0u64.encode(&mut fields);
    kind.encode(&mut fields);
    1_700_000_000u64.encode(&mut fields);
    let mut out = Vec::new();
    rlp::Header { list: true, payload_length: fields.len() }.encode(&mut out);
    [out, fields].concat()
}

/// A row of an export.
pub(super) fn row(op: u64, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    op.encode(&mut out);
    key.encode(&mut out);
    value.encode(&mut out);
    out
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Three blocks; the node has dropped the content of the first.
pub(super) struct Chain {
    headers: Vec<Header>,
    /// Questions after which the node goes away.
    pub(super) answers: Cell<usize>,
}

impl Chain {
    pub(super) fn up_to(state_root: B256) -> Self {
        let mut headers: Vec<Header> = Vec::new();
        for number in 0..3 {
            let parent = headers.last().map(|header| header.at.hash).unwrap_or_default();
            let root = if number == 2 { state_root } else { B256::repeat_byte(number) };
            let header = alloy::consensus::Header {
                number: number.into(),
                parent_hash: parent,
                state_root: root,
                ..Default::default()
            };
            headers.push(Header::of(rlp::encode(header).into()).unwrap());
        }
        Self { headers, answers: Cell::new(usize::MAX) }
    }

    pub(super) fn head(&self) -> &Header {
        self.headers.last().unwrap()
    }
}

impl Blocks for Chain {
    fn genesis(&self, chain_id: u64, _: Option<B256>) -> Result<B256, Error> {
        assert_eq!(chain_id, CHAIN_ID);
        Ok(self.headers[0].at.hash)
    }

    fn header(&self, block: &str) -> Result<Header, Error> {
        let found = self.headers.iter().find(|header| header.at.hash.to_string() == block);
        found.cloned().ok_or_else(|| Error::NoBlock(block.to_owned()))
    }

    fn content(&self, header: &Header) -> Result<Option<Content>, Error> {
        let Some(left) = self.answers.get().checked_sub(1) else {
            return Err(Error::NoBlock("any more".to_owned()));
        };
        self.answers.set(left);
        let (body, receipts) = EMPTY;
        Ok((header.at.number > 0).then(|| (body.to_vec().into(), receipts.to_vec().into())))
    }
}

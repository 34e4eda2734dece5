//! Small valid blocks and their frames, for tests.

use alloy::consensus::{Header, TrieAccount};
use alloy::primitives::{U256, address};
use alloy::rlp::{Encodable, Header as Prefix};
use alloy_trie::root::{state_root_unhashed, storage_root_unhashed};
use maidenlane_chain::{Address, B256, BlockRef, Bytes, keccak256};
use maidenlane_wire::NodeRow;
use maidenlane_wire::frame::{Allocation, Frame, encode, wrap};
use std::path::Path;

/// A block without transactions that changes one account.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Number and hash.
    pub block: BlockRef,
    /// Decoded header.
    pub header: Header,
    /// RLP of the header.
    pub header_raw: Bytes,
    /// RLP of the block.
    pub raw: Bytes,
    /// State root before the block.
    pub origin_root: B256,
}

/// RLP of an item.
pub fn rlp(item: &impl Encodable) -> Vec<u8> {
    alloy::rlp::encode(item)
}

/// RLP list of encoded items.
pub fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    Prefix { list: true, payload_length: items.iter().map(Vec::len).sum() }.encode(&mut out);
    items.iter().for_each(|item| out.extend_from_slice(item));
    out
}

impl Sample {
    fn of(header: Header, origin_root: B256) -> Self {
        let header_raw = Bytes::from(rlp(&header));
        let raw = list(&[header_raw.to_vec(), list(&[]), list(&[])]).into();
        let block = BlockRef::new(header.number, keccak256(&header_raw));
        Self { block, header, header_raw, raw, origin_root }
    }

    /// Block 0 with one account that has a slot and code.
    pub fn genesis() -> Self {
        let header = Header { state_root: state_root(), ..Header::default() };
        Self::of(header, B256::ZERO)
    }

    /// A child; `salt` makes siblings differ, also in their state root.
    pub fn child(&self, salt: &str) -> Self {
        self.child_with_root(salt, keccak256(format!("{salt} on {}", self.block)))
    }

    /// A child that was made at `timestamp`.
    pub fn child_at(&self, timestamp: u64) -> Self {
        let header = Header { timestamp, ..self.child("dated").header };
        Self::of(header, self.header.state_root)
    }

    /// A child with this state root.
    pub fn child_with_root(&self, salt: &str, state_root: B256) -> Self {
        let header = Header {
            number: self.block.number + 1,
            parent_hash: self.block.hash,
            extra_data: Bytes::copy_from_slice(salt.as_bytes()),
            state_root,
            ..Header::default()
        };
        Self::of(header, self.header.state_root)
    }

    /// BLOCK, RECEIPTS, STATE and END frames, as the hook writes them.
    pub fn frames(&self) -> Vec<u8> {
        self.frames_around(&[])
    }

    /// Frames of the block with TRIE, as the hook writes them when it is set to.
    pub fn traced(&self) -> Vec<u8> {
        self.frames_around(&encode(&Frame::Trie { hash: self.block.hash, nodes: self.nodes() }))
    }

    /// Changed nodes of the account trie: a root whose bytes are only a name.
    pub fn nodes(&self) -> Vec<NodeRow> {
        let node = |root: B256| Some(Bytes::copy_from_slice(root.as_slice()));
        let (before, after) = (node(self.origin_root), node(self.header.state_root));
        vec![NodeRow { owner: None, path: Bytes::new(), before, after }]
    }

    fn frames_around(&self, trie: &[u8]) -> Vec<u8> {
        let (hash, number) = (rlp(&self.block.hash), rlp(&self.block.number));
        let account = list(&[rlp(&Address::ZERO), rlp(&Bytes::new()), rlp(&Bytes::from_static(&[0xc0]))]);
        let state = [
            hash.clone(),
            number.clone(),
            rlp(&self.origin_root),
            rlp(&self.header.state_root),
            rlp(&false),
            list(&[account]),
            list(&[]),
            list(&[]),
        ];
        // Every other one is of an older hook.
        let senders = self.block.number.is_multiple_of(2).then(Vec::new);
        let mut out = encode(&Frame::Block { hash: self.block.hash, block: self.raw.clone(), senders });
        out.extend(wrap(4, &list(&[hash.clone(), list(&[])])));
        out.extend(wrap(5, &list(&state)));
        out.extend(trie);
        out.extend(wrap(7, &list(&[hash, rlp(&self.header.parent_hash), number])));
        out
    }
}

/// Allocation of the genesis: one account, with code and two slots of which one is empty.
pub fn allocation() -> Allocation {
    Allocation {
        address: address!("00000000000000000000000000000000000000aa"),
        nonce: 1,
        balance: Bytes::from_static(&[0x0d, 0xe0]),
        code: Bytes::from_static(&[0x60, 0x00]),
        storage: vec![
            (B256::with_last_byte(1), Bytes::from_static(&[7])),
            (B256::with_last_byte(2), Bytes::new()),
        ],
    }
}

fn state_root() -> B256 {
    let Allocation { address, nonce, balance, code, storage } = allocation();
    let slots = storage.into_iter().filter(|(_, value)| !value.is_empty());
    let slots = slots.map(|(slot, value)| (slot, U256::from_be_slice(&value)));
    let account = TrieAccount {
        nonce,
        balance: U256::from_be_slice(&balance),
        storage_root: storage_root_unhashed(slots),
        code_hash: keccak256(code),
    };
    state_root_unhashed([(address, account)])
}

/// GENESIS frame of [`Sample::genesis`].
pub fn genesis_frame() -> Vec<u8> {
    let Allocation { address, nonce, balance, code, storage } = allocation();
    let slots: Vec<Vec<u8>> = storage.iter().map(|(slot, value)| list(&[rlp(slot), rlp(value)])).collect();
    let account = list(&[rlp(&address), rlp(&nonce), rlp(&balance), rlp(&code), list(&slots)]);
    wrap(2, &list(&[Sample::genesis().raw.to_vec(), list(&[account])]))
}

/// INIT frame of a spool's segment.
pub fn init_frame() -> Vec<u8> {
    wrap(1, &list(&[rlp(&"{}".to_owned()), rlp(&"geth/test".to_owned())]))
}

/// HOLE frame of frames that were dropped.
pub fn hole_frame() -> Vec<u8> {
    wrap(9, &list(&[rlp(&Vec::<u8>::new().as_slice()), rlp(&0_u64), rlp(&"dropped".to_owned())]))
}

/// Appends to a segment of the spool, creating it with an INIT frame.
pub fn write(dir: &Path, segment: u64, bytes: &[u8]) {
    use std::io::Write;
    let path = dir.join(format!("{segment:020}.spool"));
    let fresh = !path.exists();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    if fresh {
        file.write_all(&init_frame()).unwrap();
    }
    file.write_all(bytes).unwrap();
}

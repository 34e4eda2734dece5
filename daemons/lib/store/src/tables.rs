//! Tables of the database on one page. Numbers in keys are big-endian, so that they sort.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | a name | see [`META_FORMAT`] and its neighbours |
//! | `accounts` | keccak(address) | slim RLP |
//! | `slots` | keccak(address) keccak(slot) | big-endian without leading zeros |
//! | `codes` | keccak(code) | code |
//! | `account_history` | account key, block | the account *before* that block; empty = absent |
//! | `slot_history` | slot key, block | the slot *before* that block; empty = zero |
//! | `headers`, `bodies`, `receipts` | block, hash | consensus RLP |
//! | `senders` | block, hash | addresses of the transactions' senders; blocks that may lack the row are `sender_gaps` in the facts |
//! | `canonical` | block | hash |
//! | `numbers` | hash | block |
//! | `transactions` | transaction hash | block, index (u32) |
//! | `logs` | position (0 = address, 1–4 = topics), term, block / 256 | logs with the term: [`super::log_index_row`] |
//! | `undo` | block, hash | the block's rows as on the wire |
//! | `orphans` | block, hash | nothing: an undone block, readable by hash until final plus margin |
//! | `nodes` | see [`node_key`] | a trie node's RLP |
//! | `node_history` | node key, block | the node *before* that block; empty = absent |
//! | `node_undo` | block, hash | the keys of the nodes that the block changed, each after its length (u8) |
//!
//! # Why a log row spans 256 blocks and only grows
//! A search costs a seek for each row that it passes, so rows must span blocks: with a row per term and block, two
//! terms that are everywhere and never meet cost two seeks per block of the range (19 ms for 10,000 blocks; now 1.3).
//! The newest row takes no read to extend: a block's entry is appended by a merge, which RocksDB carries out when it
//! compacts or when somebody reads; 256 is what a reader of the newest block still merges in 12 µs. Undoing a block
//! reads its rows and writes them without their last entry, so it leaves no trace. On a chain like Ethereum's (920
//! terms per block) this takes 9.0 kB per block on the disk, a row per block 10.7 kB, roaring bitmaps for the same 256
//! blocks 10.1 kB, and longer rows save little more (8.7 kB for 4,096 blocks).

use maidenlane_chain::{B256, BlockRef};
use maidenlane_state::trie::NodeKey;

/// Version of everything on this page. A database of another version is refused. A table that may lack any row, as
/// `senders`, is no other version: a database without it gets it, and an older build refuses by name what it does not know.
pub const FORMAT: u32 = 2;

pub(crate) const META: &str = "meta";
pub(crate) const ACCOUNTS: &str = "accounts";
pub(crate) const SLOTS: &str = "slots";
pub(crate) const CODES: &str = "codes";
pub(crate) const ACCOUNT_HISTORY: &str = "account_history";
pub(crate) const SLOT_HISTORY: &str = "slot_history";
pub(crate) const HEADERS: &str = "headers";
pub(crate) const BODIES: &str = "bodies";
pub(crate) const RECEIPTS: &str = "receipts";
pub(crate) const SENDERS: &str = "senders";
pub(crate) const CANONICAL: &str = "canonical";
pub(crate) const NUMBERS: &str = "numbers";
pub(crate) const TRANSACTIONS: &str = "transactions";
pub(crate) const LOGS: &str = "logs";
pub(crate) const UNDO: &str = "undo";
pub(crate) const ORPHANS: &str = "orphans";
pub(crate) const NODES: &str = "nodes";
pub(crate) const NODE_HISTORY: &str = "node_history";
pub(crate) const NODE_UNDO: &str = "node_undo";

/// Names of all tables.
pub(crate) const TABLES: [&str; 19] = [
    META,
    ACCOUNTS,
    SLOTS,
    CODES,
    ACCOUNT_HISTORY,
    SLOT_HISTORY,
    HEADERS,
    BODIES,
    RECEIPTS,
    SENDERS,
    CANONICAL,
    NUMBERS,
    TRANSACTIONS,
    LOGS,
    UNDO,
    ORPHANS,
    NODES,
    NODE_HISTORY,
    NODE_UNDO,
];

/// Key in `meta` of [`FORMAT`] as u32.
pub(crate) const META_FORMAT: &[u8] = b"format";
/// Key in `meta` of the [`super::Facts`] as JSON: head, feed position, finality, chain.
pub(crate) const META_FACTS: &[u8] = b"facts";

/// Key of a block: number and hash.
pub(crate) fn block_key(block: BlockRef) -> [u8; 40] {
    let mut key = [0; 40];
    let (number, hash) = key.split_at_mut(8);
    number.copy_from_slice(&block.number.to_be_bytes());
    hash.copy_from_slice(block.hash.as_slice());
    key
}

/// Block of a [`block_key`].
pub(crate) fn block_of(key: &[u8]) -> Option<BlockRef> {
    let (number, hash) = key.split_first_chunk::<8>()?;
    Some(BlockRef::new(u64::from_be_bytes(*number), B256::try_from(hash).ok()?))
}

/// Key of a slot: account and slot.
pub(crate) fn slot_key(account: B256, slot: B256) -> [u8; 64] {
    let mut key = [0; 64];
    let (left, right) = key.split_at_mut(32);
    left.copy_from_slice(account.as_slice());
    right.copy_from_slice(slot.as_slice());
    key
}

/// Key of a change: a key followed by a block number.
pub(crate) fn at_block(key: &[u8], block: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len() + 8);
    out.extend_from_slice(key);
    out.extend_from_slice(&block.to_be_bytes());
    out
}

/// Key of a trie node: its trie (nothing for that of the accounts), the number of nibbles, the nibbles two by two.
///
/// # Correctness
/// No key is the beginning of another: the first byte says whether an owner follows, and the length stands before the
/// path. So a search in the past of a node meets no row of another one.
pub(crate) fn node_key(place: &NodeKey) -> Vec<u8> {
    let mut key = Vec::with_capacity(66);
    key.push(u8::from(place.owner.is_some()));
    key.extend_from_slice(place.owner.as_ref().map_or(&[], |owner| owner.as_slice()));
    key.push(u8::try_from(place.path.len()).unwrap_or(u8::MAX));
    key.extend_from_slice(&place.path.pack());
    key
}

/// Encodes keys one after the other, each after its length.
pub(crate) fn keys(keys: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    for key in keys {
        out.push(u8::try_from(key.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(&key);
    }
    out
}

/// Decodes [`keys`]; `None` if they are cut off.
pub(crate) fn keys_of(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut keys = Vec::new();
    while let Some((length, rest)) = bytes.split_first() {
        let (key, rest) = rest.split_at_checked(usize::from(*length))?;
        keys.push(key);
        bytes = rest;
    }
    Some(keys)
}

/// Encodes the place of a transaction.
pub(crate) fn place(block: u64, index: u32) -> [u8; 12] {
    let mut place = [0; 12];
    let (number, rest) = place.split_at_mut(8);
    number.copy_from_slice(&block.to_be_bytes());
    rest.copy_from_slice(&index.to_be_bytes());
    place
}

/// Block number at a key's end.
pub(crate) fn block_at_end(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|number| u64::from_be_bytes(*number))
}

/// Prefix of a term's keys: its position and the term.
pub(crate) fn term(position: u8, term: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + term.len());
    key.push(position);
    key.extend_from_slice(term);
    key
}

#[cfg(test)]
mod tests {
    use super::{
        at_block, block_at_end, block_key, block_of, keys, keys_of, node_key, place, slot_key, term,
    };
    use maidenlane_chain::{B256, BlockRef};
    use maidenlane_state::trie::{Nibbles, NodeKey};

    #[test]
    fn keys_are_pinned() {
        let block = BlockRef::new(0x0102, B256::repeat_byte(0xab));
        assert_eq!(block_key(block)[..9], [0, 0, 0, 0, 0, 0, 1, 2, 0xab]);
        assert_eq!(block_of(&block_key(block)), Some(block));
        assert_eq!(block_of(&[0; 12]), None);
        let slot = slot_key(B256::repeat_byte(1), B256::repeat_byte(2));
        assert_eq!((slot[31], slot[32]), (1, 2));
        assert_eq!(at_block(&[7], 258), [7, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(block_at_end(&at_block(&slot, 9)), Some(9));
        assert_eq!(place(258, 3), [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 3]);
        assert_eq!(term(3, &[5, 6]), [3, 5, 6]);
        let node = |owner, path: &[u8]| node_key(&NodeKey { owner, path: Nibbles::from_nibbles(path) });
        assert_eq!(node(None, &[]), [0, 0]);
        assert_eq!(node(None, &[10, 11, 12]), [0, 3, 0xab, 0xc0]);
        assert_eq!(node(None, &[10, 11, 12, 0]), [0, 4, 0xab, 0xc0]);
        let owned = node(Some(B256::repeat_byte(7)), &[1]);
        assert_eq!((owned[0], &owned[1..33], &owned[33..]), (1, &[7; 32][..], &[1, 0x10][..]));
        let listed = keys([vec![1, 2], vec![]].into_iter());
        assert_eq!(listed, [2, 1, 2, 0]);
        assert_eq!(keys_of(&listed), Some(vec![&[1, 2][..], &[]]));
        assert_eq!(keys_of(&[2, 1]), None);
    }
}

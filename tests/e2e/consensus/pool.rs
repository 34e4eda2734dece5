//! Signed transactions for the pool: those that the chain generator would have put into the next blocks.

use std::fs;

use maidenlane_tests::geth::chaingen;

use super::BLOCKS;

/// Blocks beyond [`BLOCKS`] whose transactions are taken.
const MORE: u32 = 16;

/// Raw transactions in the order of their nonces, valid on top of the first [`BLOCKS`] blocks: a longer chain of the
/// same generator begins with the shorter one.
pub(super) fn transactions() -> Vec<String> {
    let chain = fs::read(chaingen::chain(BLOCKS + MORE, 3).unwrap().join("chain.rlp")).unwrap();
    let blocks = items(&chain).into_iter().skip(usize::try_from(BLOCKS).unwrap());
    let bodies = blocks.map(|block| *items(block.payload).get(1).unwrap());
    let raw = bodies.flat_map(|body| items(body.payload)).map(Item::envelope);
    raw.map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect()).collect()
}

/// One RLP item, with and without its prefix.
#[derive(Clone, Copy)]
struct Item<'a> {
    whole: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Item<'a> {
    /// A transaction as it is sent: a typed one is wrapped into a string in a block.
    fn envelope(self) -> &'a [u8] {
        if self.whole.first().is_some_and(|first| *first >= 0xc0) { self.whole } else { self.payload }
    }
}

/// The items that follow each other in `bytes`, which we made ourselves.
fn items(mut bytes: &[u8]) -> Vec<Item<'_>> {
    let mut all = Vec::new();
    while let Some(first) = bytes.first().map(|first| usize::from(*first)) {
        let base = if first >= 0xc0 { 0xc0 } else { 0x80 };
        let (head, size) = match first {
            0..0x80 => (0, 1),
            _ if first - base < 56 => (1, first - base),
            _ => {
                let width = first - base - 55;
                let size = bytes.iter().skip(1).take(width);
                (1 + width, size.fold(0, |size, byte| size << 8 | usize::from(*byte)))
            }
        };
        let (whole, rest) = bytes.split_at(head + size);
        all.push(Item { whole, payload: whole.split_at(head).1 });
        bytes = rest;
    }
    all
}

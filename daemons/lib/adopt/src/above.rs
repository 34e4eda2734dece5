//! Blocks that geth exported, looked through for those from which a spool is to reach up.

use crate::error::{Error, io};
use maidenlane_chain::block::{block_hash, decode_header};
use maidenlane_chain::{B256, BlockRef};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Largest block that is taken, in bytes: EIP-7934 allows 8 MiB, other chains some more.
const BLOCK_BYTES_MAX: u64 = 64 << 20;
/// Longest header of a list or a string, in bytes.
const LENGTH_BYTES_MAX: usize = 8;

/// Block of such a file, as far as anything here needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exported {
    pub(crate) at: BlockRef,
    pub(crate) root: B256,
    pub(crate) gas: u64,
}

/// Blocks of a file of `geth export`, in their order.
pub(crate) fn read(path: &Path) -> Result<Vec<Exported>, Error> {
    let file = File::open(path).map_err(io("open", path))?;
    let bad = |why: &str| Error::Blocks { path: path.to_owned(), why: why.to_owned() };
    let (mut input, mut block, mut all) = (BufReader::with_capacity(1 << 20, file), Vec::new(), Vec::new());
    while list(&mut input, &mut block).map_err(io("read", path))? {
        let header = first_list(&block).ok_or_else(|| bad("a block without a header"))?;
        let decoded = decode_header(header).map_err(|error| bad(&error.to_string()))?;
        let at = BlockRef::new(decoded.number, block_hash(header));
        all.push(Exported { at, root: decoded.state_root, gas: decoded.gas_used });
    }
    Ok(all)
}

/// The newest one with this state root.
pub(crate) fn with_root(blocks: &[Exported], root: B256) -> Option<BlockRef> {
    blocks.iter().rev().find(|block| block.root == root).map(|block| block.at)
}

/// The one of this number.
pub(crate) fn numbered(blocks: &[Exported], number: u64) -> Option<BlockRef> {
    blocks.iter().map(|block| block.at).find(|at| at.number == number)
}

/// Differences that geth keeps between the states of two blocks: a block that changes nothing leaves none.
pub(crate) fn differences(blocks: &[Exported], from: u64, to: u64) -> u64 {
    let between = |pair: &&[Exported]| matches!(pair, [before, after] if before.at.number >= from && after.at.number <= to && before.root != after.root);
    blocks.windows(2).filter(between).count() as u64
}

/// Gas of the blocks behind one.
pub(crate) fn gas_behind(blocks: &[Exported], number: u64) -> u64 {
    blocks.iter().filter(|block| block.at.number > number).map(|block| block.gas).sum()
}

/// Reads the content of the next list into `content`; false at the end of the file.
fn list(input: &mut impl Read, content: &mut Vec<u8>) -> std::io::Result<bool> {
    let invalid = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let mut first = [0];
    if input.read(&mut first)? == 0 {
        return Ok(false);
    }
    let length = match first[0] {
        short @ 0xc0..=0xf7 => u64::from(short - 0xc0),
        long @ 0xf8.. => {
            let mut bytes = [0; LENGTH_BYTES_MAX];
            let (_, used) = bytes.split_at_mut(usize::from(0xff - long));
            input.read_exact(used)?;
            u64::from_be_bytes(bytes)
        }
        _ => return Err(invalid("something else than a list")),
    };
    if length > BLOCK_BYTES_MAX {
        return Err(invalid("a block larger than any"));
    }
    content.clear();
    let read = input.take(length).read_to_end(content)?;
    if read as u64 == length { Ok(true) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}

/// The list at the front of some RLP.
fn first_list(content: &[u8]) -> Option<&[u8]> {
    let mut after = content;
    let header = alloy::rlp::Header::decode(&mut after).ok().filter(|header| header.list)?;
    content.get(..header.length_with_payload())
}

#[cfg(test)]
mod tests {
    use super::{Exported, differences, gas_behind, numbered, with_root};
    use maidenlane_chain::{B256, BlockRef};

    #[test]
    fn blocks_are_found_and_counted() {
        // Blocks 5 and 8 change nothing.
        let roots = [(4, 1), (5, 1), (6, 2), (7, 3), (8, 3)];
        let blocks = roots.map(|(number, root)| Exported {
            at: BlockRef::new(number, B256::left_padding_from(&[1, u8::try_from(number).unwrap()])),
            root: B256::repeat_byte(root),
            gas: number,
        });
        let number = |found: Option<BlockRef>| found.map(|at| at.number);
        assert_eq!(number(with_root(&blocks, B256::repeat_byte(3))), Some(8));
        assert_eq!(number(with_root(&blocks, B256::repeat_byte(4))), None);
        assert_eq!((number(numbered(&blocks, 4)), number(numbered(&blocks, 9))), (Some(4), None));
        for (from, to, expect) in [(4, 8, 2), (4, 5, 0), (5, 6, 1), (6, 7, 1), (7, 8, 0)] {
            assert_eq!(differences(&blocks, from, to), expect, "{from} to {to}");
        }
        assert_eq!((gas_behind(&blocks, 6), gas_behind(&blocks, 8)), (15, 0));
    }
}

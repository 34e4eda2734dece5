//! Blocks that geth exported, looked through for the one whose state is on its disk.

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

/// The newest block of a file of `geth export` that has this state root.
pub(crate) fn find(path: &Path, root: B256) -> Result<Option<BlockRef>, Error> {
    let file = File::open(path).map_err(io("open", path))?;
    let bad = |why: &str| Error::Blocks { path: path.to_owned(), why: why.to_owned() };
    let (mut input, mut block, mut found) = (BufReader::with_capacity(1 << 20, file), Vec::new(), None);
    while list(&mut input, &mut block).map_err(io("read", path))? {
        let header = first_list(&block).ok_or_else(|| bad("a block without a header"))?;
        let decoded = decode_header(header).map_err(|error| bad(&error.to_string()))?;
        if decoded.state_root == root {
            found = Some(BlockRef::new(decoded.number, block_hash(header)));
        }
    }
    Ok(found)
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

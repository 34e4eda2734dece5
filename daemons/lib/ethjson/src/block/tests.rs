use crate::block::BlockJson as _;
use alloy::rlp;
use maidenlane_chain::block::join;
use maidenlane_chain::{Block, BlockRef};
use maidenlane_json::Json;
use maidenlane_state::StateView as _;
use maidenlane_testkit::chain as fake;

#[test]
fn raw_blocks_are_the_bytes_that_were_imported() {
    let (Some(dir), Some(chain)) = (fake::fixtures(), fake::chain()) else { return };
    let mut joined = Vec::new();
    for number in 1..=54 {
        let hash = chain.hash_of(number).expect("in memory").expect("there");
        let at = BlockRef::new(number, hash);
        let (header, body) = (chain.header(at).expect("in memory"), chain.body(at).expect("in memory"));
        let (header, body) = (header.expect("there"), body.expect("there"));
        let bytes = join(&header, &body).expect("decodes");
        let block = Block::decode(hash, &header, &body).expect("decodes");
        assert_eq!(block.size, u64::try_from(bytes.len()).expect("small"), "size of block {number}");
        assert_eq!(block.header.hash_slow(), hash);
        joined.extend_from_slice(&bytes);
    }
    assert_eq!(joined, std::fs::read(dir.join("chain.rlp")).expect("fixture"));
}

#[test]
fn damaged_bytes_are_refused() {
    let Some(chain) = fake::chain() else { return };
    let at = chain.head().block;
    let header = chain.header(at).expect("in memory").expect("there");
    let body = chain.body(at).expect("in memory").expect("there");
    assert!(Block::decode(at.hash, &header, &body[..body.len() - 1]).is_err());
    assert!(Block::decode(at.hash, &header[1..], &body).is_err());
    assert!(Block::decode(at.hash, &header, &[]).is_err());
    // A fourth list after transactions, uncles and withdrawals: a fork that this build does not know.
    let mut rest = &body[..];
    rlp::Header::decode(&mut rest).expect("a list");
    let mut longer = Vec::new();
    rlp::Header { list: true, payload_length: rest.len() + 1 }.encode(&mut longer);
    longer.extend_from_slice(rest);
    longer.push(0xc0);
    assert!(Block::decode(at.hash, &header, &longer).is_err());
}

#[test]
fn indexes_beyond_the_end_are_null() {
    let Some(chain) = fake::chain() else { return };
    let at = chain.head().block;
    let header = chain.header(at).expect("in memory").expect("there");
    let body = chain.body(at).expect("in memory").expect("there");
    let block = Block::decode(at.hash, &header, &body).expect("decodes");
    assert!(block.included(usize::MAX).is_none());
    assert_eq!(block.uncle_json(0), Json::NULL);
}

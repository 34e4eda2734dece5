use super::*;
use alloy::consensus::constants::EMPTY_WITHDRAWALS;
use alloy::rlp::Encodable;
use std::path::PathBuf;

/// Bytes of a fixture in `MAIDENLANE_FIXTURES` or in the directory beside the workspace, if it is there.
fn fixture(name: &str) -> Option<Vec<u8>> {
    #[expect(clippy::disallowed_methods, reason = "tests find their fixtures by it; they have no settings")]
    let root = std::env::var("MAIDENLANE_FIXTURES").map_or_else(
        |_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/fixtures")),
        PathBuf::from,
    );
    let bytes = std::fs::read(root.join("execution-apis").join(name)).ok();
    if bytes.is_none() {
        println!("not run: no fixtures at {}; set MAIDENLANE_FIXTURES", root.display());
    }
    bytes
}

#[test]
fn every_block_of_the_fixture_chain_proves_its_body() {
    let Some(chain) = fixture("chain.rlp") else { return };
    let (mut rest, mut parent, mut with) = (chain.as_slice(), None, [0_usize; 3]);
    let mut blocks = 0;
    while !rest.is_empty() {
        let block = raw_item(&mut rest).unwrap();
        let (header, body) = split(block).unwrap();
        assert_eq!(join(&header, &body).unwrap().as_ref(), block);
        let decoded = decode_header(&header).unwrap();
        let body = Body::parse(&body).unwrap();
        body.check(&decoded).unwrap();
        assert!(parent.is_none_or(|parent| parent == decoded.parent_hash));
        parent = Some(block_hash(&header));
        assert_eq!(decoded.hash_slow(), block_hash(&header));
        with[0] += usize::from(!body.transactions.is_empty());
        with[1] += usize::from(body.withdrawals.is_some_and(|items| !items.is_empty()));
        with[2] += usize::from(body.uncles.len() > 1);
        blocks += 1;
    }
    assert_eq!(blocks, 54);
    assert!(with[0] > 30 && with[1] > 0, "the fixture shows something: {with:?}");
}

/// An empty block of Shanghai, with a chance to spoil its header.
fn empty(spoil: impl FnOnce(&mut Header)) -> (Header, Vec<u8>) {
    let mut header =
        Header { base_fee_per_gas: Some(7), withdrawals_root: Some(EMPTY_WITHDRAWALS), ..Header::default() };
    spoil(&mut header);
    let mut block = Vec::new();
    header.encode(&mut block);
    block.extend([0xc0, 0xc0, 0xc0]);
    (header, as_list(&[&block]))
}

/// Splits and checks an empty block; the error's text, or nothing.
fn verdict(spoil: impl FnOnce(&mut Header), receipts: &[u8]) -> String {
    let (_, block) = empty(spoil);
    let (header, body) = split(&block).unwrap();
    check(block_hash(&header), &header, &body, receipts)
        .map_or_else(|error| error.to_string(), |_| String::new())
}

#[test]
fn what_the_header_does_not_prove_is_named() {
    assert_eq!(verdict(|_| {}, &[0xc0]), "");
    let odd = B256::repeat_byte(1);
    assert!(verdict(|header| header.transactions_root = odd, &[0xc0]).contains("transactions root"));
    assert!(verdict(|header| header.ommers_hash = odd, &[0xc0]).contains("uncles hash"));
    assert!(verdict(|header| header.withdrawals_root = None, &[0xc0]).contains("withdrawals root"));
    assert!(verdict(|header| header.receipts_root = odd, &[0xc0]).contains("receipts root"));
    assert!(verdict(|header| header.gas_used = 1, &[0xc0]).contains("gas used"));
    assert!(verdict(|header| header.logs_bloom.0[3] = 1, &[0xc0]).contains("logs bloom"));
    assert!(verdict(|_| {}, &[0x80]).contains("receipts"));
}

#[test]
fn a_wrong_hash_is_named() {
    let (_, block) = empty(|_| {});
    let (header, body) = split(&block).unwrap();
    assert!(check(B256::ZERO, &header, &body, &[0xc0]).unwrap_err().to_string().contains("block hash"));
}

#[test]
fn a_header_field_of_a_later_fork_is_an_error() {
    let (header, _) = empty(|header| header.slot_number = None);
    let mut fields = Vec::new();
    header.encode(&mut fields);
    let mut content = rlp::Header::decode_bytes(&mut fields.as_slice(), true).unwrap().to_vec();
    for _ in 0..8 {
        content.extend(rlp::encode(B256::repeat_byte(9)));
    }
    assert!(decode_header(&as_list(&[&content])).unwrap_err().to_string().contains("upgrade"));
}

#[test]
fn a_transaction_of_an_unknown_type_is_named() {
    let body = [0xc5, 0xc3, 0x82, 0x7e, 0x00, 0xc0];
    assert_eq!(Body::parse(&body), Err(BlockError::UnknownType { index: 0, ty: 0x7e }));
}

#[test]
fn no_prefix_of_a_block_is_a_block() {
    let (_, block) = empty(|_| {});
    for len in 0..block.len() {
        assert!(split(&block[..len]).is_err(), "{len} bytes");
    }
    assert!(split(&[&block[..], &[0]].concat()).is_err(), "nor one with a byte more");
}

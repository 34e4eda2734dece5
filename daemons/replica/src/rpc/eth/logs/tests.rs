use super::*;
use alloy::consensus::{Receipt, ReceiptEnvelope};
use alloy::primitives::Log;
use maidenlane_chain::Logs;

fn topic(byte: u8) -> String {
    format!("\"{}\"", B256::repeat_byte(byte))
}

#[track_caller]
fn check(topics: &str, expect: Result<Vec<Vec<u8>>, &str>) {
    let got = Criteria::read(&format!("{{\"topics\":{topics}}}")).map(|filter| filter.query.topics);
    let expect = expect.map(|positions| {
        let position = |bytes: Vec<u8>| bytes.into_iter().map(B256::repeat_byte).collect();
        positions.into_iter().map(position).collect::<Vec<Vec<_>>>()
    });
    match (got, expect) {
        (Err(got), Err(expect)) => assert!(got.contains(expect), "{got}"),
        (got, expect) => assert_eq!(got, expect.map_err(str::to_owned)),
    }
}

#[test]
fn topics() {
    let (a, b) = (topic(1), topic(2));
    check("[]", Ok(vec![]));
    check("null", Ok(vec![]));
    check(&format!("[{a}]"), Ok(vec![vec![1]]));
    check(&format!("[null,{a}]"), Ok(vec![vec![], vec![1]]));
    check(&format!("[[{a},{b}],{b}]"), Ok(vec![vec![1, 2], vec![2]]));
    check(&format!("[[{a},null]]"), Ok(vec![vec![]]));
    check("[[]]", Ok(vec![vec![]]));
    check("[1]", Err("invalid topic(s)"));
    check("[\"0x12\"]", Err("invalid topic(s)"));
    check("[null,null,null,null,null]", Err("exceed max topics"));
}

#[test]
fn addresses_and_blocks() {
    let read = |json: &str| Criteria::read(json);
    let one = Address::repeat_byte(1);
    assert_eq!(read(&format!("{{\"address\":\"{one}\"}}")).expect("fine").query.addresses, [one]);
    assert_eq!(read(&format!("{{\"address\":[\"{one}\"]}}")).expect("fine").query.addresses, [one]);
    assert!(read("{\"address\":7}").expect_err("no address").contains("invalid address"));
    assert!(read("{\"address\":[\"0x1\"]}").expect_err("no address").contains("at index 0"));
    let both = format!("{{\"blockHash\":\"{}\",\"fromBlock\":\"0x1\"}}", B256::ZERO);
    assert!(read(&both).expect_err("both").contains("cannot specify both"));
    assert_eq!(read("{\"fromBlock\":\"safe\"}").expect("fine").from, Some(Tag::Safe));
}

#[test]
fn matching_is_by_position_and_count() {
    let matches = |query: &LogQuery, topics: &[u8]| {
        let topics = topics.iter().map(|byte| B256::repeat_byte(*byte)).collect();
        let log = Log::new_unchecked(Address::repeat_byte(9), topics, Default::default());
        let receipt = Receipt { logs: vec![log], ..Receipt::default() }.with_bloom();
        let stored = alloy::rlp::encode(vec![ReceiptEnvelope::Legacy(receipt)]);
        let mut logs = Logs::of(&stored).expect("encoded here");
        query.matches(&logs.next().expect("one").expect("a log"))
    };
    let query = |topics: &[&[u8]]| LogQuery {
        topics: topics.iter().map(|any| any.iter().map(|byte| B256::repeat_byte(*byte)).collect()).collect(),
        ..LogQuery::default()
    };
    assert!(matches(&query(&[]), &[]));
    assert!(matches(&query(&[&[1]]), &[1, 2]));
    assert!(matches(&query(&[&[], &[2, 3]]), &[1, 2]));
    assert!(!matches(&query(&[&[2]]), &[1, 2]));
    assert!(!matches(&query(&[&[], &[]]), &[1]), "an empty position still asks for a topic");
}

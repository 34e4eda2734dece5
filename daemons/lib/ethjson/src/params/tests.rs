use super::*;

#[track_caller]
fn check<T: PartialEq + std::fmt::Debug>(got: Result<T, String>, expect: Result<T, &str>) {
    match (got, expect) {
        (Ok(got), Ok(expect)) => assert_eq!(got, expect),
        (Err(got), Err(expect)) => assert!(got.contains(expect), "{got}, not {expect}"),
        (got, expect) => panic!("{got:?}, not {expect:?}"),
    }
}

#[test]
fn numbers() {
    check(index("\"0x0\""), Ok(0));
    check(index("\"0xFf\""), Ok(255));
    check(index("\"0x\""), Err("hex string \"0x\""));
    check(index("\"0x01\""), Err("leading zero"));
    check(index("\"1\""), Err("without 0x prefix"));
    check(index("1"), Err("non-string"));
    check(index("\"0x_1\""), Err("invalid hex"));
    check(index("\"0x+1\""), Err("invalid hex"));
    check(index("\"0x10000000000000000\""), Err("> 64 bits"));
    check(big_of(&format!("0x{}", "f".repeat(64))), Ok(U256::MAX));
    check(big_of(&format!("0x1{}", "0".repeat(64))), Err("> 256 bits"));
}

#[test]
fn byte_strings() {
    check(bytes_of("0x"), Ok(Bytes::new()));
    check(bytes_of("0x0aFF"), Ok(Bytes::from_static(&[10, 255])));
    check(bytes_of("0x1"), Err("odd length"));
    check(bytes_of("0xzz"), Err("invalid hex"));
    check(address(&format!("\"0x{}\"", "11".repeat(20))), Ok(Address::repeat_byte(0x11)));
    check(address("\"0x11\""), Err("want 40 for common.Address"));
    check(hash(&format!("\"0x{}\"", "11".repeat(32))), Ok(B256::repeat_byte(0x11)));
    check(boolean("true"), Ok(true));
    check(boolean("\"true\""), Err("bool"));
}

#[test]
fn storage_keys_are_read_leniently() {
    let key = |text: &str| storage_key(text).map_err(|e| e.message.into_owned());
    check(key("0x1"), Ok(B256::with_last_byte(1)));
    check(key("01"), Ok(B256::with_last_byte(1)));
    check(key(""), Ok(B256::ZERO));
    check(key(&"f".repeat(65)), Err("storage key too long"));
    check(key("0xasdf"), Err("invalid hex in storage key"));
}

#[test]
fn selectors() {
    let hash = B256::repeat_byte(0xab);
    let by_hash = |canonical| Ok(Selector::Hash { hash, canonical });
    check(Selector::read("\"latest\""), Ok(Selector::LATEST));
    check(Selector::read("\"0x10\""), Ok(Selector::Tag(Tag::Number(16))));
    check(Selector::read(&format!("\"{hash}\"")), by_hash(false));
    check(Selector::read(&format!("{{\"blockHash\":\"{hash}\"}}")), by_hash(false));
    check(Selector::read(&format!("{{\"blockHash\":\"{hash}\",\"requireCanonical\":true}}")), by_hash(true));
    check(Selector::read("{\"blockNumber\":\"safe\"}"), Ok(Selector::Tag(Tag::Safe)));
    check(Selector::read("{}"), Err("must specify either"));
    let both = format!("{{\"blockHash\":\"{hash}\",\"blockNumber\":\"0x1\"}}");
    check(Selector::read(&both), Err("cannot specify both"));
    check(Selector::read("\"newest\""), Err("without 0x prefix"));
    check(Tag::read("16"), Err("without 0x prefix"));
    check(Tag::read("\"0xffffffffffffffff\""), Err("larger than int64"));
}

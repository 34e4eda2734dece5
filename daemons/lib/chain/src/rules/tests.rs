use super::*;

const CONFIG: &str = r#"{"chainId":7,"homesteadBlock":0,"eip150Block":1,"eip155Block":2,"eip158Block":2,
    "byzantiumBlock":3,"constantinopleBlock":4,"petersburgBlock":5,"istanbulBlock":6,"berlinBlock":7,"londonBlock":8,
    "terminalTotalDifficulty":100,"shanghaiTime":100,"cancunTime":200,"pragueTime":300,"osakaTime":400,
    "bpo1Time":500,"blobSchedule":{"cancun":{"target":3,"max":6,"baseFeeUpdateFraction":3338477},
    "bpo1":{"target":10,"max":15,"baseFeeUpdateFraction":8346193}}}"#;

#[test]
fn blob_parameters_follow_the_schedule() {
    let rules = Rules::parse(CONFIG).expect("a config");
    let fraction = |time| rules.blobs(time).map(|blobs| blobs.update_fraction);
    assert_eq!(fraction(199), None);
    assert_eq!(fraction(200), Some(3_338_477));
    assert_eq!(fraction(300), Some(3_338_477), "as geth: Prague has none of its own");
    assert_eq!(fraction(500), Some(8_346_193));
    let header = Header { timestamp: 500, excess_blob_gas: Some(0), ..Header::default() };
    assert_eq!(rules.blob_price(&header), Some(1));
    assert_eq!(rules.blob_price(&Header::default()), None);
}

#[test]
fn unknown_forks_are_named_from_their_activation() {
    let rules = Rules::parse(r#"{"chainId":1,"amsterdamTime":900,"newTime":800}"#).expect("a config");
    let at = |timestamp| Header { timestamp, ..Header::default() };
    assert_eq!(rules.unknown_at(&at(799)), None);
    assert_eq!(rules.unknown_at(&at(800)), Some("new"));
    assert!(Rules::parse("{").is_err());
}

#[test]
fn the_pending_block_stands_on_its_parent() {
    let rules = Rules::parse(CONFIG).expect("a config");
    let parent =
        Header { number: 7, timestamp: 50, gas_limit: 30, difficulty: U256::from(1), ..Header::default() };
    let first_london = rules.pending(&parent, 60);
    assert_eq!((first_london.number, first_london.timestamp), (8, 60));
    assert_eq!(first_london.base_fee_per_gas, Some(INITIAL_BASE_FEE));
    assert_eq!(rules.pending(&parent, 0).timestamp, 51, "never before its parent");
    assert_eq!(first_london.excess_blob_gas, None);
}

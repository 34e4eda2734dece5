use super::*;

const CONFIG: &str = r#"{"chainId":7,"homesteadBlock":0,"eip150Block":1,"eip155Block":2,"eip158Block":2,
    "byzantiumBlock":3,"constantinopleBlock":4,"petersburgBlock":5,"istanbulBlock":6,"berlinBlock":7,"londonBlock":8,
    "terminalTotalDifficulty":100,"shanghaiTime":100,"cancunTime":200,"pragueTime":300,"osakaTime":400,
    "bpo1Time":500,"blobSchedule":{"cancun":{"target":3,"max":6,"baseFeeUpdateFraction":3338477},
    "bpo1":{"target":10,"max":15,"baseFeeUpdateFraction":8346193}}}"#;

#[track_caller]
fn check(number: u64, difficulty: u64, timestamp: u64, expect: SpecId) {
    let rules = Rules::parse(CONFIG).expect("a config");
    let header = Header { number, timestamp, difficulty: U256::from(difficulty), ..Header::default() };
    assert_eq!(rules.spec(&header), expect);
}

#[test]
fn forks_by_number_then_by_time() {
    check(0, 1, 0, SpecId::HOMESTEAD);
    check(1, 1, 0, SpecId::TANGERINE);
    check(2, 1, 0, SpecId::SPURIOUS_DRAGON);
    check(3, 1, 0, SpecId::BYZANTIUM);
    check(5, 1, 0, SpecId::PETERSBURG);
    check(6, 1, 0, SpecId::ISTANBUL);
    check(7, 1, 0, SpecId::BERLIN);
    check(8, 1, 0, SpecId::LONDON);
    check(9, 0, 99, SpecId::MERGE);
    check(9, 0, 100, SpecId::SHANGHAI);
    check(9, 0, 200, SpecId::CANCUN);
    check(9, 0, 399, SpecId::PRAGUE);
    check(9, 0, 500, SpecId::OSAKA);
    // Times do not count while work still secures the chain.
    check(9, 1, 500, SpecId::LONDON);
}

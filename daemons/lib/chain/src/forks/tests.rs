use super::*;

const CONFIG: &str = r#"{"chainId": 7, "homesteadBlock": 0, "eip150Block": 3, "eip155Block": 6, "eip158Block": 6,
    "byzantiumBlock": 9, "constantinopleBlock": 12, "petersburgBlock": 15, "istanbulBlock": 18, "berlinBlock": 24,
    "londonBlock": 27, "mergeNetsplitBlock": 36, "shanghaiTime": 390, "cancunTime": 420, "pragueTime": 450,
    "bpo1Time": 500, "terminalTotalDifficulty": 4732352, "ethash": {},
    "depositContractAddress": "0x0000000000000000000000000000000000000000",
    "blobSchedule": {"cancun": {"target": 3, "max": 6, "baseFeeUpdateFraction": 3338477},
                     "bpo1": {"target": 10, "max": 15, "baseFeeUpdateFraction": 8346193}}"#;

fn parse(more: &str) -> Forks {
    Forks::parse(&format!("{CONFIG}{more}}}")).unwrap()
}

#[test]
fn rules_follow_number_then_time() {
    let forks = parse("");
    let check = |number, timestamp, expect| {
        let difficulty = U256::from(u8::from(number < 36));
        let header = Header { number, timestamp, difficulty, ..Header::default() };
        assert_eq!(forks.fork_of(&header), expect, "at {number}, {timestamp}");
    };
    check(0, 0, Fork::Homestead);
    check(2, 20, Fork::Homestead);
    check(3, 30, Fork::TangerineWhistle);
    check(6, 60, Fork::SpuriousDragon);
    check(12, 120, Fork::Constantinople);
    check(15, 150, Fork::Petersburg);
    check(35, 350, Fork::London);
    check(36, 360, Fork::Paris);
    check(39, 389, Fork::Paris);
    check(39, 390, Fork::Shanghai);
    check(42, 420, Fork::Cancun);
    check(60, 600, Fork::Prague);
    assert_eq!(forks.chain_id(), 7);
}

#[test]
fn zero_difficulty_is_proof_of_stake() {
    let header =
        |number, difficulty: u64| Header { number, difficulty: U256::from(difficulty), ..Header::default() };
    assert_eq!(parse("").fork_of(&header(30, 0)), Fork::Paris);
    assert_eq!(parse("").fork_of(&header(40, 1)), Fork::London);
}

#[test]
fn blobs_come_from_the_newest_fork_that_has_any() {
    let forks = parse("");
    assert_eq!(forks.blobs_at(419), None);
    assert_eq!(forks.blobs_at(420).unwrap().max_blob_count, 6);
    assert_eq!(forks.blobs_at(460).unwrap().max_blob_count, 6, "prague has no entry");
    assert_eq!(forks.blobs_at(500).unwrap().update_fraction, 8_346_193);
    let forks = parse(r#", "osakaTime": 480"#);
    assert_eq!(forks.blobs_at(479).unwrap().blob_base_cost, 0);
    assert_eq!(forks.blobs_at(480).unwrap().blob_base_cost, 1 << 13, "the reserve price of EIP-7918");
    assert_eq!(forks.blobs_at(480).unwrap().max_blob_count, 6, "osaka itself has no entry");
}

#[test]
fn unknown_forks_are_named_with_their_time() {
    assert_eq!(parse("").unknown().count(), 0);
    let forks = parse(r#", "amsterdamTime": 1000, "zenTime": 2000, "oddBlock": 90"#);
    assert_eq!(forks.unknown_at(10, 999), None);
    assert_eq!(forks.unknown_at(10, 1000).unwrap().name, "amsterdam");
    assert_eq!(forks.unknown_at(90, 0).unwrap().name, "odd");
    let (next, seconds) = forks.unknown_after(400).unwrap();
    assert_eq!((next.name.as_str(), seconds), ("amsterdam", 600));
    assert_eq!(forks.unknown_after(1000).unwrap().0.name, "zen");
    assert!(forks.unknown_after(2000).is_none());
}

#[test]
fn nonsense_is_refused_with_its_place() {
    assert!(Forks::parse("[]").is_err());
    let error = Forks::parse(r#"{"chainId": 1, "zenTime": "soon"}"#).unwrap_err();
    assert!(error.to_string().contains("zenTime"), "{error}");
}

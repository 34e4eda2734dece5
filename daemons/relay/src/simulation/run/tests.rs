//! Tests of runs: on a chain of a genesis, with transactions that real keys signed.

use super::super::next::{self, Wishes};
use super::super::outcome::{Outcome, Why, price, sent};
use super::super::prepared::{Leave, Prepared};
use super::super::tried::{Cache, key};
use super::Made;
use alloy::consensus::{Header, TxEip1559};
use alloy::primitives::{Address, B256, Bytes, I256, TxKind, U256, address};
use maidenlane_evm::Failure;
use maidenlane_evm::budget::{Budget, Spent};
use maidenlane_evm::codes::Codes;
use maidenlane_state::{At, StateView as _};
use maidenlane_testkit::chain::Chain;
use maidenlane_testkit::keys::Key;
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Contract that reverts with the word that it is given.
const REVERTS: Address = address!("00000000000000000000000000000000000000a1");
/// Contract that pays the fee recipient what it is sent, and spends all gas where its input begins with another byte than zero.
const PAYS: Address = address!("00000000000000000000000000000000000000a2");
/// Contract that logs, and stores the number of the block in the slot of it.
const NOTES: Address = address!("00000000000000000000000000000000000000a3");
/// Contract that never ends.
const LOOPS: Address = address!("00000000000000000000000000000000000000a4");
const GWEI: u128 = 1_000_000_000;
const ETHER: u128 = GWEI * GWEI;

fn keys() -> Vec<Key> {
    (1..=3).map(|number| Key::new(B256::repeat_byte(number))).collect()
}

fn chain() -> Chain {
    let rich = |key: &Key| (key.address.to_string(), json!({"balance": format!("{:#x}", 100 * ETHER)}));
    let code = |at: Address, code: &str| (at.to_string(), json!({"balance": "0x0", "code": code}));
    let contracts = [
        code(REVERTS, "0x60003560005260206000fd"),
        code(PAYS, "0x6000351561000957fe5b600060006000600034416000f1"),
        code(NOTES, "0x60006000a043435500"),
        code(LOOPS, "0x5b600056"),
    ];
    let alloc: serde_json::Map<_, _> = keys().iter().map(rich).chain(contracts).collect();
    let zero =
        ["homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg", "istanbul"];
    let mut config = json!({
        "chainId": 1, "terminalTotalDifficulty": 0, "shanghaiTime": 0, "cancunTime": 0, "pragueTime": 0,
        "blobSchedule": {
            "cancun": {"target": 3, "max": 6, "baseFeeUpdateFraction": 3_338_477},
            "prague": {"target": 6, "max": 9, "baseFeeUpdateFraction": 5_007_716},
        },
    });
    for fork in zero.into_iter().chain(["berlin", "london"]) {
        config[format!("{fork}Block")] = json!(0);
    }
    let genesis = json!({
        "config": config, "alloc": alloc, "gasLimit": "0x1c9c380", "difficulty": "0x0", "timestamp": "0x0",
        "coinbase": Address::repeat_byte(0xcb),
    });
    Chain::genesis(&genesis.to_string())
}

/// A transaction by the key of this number.
fn signed(from: usize, nonce: u64, to: Address, value: u128, data: &[u8], tip: u128) -> Bytes {
    limited(from, nonce, to, value, data, tip, 100_000)
}

fn limited(
    from: usize,
    nonce: u64,
    to: Address,
    value: u128,
    data: &[u8],
    tip: u128,
    gas_limit: u64,
) -> Bytes {
    let tx = TxEip1559 {
        chain_id: 1,
        nonce,
        gas_limit,
        max_fee_per_gas: 100 * GWEI,
        max_priority_fee_per_gas: tip,
        to: TxKind::Call(to),
        value: U256::from(value),
        input: Bytes::copy_from_slice(data),
        ..TxEip1559::default()
    };
    keys()[from].sign(tx).1
}

fn patient() -> Budget {
    Budget::until(Instant::now() + Duration::from_secs(60), Arc::default())
}

fn block(chain: &Chain, wishes: &Wishes) -> Header {
    next::header(&chain.head().rules, &chain.head().header, 12, wishes)
}

fn run_in(
    chain: &Chain,
    header: &Header,
    cache: Option<&Cache>,
    txs: &[(Bytes, Leave)],
    budget: &mut Budget,
) -> Result<Outcome, Failure> {
    let raw: Vec<Bytes> = txs.iter().map(|(raw, _)| raw.clone()).collect();
    let leaves = txs.iter().map(|(raw, leave)| (alloy::primitives::keccak256(raw), *leave));
    let leaves: std::collections::HashMap<_, _> = leaves.collect();
    let bundle = Prepared::new(&raw, |_, hash| leaves[hash], &mut patient()).unwrap();
    let codes = Codes::new(1 << 20);
    let at = (At::Latest, header.number);
    let made = Made::begin(header, &chain.head().rules, chain, at, &codes, &mut patient()).unwrap();
    match cache {
        Some(cache) => made.noted(cache).run(&bundle, budget),
        None => made.run(&bundle, budget),
    }
}

fn run(txs: &[(Bytes, Leave)]) -> Outcome {
    let chain = chain();
    run_in(&chain, &block(&chain, &Wishes::default()), None, txs, &mut patient()).unwrap()
}

fn whole(txs: &[Bytes]) -> Outcome {
    let outcome = run(&txs.iter().map(|raw| (raw.clone(), Leave::None)).collect::<Vec<_>>());
    assert!(outcome.stop.is_none(), "{:?}", outcome.stop.map(|stop| stop.problem));
    outcome
}

fn signed_wei(wei: u128) -> I256 {
    I256::try_from(wei).unwrap()
}

#[test]
fn the_fee_recipient_gets_tips_and_what_is_sent_to_it() {
    let outcome = whole(&[
        signed(0, 0, Address::repeat_byte(7), 5, &[], 2 * GWEI),
        signed(0, 1, PAYS, ETHER, &[], GWEI),
    ]);
    let [plain, paying] = &outcome.ran[..] else { panic!("{outcome:?}") };
    assert_eq!((plain.gas_used, plain.fees), (21_000, U256::from(42_000 * GWEI)));
    assert_eq!((plain.gain, sent(plain.gain, plain.fees)), (signed_wei(42_000 * GWEI), I256::ZERO));
    assert_eq!(sent(paying.gain, paying.fees), signed_wei(ETHER));
    assert_eq!(outcome.gain(), plain.gain + paying.gain);
    assert_eq!(outcome.gas_used(), 21_000 + paying.gas_used);
    assert_eq!(price(signed_wei(7), 2), signed_wei(3));
    assert_eq!(price(-signed_wei(7), 2), -signed_wei(4), "down, as all do it");
}

#[test]
fn a_fee_recipient_that_spends_has_an_exact_loss() {
    let chain = chain();
    let wishes = Wishes { fee_recipient: Some(keys()[0].address), ..Wishes::default() };
    let header = block(&chain, &wishes);
    let tx = signed(0, 0, Address::repeat_byte(7), 3 * ETHER, &[], GWEI);
    let outcome = run_in(&chain, &header, None, &[(tx, Leave::None)], &mut patient()).unwrap();
    let burnt = 21_000 * u128::from(header.base_fee_per_gas.unwrap());
    assert_eq!(
        outcome.gain(),
        -signed_wei(3 * ETHER + burnt),
        "its tip comes back to it, the base fee does not"
    );
    assert_eq!(outcome.fees(), U256::from(21_000 * GWEI));
}

#[test]
fn one_that_fails_stays_or_goes_as_it_may() {
    let word = [9; 32];
    let failing = || signed(0, 0, REVERTS, 0, &word, GWEI);
    let (again, after) = (signed(0, 0, NOTES, 0, &[], GWEI), signed(0, 1, NOTES, 0, &[], GWEI));
    let kept = run(&[(failing(), Leave::Revert), (after.clone(), Leave::None)]);
    assert!(kept.stop.is_none() && kept.dropped.is_empty());
    let first = &kept.ran[0];
    assert_eq!((first.is_success, first.output.as_ref()), (false, &word[..]));
    assert_eq!(first.problem.as_deref(), Some("execution reverted"));
    assert!(first.gas_used > 21_000 && first.gas_used < 30_000, "not all of its gas: {}", first.gas_used);
    assert_eq!((kept.ran[1].logs.len(), kept.ran[1].is_success), (1, true));

    let left_out = run(&[(failing(), Leave::Drop), (again.clone(), Leave::None)]);
    assert_eq!((left_out.dropped.as_slice(), left_out.ran.len()), (&[0][..], 1), "the nonce is free again");
    assert_eq!((left_out.ran[0].index, left_out.ran[0].is_success), (1, true));

    let ended = run(&[(again, Leave::None), (signed(0, 1, PAYS, 0, &word, GWEI), Leave::None)]);
    let stop = ended.stop.unwrap();
    assert_eq!((stop.index, stop.why, ended.ran.len()), (1, Why::Failed, 1));
    assert!(stop.problem.contains("invalid opcode"), "{}", stop.problem);
    let empty = run(&[(failing(), Leave::Drop)]);
    assert_eq!(empty.stop.map(|stop| stop.why), Some(Why::Empty));
}

#[test]
fn leave_to_revert_is_none_to_be_invalid() {
    let good = signed(0, 0, NOTES, 0, &[], GWEI);
    let check = |tx: Bytes, leave: Leave, why: Why, text: &str| {
        let outcome = run(&[(good.clone(), Leave::None), (tx, leave)]);
        let stop = outcome.stop.unwrap();
        assert_eq!((stop.index, stop.why), (1, why), "{text}");
        assert!(stop.problem.contains(text), "{}", stop.problem);
    };
    check(signed(0, 0, NOTES, 1, &[], GWEI), Leave::Revert, Why::Invalid, "nonce too low: address");
    check(signed(0, 2, NOTES, 0, &[], GWEI), Leave::Revert, Why::Waits, "nonce too high: address");
    check(signed(1, 0, NOTES, 200 * ETHER, &[], GWEI), Leave::Revert, Why::Invalid, "insufficient funds");
    let large = limited(1, 0, NOTES, 0, &[], GWEI, 29_990_000);
    check(large.clone(), Leave::None, Why::Invalid, "gas limit reached");
    let left_out = run(&[
        (good.clone(), Leave::None),
        (signed(0, 0, NOTES, 1, &[], GWEI), Leave::Drop),
        (large, Leave::Drop),
    ]);
    assert_eq!((left_out.dropped.as_slice(), left_out.stop.is_none()), (&[1, 2][..], true));
}

#[test]
fn what_ran_before_is_not_run_again() {
    let chain = chain();
    let (header, cache) = (block(&chain, &Wishes::default()), Cache::new(1 << 20));
    let first = signed(0, 0, NOTES, 0, &[], GWEI);
    let second = |tip| (signed(1, 0, NOTES, 0, &[], tip), Leave::None);
    let mut outcomes = Vec::new();
    let run = |cache, tip| {
        run_in(&chain, &header, cache, &[(first.clone(), Leave::None), second(tip)], &mut patient()).unwrap()
    };
    outcomes.push(run(Some(&cache), GWEI));
    let at = key(&header.hash_slow(), &alloy::primitives::keccak256(&first));
    let kept = cache.get(&at).unwrap();
    for tip in [GWEI, 2 * GWEI] {
        assert_eq!(run(Some(&cache), tip), run(None, tip));
        assert!(Arc::ptr_eq(&kept, &cache.get(&at).unwrap()), "the same run");
    }
    let behind = key(&at, &alloy::primitives::keccak256(&second(2 * GWEI).0));
    assert!(cache.get(&behind).is_some());
    cache.clear();
    assert!(cache.get(&at).is_none());
    let small = Cache::new(100);
    assert_eq!(run(Some(&small), GWEI), outcomes[0], "with no room for any");
    assert!(small.get(&at).is_none());
}

#[test]
fn a_run_that_is_stopped_leaves_nothing() {
    let chain = chain();
    let (header, cache) = (block(&chain, &Wishes::default()), Cache::new(1 << 20));
    let endless = limited(0, 0, LOOPS, 0, &[], GWEI, 16_000_000);
    let txs = [(endless.clone(), Leave::Drop)];
    let mut short = Budget::until(Instant::now() + Duration::from_millis(1), Arc::default());
    let late = run_in(&chain, &header, Some(&cache), &txs, &mut short);
    assert!(matches!(late, Err(Failure::Spent(Spent::Time))), "{late:?}");
    let over = Arc::new(AtomicBool::new(false));
    let mut budget = Budget::until(Instant::now() + Duration::from_secs(60), Arc::clone(&over));
    let raised = std::thread::scope(|scope| {
        let run = scope.spawn(|| run_in(&chain, &header, Some(&cache), &txs, &mut budget));
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        run.join().unwrap()
    });
    assert!(matches!(raised, Err(Failure::Spent(Spent::Cancelled))), "{raised:?}");
    let at = key(&header.hash_slow(), &alloy::primitives::keccak256(&endless));
    assert!(cache.get(&at).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Bundles that begin alike in all ways have the same account with results from before as without.
    #[test]
    fn results_from_before_change_nothing(
        bundles in prop::collection::vec(prop::collection::vec((0..3_usize, 0..3_u64, 0..4_usize, 0..3_usize), 1..5), 1..6),
    ) {
        let chain = chain();
        let (header, cache) = (block(&chain, &Wishes::default()), Cache::new(20_000));
        for bundle in bundles {
            let mut txs: Vec<(Bytes, Leave)> = bundle.into_iter().map(|(from, nonce, to, leave)| {
                let to = [NOTES, REVERTS, PAYS, Address::repeat_byte(7)][to];
                (signed(from, nonce, to, 1, &[], GWEI), [Leave::None, Leave::Revert, Leave::Drop][leave])
            }).collect();
            let mut seen = std::collections::HashSet::new();
            txs.retain(|(raw, _)| seen.insert(raw.clone()));
            let with = run_in(&chain, &header, Some(&cache), &txs, &mut patient()).unwrap();
            prop_assert_eq!(&with, &run_in(&chain, &header, None, &txs, &mut patient()).unwrap());
        }
    }
}

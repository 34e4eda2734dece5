//! The public tests of MEV-Share: bundles on a chain of two rich accounts and a contract that pays the fee recipient.

use super::super::order::order;
use super::super::tree::Tree;
use super::profit;
use crate::bundle::Circumstances;
use crate::refusal::Refusal;
use crate::simulation::next::{self, Wishes};
use crate::simulation::prepared::{Leave, Prepared};
use crate::simulation::run::Made;
use alloy::primitives::I256;
use maidenlane_chain::{Address, Bytes};
use maidenlane_evm::budget::Budget;
use maidenlane_evm::codes::Codes;
use maidenlane_state::{At, StateView as _};
use maidenlane_testkit::chain::{Chain, fixtures};
use maidenlane_wire::Taken;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// `None`, said aloud, where the fixtures are not.
fn vectors() -> Option<Value> {
    let text = std::fs::read_to_string(fixtures()?.join("../mev-share/tests.json")).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

/// A chain of their genesis, with the forks that they have: those before withdrawals.
fn chain(vectors: &Value) -> Chain {
    let mut config = json!({ "chainId": 1, "terminalTotalDifficulty": 0 });
    let forks =
        ["homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg", "istanbul"];
    for fork in forks.into_iter().chain(["berlin", "london"]) {
        config[format!("{fork}Block")] = json!(0);
    }
    let genesis = json!({
        "config": config, "alloc": vectors["genesisAlloc"], "gasLimit": vectors["header"]["gasLimit"], "difficulty": "0x0",
        "timestamp": "0x0",
    });
    Chain::genesis(&genesis.to_string())
}

fn number(json: &Value) -> u64 {
    u64::from_str_radix(json.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

fn patient() -> Budget {
    Budget::until(Instant::now() + Duration::from_secs(60), Arc::default())
}

/// Fails as the vector says, or has its refunds.
fn check(chain: &Chain, header: &Value, vector: &Value) {
    let (name, base_fee) = (&vector["name"], number(&header["baseFeePerGas"]));
    let tree = Tree::read(&vector["bundle"].to_string()).unwrap();
    let txs = tree.transactions();
    let raw: Vec<Bytes> = txs.iter().map(|(raw, _)| (*raw).clone()).collect();
    let leaves: Vec<Leave> = txs.iter().map(|(_, leave)| *leave).collect();
    let bundle = Prepared::new(&raw, |index, _| leaves[index], &mut patient()).unwrap();
    let miner: Address = header["miner"].as_str().unwrap().parse().unwrap();
    let wishes = Wishes { base_fee: Some(base_fee), fee_recipient: Some(miner), ..Wishes::default() };
    let made = next::header(&chain.head().rules, &chain.head().header, 12, &wishes);
    let (codes, at) = (Codes::new(1 << 20), (At::Latest, made.number));
    let block = Made::begin(&made, &chain.head().rules, chain, at, &codes, &mut patient()).unwrap();
    let outcome = block.run(&bundle, &mut patient()).unwrap();
    assert_eq!(
        outcome.stop.is_some(),
        vector["shouldFail"],
        "{name}: {:?}",
        outcome.stop.map(|stop| stop.problem)
    );
    if outcome.stop.is_some() {
        return;
    }
    let signers: Vec<Address> = bundle.steps.iter().map(|step| step.tx.caller).collect();
    let told = profit(&tree, &signers, &outcome, base_fee).unwrap();
    let expect = vector["extractedRefunds"].as_array().cloned().unwrap_or_default();
    assert_eq!(told.refunds.len(), expect.len(), "{name}");
    let (mut profit, gains) = (told.profit, outcome.gain());
    for (refund, expect) in told.refunds.iter().zip(&expect) {
        assert_eq!(refund.of, number(&expect["value"]).try_into().unwrap(), "{name}");
        assert_eq!(refund.percent, expect["percent"], "{name}");
        let split: serde_json::Map<_, _> = refund
            .payees
            .iter()
            .map(|(payee, percent)| (payee.to_string().to_lowercase(), json!(percent)))
            .collect();
        assert_eq!(Value::from(split), expect["refundSplit"], "{name}");
        let cost = 30_000 * base_fee * u64::try_from(refund.payees.len()).unwrap();
        profit += refund.amount + I256::try_from(cost).unwrap();
    }
    assert_eq!(profit, gains, "{name}: nothing is lost");
    let amounts: Vec<String> = told.refunds.iter().map(|refund| refund.amount.to_string()).collect();
    if name == "bundle with backrun of tx" {
        assert_eq!(amounts, ["84627307800000000"], "the fee first, as its guide computes it");
    }
}

#[test]
fn the_public_vectors_pass() {
    let Some(vectors) = vectors() else { return };
    let (chain, tests) = (chain(&vectors), vectors["tests"].as_array().unwrap());
    assert_eq!(tests.len(), 9);
    tests.iter().for_each(|vector| check(&chain, &vectors["header"], vector));
}

#[test]
fn a_tree_becomes_a_list_or_is_refused() {
    let Some(vectors) = vectors() else { return };
    let with = Circumstances {
        taken: Taken { relay: [1; 16], identity: None, at_ms: 7 },
        signer: Address::repeat_byte(0x33),
        chain_id: 1,
        next: 1,
        head_s: 0,
        ahead_max: 50,
        bytes_max: 100_000,
        mempool: true,
    };
    let tree = |index: usize, change: &dyn Fn(&mut Value)| {
        let mut bundle = vectors["tests"][index]["bundle"].clone();
        change(&mut bundle);
        Tree::read(&bundle.to_string()).and_then(|tree| order(&tree, &with))
    };
    let plain = tree(3, &|bundle| bundle["inclusion"]["maxBlock"] = json!("0x5")).unwrap();
    assert_eq!((plain.bundle.blocks, plain.bundle.txs.len()), ((1, 5), 2));
    assert_eq!(plain.bundle.reverting, [plain.hashes.reveal()[1]]);
    assert_eq!(plain.content, plain.bundle.content());
    let refund = tree(5, &|bundle| bundle["privacy"] = json!({"builders": ["one"]})).unwrap().bundle;
    let [user, earning] = [0, 1].map(|index| refund.txs[index].clone());
    let said = refund.refund.unwrap();
    assert_eq!((said.percent, said.tx), (90, alloy::primitives::keccak256(earning)));
    assert_eq!((refund.builders.len(), user.is_empty()), (1, false));
    let config = tree(7, &|_| ()).unwrap_err();
    assert_eq!(config, Refusal::Unsupported { field: "validity.refundConfig" }, "two payees");
    assert_eq!(
        tree(8, &|_| ()).unwrap_err(),
        Refusal::Unsupported { field: "validity.refund" },
        "two refunds"
    );
    let refused = |change: &dyn Fn(&mut Value)| tree(5, change).unwrap_err();
    assert_eq!(
        refused(&|bundle| bundle["body"][0] = json!({"hash": "0x00"})),
        Refusal::Unsupported { field: "hash" }
    );
    assert_eq!(refused(&|bundle| bundle["inclusion"] = json!({})), Refusal::NoBlock);
    assert_eq!(refused(&|bundle| bundle["body"] = json!([])), Refusal::NoTransactions);
    assert_eq!(refused(&|bundle| bundle["version"] = json!("v1")).field(), Some("version"));
    let over = json!({"refund": [{"bodyIdx": 0, "percent": 60}, {"bodyIdx": 1, "percent": 60}]});
    assert_eq!(refused(&|bundle| bundle["validity"] = over.clone()).field(), Some("refund"));
    let outside = json!({"refund": [{"bodyIdx": 2, "percent": 60}]});
    assert_eq!(refused(&|bundle| bundle["validity"] = outside.clone()).field(), Some("refund"));
    let half = json!({"refundConfig": [{"address": Address::ZERO, "percent": 50}]});
    assert_eq!(refused(&|bundle| bundle["validity"] = half.clone()).field(), Some("refundConfig"));
    let deep = |bundle: &mut Value| {
        for _ in 0..5 {
            *bundle = json!({"version": "v0.1", "inclusion": {"block": "0x1"}, "body": [{"bundle": bundle.take()}]});
        }
    };
    assert_eq!(refused(&deep), Refusal::TooMany { field: "bundle", most: 5 });
    let many = json!(vec![json!({"tx": "0xc0"}); 51]);
    assert_eq!(
        refused(&|bundle| bundle["body"] = many.clone()),
        Refusal::TooMany { field: "body", most: 50 }
    );
}

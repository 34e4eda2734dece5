//! Proofs of a replica, roots of what it simulates, and witnesses of blocks, beside a real geth's: through all forks and
//! reorgs.

use std::collections::BTreeSet;

use maidenlane_tests::{
    rpc::Client,
    scenario::{Carrier, Net},
};
use serde_json::{Value, json};

use crate::consensus::{ACCOUNT, Consensus};

const NOBODY: &str = "0x1111111111111111111111111111111111111111";
/// Accounts of at most so many blocks are asked for.
const BLOCKS: u64 = 24;

/// Everybody whom the newest blocks name.
fn named(master: &Client, head: u64) -> BTreeSet<String> {
    let mut names = BTreeSet::from([ACCOUNT.to_owned(), NOBODY.to_owned()]);
    for number in head.saturating_sub(BLOCKS)..=head {
        let receipts = master.call("eth_getBlockReceipts", &json!([format!("{number:#x}")])).unwrap();
        for receipt in receipts.as_array().unwrap() {
            let of = |field: &str| receipt.get(field).and_then(Value::as_str).map(str::to_owned);
            names.extend(["from", "to", "contractAddress"].into_iter().filter_map(of));
        }
    }
    names
}

/// Asks both for proofs at the head, behind it, and at the chain's beginning. How many slots held something.
fn compare(consensus: &mut Consensus) -> usize {
    let (master, replica) = consensus.sides();
    let head = master.block_number().unwrap();
    let (names, mut slots) = (named(&master, head), 0);
    assert!(names.len() > 5, "{names:?}");
    for number in [head, head - 1, head - 2, head / 2, head / 4, 1, 0] {
        for name in &names {
            let params = json!([name, ["0x0", "0x1", "0x2", "0xdead"], format!("{number:#x}")]);
            let [theirs, ours] =
                [&master, &replica].map(|side| side.respond("eth_getProof", &params).unwrap());
            assert_eq!(ours.get("result"), theirs.get("result"), "{name} at {number}: {ours}");
            let proofs = theirs.pointer("/result/storageProof").and_then(Value::as_array).unwrap();
            slots += proofs.iter().filter(|slot| slot.get("value") != Some(&json!("0x0"))).count();
        }
    }
    roots_within(&master, &replica, head);
    witnesses(&master, &replica, head);
    simulated(&master, &replica);
    slots
}

/// The state after each transaction of the newest blocks.
fn roots_within(master: &Client, replica: &Client, head: u64) {
    let mut roots = 0;
    for number in head.saturating_sub(BLOCKS).max(1)..=head {
        let block = master.call("eth_getHeaderByNumber", &json!([format!("{number:#x}")])).unwrap();
        let hash = block.get("hash").unwrap();
        let [theirs, ours] =
            [master, replica].map(|side| side.respond("debug_intermediateRoots", &json!([hash])).unwrap());
        assert_eq!(ours.get("result"), theirs.get("result"), "block {number}: {ours}, geth {theirs}");
        roots += ours.get("result").and_then(Value::as_array).map_or(0, Vec::len);
    }
    assert!(roots > 5, "{roots}");
}

/// All that the newest blocks need of the states before them.
fn witnesses(master: &Client, replica: &Client, head: u64) {
    let mut nodes = 0;
    for number in head.saturating_sub(BLOCKS).max(1)..=head {
        let params = json!([format!("{number:#x}")]);
        let [theirs, ours] =
            [master, replica].map(|side| side.respond("debug_executionWitness", &params).unwrap());
        for part in ["codes", "state"] {
            let [theirs, ours] = [&theirs, &ours].map(|answer| listed(answer, part));
            let (lacks, more) = (theirs.difference(&ours), ours.difference(&theirs));
            let differs: (Vec<_>, Vec<_>) = (lacks.collect(), more.collect());
            assert_eq!(differs, (vec![], vec![]), "{part} of block {number} that only one tells: geth, we");
        }
        assert_eq!(ours.get("result"), theirs.get("result"), "block {number}");
        nodes += ours.pointer("/result/state").and_then(Value::as_array).map_or(0, Vec::len);
    }
    assert!(nodes > 50, "{nodes}");
}

/// A list of a witness.
fn listed(answer: &Value, part: &str) -> BTreeSet<String> {
    let list = answer.pointer(&format!("/result/{part}")).and_then(Value::as_array);
    list.unwrap_or_else(|| panic!("{answer}")).iter().map(ToString::to_string).collect()
}

/// Two blocks made on the head: their roots are those of the state that they leave.
fn simulated(master: &Client, replica: &Client) {
    let overrides = json!({ACCOUNT: {"balance": "0xde0b6b3a7640000"}});
    let calls = json!([{"from": ACCOUNT, "to": NOBODY, "value": "0x1"}]);
    let blocks = json!([{"stateOverrides": overrides, "calls": calls}, {"calls": calls}]);
    let params = json!([{"blockStateCalls": blocks}, "latest"]);
    let [theirs, ours] = [master, replica].map(|side| side.call("eth_simulateV1", &params).unwrap());
    assert_eq!(ours, theirs);
    let root = theirs.pointer("/1/stateRoot").and_then(Value::as_str).unwrap();
    assert!(root.trim_start_matches(['0', 'x']).len() > 8, "{root}");
}

#[test]
fn proofs_and_simulated_roots_are_geth_s_through_forks_reorgs_and_restarts() {
    let Some(mut consensus) = Consensus::on(Carrier::Segment, Net::proving) else { return };
    assert!(compare(&mut consensus) > 0, "slots were proved");
    let base = consensus.head();
    let (one, two) = (consensus.busy(&base), consensus.execute(&base, 2));
    for head in [&one, &two, &one] {
        consensus.choose(head);
        consensus.followed();
        compare(&mut consensus);
    }
    consensus.kill_replica();
    consensus.choose(&two);
    consensus.branch(&two, 3, 4);
    consensus.net.replica_daemon(0).unwrap().start().unwrap();
    consensus.replica_moved();
    consensus.followed();
    compare(&mut consensus);
    consensus.end();
}

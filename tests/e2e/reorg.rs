//! Reorganisations, driven through the engine API of a real geth as a consensus client would.

use maidenlane_tests::{rpc::Client, scenario::Carrier, wait};
use serde_json::{Value, json};

use crate::consensus::{ACCOUNT, Consensus, PATIENCE};

/// Undone blocks go when the block so far above them is final.
const MARGIN: u32 = 64;
/// The time of four heartbeats.
const HEARTBEATS_MS: u64 = 1_000;

#[test]
fn siblings_are_switched_to_and_back() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    let base = consensus.head();
    let (one, two) = (consensus.execute(&base, 1), consensus.execute(&base, 2));
    for head in [&one, &two, &one, &two, &base, &two] {
        consensus.choose(head);
        consensus.followed();
    }
    consensus.end();
}

/// Questions about a block by its hash that do not need its state.
fn by_hash(hash: &str) -> [(&'static str, Value); 8] {
    [
        ("eth_getBlockByHash", json!([hash, true])),
        ("eth_getBlockReceipts", json!([hash])),
        ("eth_getBlockReceipts", json!([{"blockHash": hash}])),
        ("eth_getBlockTransactionCountByHash", json!([hash])),
        ("eth_getTransactionByBlockHashAndIndex", json!([hash, "0x0"])),
        ("debug_getRawBlock", json!([{"blockHash": hash}])),
        ("debug_getRawReceipts", json!([{"blockHash": hash}])),
        ("eth_getLogs", json!([{"blockHash": hash}])),
    ]
}

/// Nothing is known of the block, and its state is refused in these words.
fn unknown(replica: &Client, hash: &str, message: &str) {
    assert_eq!(replica.call("eth_getBlockByHash", &json!([hash, false])).unwrap(), Value::Null);
    assert_eq!(replica.call("eth_getBlockReceipts", &json!([hash])).unwrap(), Value::Null);
    without_state(replica, hash, message);
}

fn without_state(replica: &Client, hash: &str, message: &str) {
    for (method, target) in [("eth_getBalance", json!(ACCOUNT)), ("eth_call", json!({"to": ACCOUNT}))] {
        let answer = replica.respond(method, &json!([target, {"blockHash": hash}])).unwrap();
        assert_eq!(answer.pointer("/error/code"), Some(&json!(-32000)), "{answer}");
        assert_eq!(answer.pointer("/error/message"), Some(&json!(message)), "{answer}");
    }
}

#[test]
fn undone_blocks_stay_readable_until_long_final_and_those_never_chosen_are_unknown() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    let base = consensus.head();
    let undone = consensus.busy(&base);
    let never = consensus.execute(&base, 1);
    let kept = consensus.execute(&base, 2);
    for head in [&undone, &kept] {
        consensus.choose(head);
        consensus.followed();
    }
    let (master, replica) = consensus.sides();
    let readable = |master: &Client, replica: &Client| {
        for (method, params) in by_hash(&undone) {
            let answers = [master, replica].map(|side| side.call(method, &params).unwrap());
            assert!(!answers[0].is_null(), "{method}");
            assert_eq!(answers[0], answers[1], "{method}");
        }
    };
    readable(&master, &replica);
    without_state(&replica, &undone, "header not found");
    assert!(master.call("eth_getBlockByHash", &json!([never, false])).unwrap().is_object());
    unknown(&replica, &never, "header for hash not found");
    // One block before its time, and then with the last.
    consensus.branch(&kept, MARGIN - 1, 2);
    final_at_replica(&mut consensus);
    readable(&master, &replica);
    let tip = consensus.head();
    consensus.branch(&tip, 1, 2);
    final_at_replica(&mut consensus);
    unknown(&replica, &undone, "header for hash not found");
    consensus.end();
}

/// Makes the head final and waits until the replica knows.
fn final_at_replica(consensus: &mut Consensus) {
    consensus.followed();
    consensus.finalize();
    let (head, (_, replica)) = (consensus.head(), consensus.sides());
    wait::until("finality at the replica", PATIENCE, || {
        let found = replica.block_hash("finalized").map_err(|failure| failure.to_string())?;
        if found == head { Ok(()) } else { Err(format!("{found}, not {head}")) }
    })
    .unwrap();
}

#[test]
fn branches_of_all_depths_are_switched_to_and_back() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    for depth in [1, 2, 8, 32] {
        let base = consensus.head();
        let one = consensus.branch(&base, depth, 1);
        consensus.followed();
        // geth refuses to go back by more than 32 blocks at once, so the sibling branch begins at the base itself.
        consensus.choose(&base);
        consensus.followed();
        let two = consensus.branch(&base, depth, 2);
        for head in [&two, &one, &two] {
            consensus.choose(head);
            consensus.followed();
        }
        consensus.agreed();
    }
    consensus.end();
}

#[test]
fn a_branch_changes_while_the_tap_or_the_replica_is_down() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    for (round, (depth, tap)) in
        [(1, true), (1, false), (8, true), (8, false), (32, true), (32, false)].into_iter().enumerate()
    {
        let base = consensus.head();
        let recipient = u8::try_from(round).unwrap() + 10;
        consensus.branch(&base, depth, recipient);
        consensus.followed();
        if tap {
            consensus.net.tap().kill();
        } else {
            consensus.kill_replica();
        }
        consensus.choose(&base);
        consensus.branch(&base, depth, recipient + 10);
        if tap {
            consensus.net.tap().start().unwrap();
        } else {
            consensus.net.replica_daemon(0).unwrap().start().unwrap();
            consensus.replica_moved();
        }
        consensus.followed();
    }
    consensus.end();
}

#[test]
fn a_tap_that_starts_on_a_shortened_chain_waits_for_what_comes_next() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    let base = consensus.head();
    let one = consensus.branch(&base, 3, 1);
    consensus.followed();
    let before = consensus.sight(&one);
    for next in ["the same head", "another branch", "an extension"] {
        consensus.net.tap().kill();
        consensus.choose(&base);
        consensus.net.tap().start().unwrap();
        // It cannot tell this from a geth that lost its newest blocks and will come back: nobody goes back.
        let tap = consensus.net.tap();
        wait::until("the tap to see where its master stands", PATIENCE, || {
            let page = tap.admin("ready").map_err(|failure| failure.to_string())?;
            if page.contains("behind the published head") { Ok(()) } else { Err(page) }
        })
        .unwrap();
        let since = silent_ms(&mut consensus);
        wait::until("the replica to hear nothing for some heartbeats", PATIENCE, || {
            let silent = silent_ms(&mut consensus);
            if silent >= since + HEARTBEATS_MS { Ok(()) } else { Err(format!("{silent} ms")) }
        })
        .unwrap();
        consensus.shown(&before);
        match next {
            "the same head" => consensus.choose(&one),
            "another branch" => drop(consensus.branch(&base, 1, 2)),
            _ => drop(consensus.branch(&one, 1, 3)),
        }
        consensus.followed();
        if next == "another branch" {
            consensus.choose(&one);
            consensus.followed();
        }
    }
    consensus.end();
}

/// For how long the replica has had no sign of life.
fn silent_ms(consensus: &mut Consensus) -> u64 {
    let status = consensus.net.replica_daemon(0).unwrap().status().unwrap();
    status.pointer("/replica/silentMs").and_then(Value::as_u64).unwrap()
}

#[test]
fn a_tap_that_dies_between_undo_and_advance_shows_nobody_a_head_in_between() {
    let Some(mut consensus) = Consensus::new(Carrier::Segment) else { return };
    for depth in [1, 8] {
        let base = consensus.head();
        let one = consensus.branch(&base, depth, 1);
        consensus.followed();
        let two = consensus.branch(&base, depth, 2);
        // Only what is seen after the other branch is the head that is chosen last, not that of before.
        consensus.followed();
        consensus.choose(&one);
        consensus.followed();
        consensus.net.tap().kill();
        consensus.net.tap().environment("MAIDENLANE_FAILPOINT", "tap.between_undo_and_advance");
        consensus.net.tap().start().unwrap();
        // It may come while the tap starts as well as later.
        consensus.choose(&two);
        let died = consensus.net.tap().wait(PATIENCE);
        let died = died.unwrap_or_else(|failure| panic!("{failure}\n{}", consensus.net.tap().log_tail(20)));
        assert_eq!(died.code(), None, "killed, not ended");
        // The undos are in the feed, and still nobody sees anything but the head before, nor after a restart.
        let before = consensus.sight(&one);
        consensus.shown(&before);
        consensus.kill_replica();
        // It has taken the undos and has no whole head to serve: it opens no RPC until the tap has come back.
        consensus.net.replica_daemon(0).unwrap().start().unwrap();
        consensus.net.tap().environment("MAIDENLANE_FAILPOINT", "");
        consensus.net.tap().start().unwrap();
        consensus.replica_moved();
        consensus.followed();
    }
    consensus.end();
}

//! A replica that keeps little of the past: its history goes in real compactions.

use std::fs;

use maidenlane_tests::rpc::Client;
use serde_json::{Value, json};

use crate::driven::Driven;

/// The least number of blocks whose state may be kept.
const HISTORY: u64 = 128;
/// Most blocks that geth lets a branch replace.
const REPLACED: usize = 32;
/// RocksDB compacts when there are four files of a table, and a start writes one.
const STARTS: usize = 6;
const BLOCKS: usize = 40;

fn balance(client: &Client, block: u64) -> Value {
    let params = json!([format!("0x{:040x}", 0xc0de), format!("0x{block:x}")]);
    client.respond("eth_getBalance", &params).unwrap()
}

fn prune(driven: &mut Driven) {
    let all = "history = < All | Blocks : Natural >.All";
    let few = format!("history = < All | Blocks : Natural >.Blocks {HISTORY}");
    let change = |text: &str| {
        let text = text.replace(all, &few);
        assert!(text.contains(&few), "{text}");
        text
    };
    driven.daemon("replica").edit(change).unwrap();
}

/// Number of compactions that RocksDB tells of, of any table of histories.
fn compactions(driven: &mut Driven) -> usize {
    let files = fs::read_dir(driven.daemon("replica").state().join("db")).unwrap();
    let logs =
        files.map(|file| file.unwrap()).filter(|file| file.file_name().to_string_lossy().starts_with("LOG"));
    let said: String = logs.map(|log| fs::read_to_string(log.path()).unwrap()).collect();
    let finished = |line: &&str| line.contains("_history] [JOB") && line.contains("] Compacted ");
    said.lines().filter(finished).count()
}

#[test]
fn history_that_compactions_took_is_refused_and_the_rest_is_right() {
    let Some(mut driven) = Driven::new() else { return };
    prune(&mut driven);
    driven.net.start().unwrap();
    for start in 0..STARTS {
        // Branches leave rows that are of no canonical block.
        driven.grow(driven.replaceable().min(REPLACED), BLOCKS);
        driven.followed(&format!("start {start}"));
        driven.daemon("replica").stop().unwrap();
        driven.daemon("replica").start().unwrap();
    }
    driven.followed("the last start");
    assert!(compactions(&mut driven) > 0, "nothing was compacted: this tests nothing");
    let (master, replica) = (driven.net.master(), driven.net.replica(0).unwrap());
    let head = master.block_number().unwrap();
    for block in 0..=head {
        let (right, found) = (balance(&master, block), balance(&replica, block));
        let gone = found.pointer("/error/code").and_then(Value::as_i64) == Some(4444);
        if block + HISTORY > head {
            assert_eq!(found.get("result"), right.get("result"), "block {block} of {head}");
        } else {
            assert!(gone || found.get("result") == right.get("result"), "block {block} of {head}: {found}");
        }
    }
    assert!(balance(&replica, 1).get("error").is_some(), "nothing was pruned");
    driven.net.equals_fresh_replay(0).unwrap();
}

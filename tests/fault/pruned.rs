//! A replica that keeps little: its history goes in real compactions, and a branch from below what it can undo is
//! refused.

use std::{fs, time::Duration};

use maidenlane_tests::rpc::Client;
use serde_json::{Value, json};

use crate::driven::Driven;

/// The least blocks whose state may be kept, and that can be undone.
const HISTORY: u64 = 128;
const UNDO: usize = 64;
/// RocksDB compacts when there are four files of a table, and a start writes one.
const STARTS: usize = 6;
const BLOCKS: usize = 40;
const REFUSED_WITHIN: Duration = Duration::from_secs(30);
const DATA: i32 = 65;

fn balance(client: &Client, block: u64) -> Value {
    let params = json!([format!("0x{:040x}", 0xc0de), format!("0x{block:x}")]);
    client.respond("eth_getBalance", &params).unwrap()
}

fn prune(driven: &mut Driven) {
    let config = driven.daemon("replica").config().to_owned();
    let text = fs::read_to_string(&config).unwrap();
    let all = "history = < All | Blocks : Natural >.All";
    let few = format!("history = < All | Blocks : Natural >.Blocks {HISTORY}");
    let text = text.replace(all, &few).replace("undoBlocks = 90000", &format!("undoBlocks = {UNDO}"));
    assert!(text.contains(&few), "{text}");
    fs::write(&config, text).unwrap();
}

#[test]
fn history_that_compactions_took_is_refused_and_the_rest_is_right() {
    let Some(mut driven) = Driven::new() else { return };
    prune(&mut driven);
    driven.net.start().unwrap();
    for start in 0..STARTS {
        // Branches leave rows that are of no canonical block.
        driven.grow(driven.replaceable().min(UNDO) / 2, BLOCKS);
        driven.followed(&format!("start {start}"));
        driven.daemon("replica").stop().unwrap();
        driven.daemon("replica").start().unwrap();
    }
    driven.followed("the last start");
    let store = driven.daemon("replica").state().join("db/LOG");
    let said = fs::read_to_string(&store).unwrap_or_default();
    println!("{} {}", store.display(), said.contains("compaction_finished"));
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

#[test]
fn a_branch_from_below_what_can_be_undone_is_refused() {
    let Some(mut driven) = Driven::new() else { return };
    prune(&mut driven);
    driven.net.start().unwrap();
    driven.grow(0, 2 * BLOCKS);
    driven.followed("the beginning");
    driven.grow(UNDO + 4, 2 * BLOCKS);
    let ended = driven.daemon("replica").wait(REFUSED_WITHIN).unwrap();
    let said = driven.daemon("replica").log_tail(3);
    assert_eq!(ended.code(), Some(DATA), "{said}");
    assert!(said.contains("the reorg is too deep"), "{said}");
    // The cure that it names.
    fs::remove_dir_all(driven.daemon("replica").state()).unwrap();
    driven.daemon("replica").start().unwrap();
    driven.followed("anew");
    driven.net.equals_fresh_replay(0).unwrap();
}

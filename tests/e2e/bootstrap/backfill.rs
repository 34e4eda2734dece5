//! Blocks that are older than what an import brought are fetched behind the serving replica, from archives, exports and a node.

use std::{fs, path::PathBuf, time::Duration};

use alloy::rlp::Decodable as _;

use maidenlane_tests::{
    chain::Scheme,
    compare::{self, Question},
    scenario::Net,
    settings, wait,
};
use serde_json::{Value, json};

use super::adopted::{Adopted, STATELESS, agree};
use crate::consensus::PATIENCE;

/// Blocks of the chain: the import brings the last 256 of them, which leaves a cut group of the log index and four whole.
const BLOCKS: u32 = 1_300;
/// Enough for all at once.
const RATE_KBPS: u64 = 100_000;
/// Some ten seconds for a group, so that there is one left for each kill.
const SLOW_KBPS: u64 = 150;
/// Time for a group or two.
const BROUGHT_WITHIN: Duration = Duration::from_secs(180);
/// Parts of the names of methods that need no state, besides those of all imports.
const ALSO_STATELESS: [&str; 3] = ["eth_getHeaderBy", "eth_getRawTransaction", "eth_feeHistory"];
/// Points at which a replica is killed that brings blocks, each for these passages.
const POINTS: [&str; 6] = [
    "replica.before_past:1",
    "replica.before_past:3",
    "replica.after_past:1",
    "replica.after_past:4",
    "replica.before_floor:1",
    "replica.after_floor:1",
];

/// Has a node that is stopped forget bodies and receipts below a block, by the note of each table's hidden items that
/// `geth prune-history` would write; that command knows public networks alone.
fn expire(world: &mut Adopted, kept: u64) {
    let tables = world.net.node().data().join("geth/chaindata/ancient/chain");
    for table in ["bodies", "receipts"] {
        let note = tables.join(format!("{table}.meta"));
        let [version, _, flushed] =
            <[u64; 3]>::try_from(Vec::decode(&mut &fs::read(&note).unwrap()[..]).unwrap()).unwrap();
        let (mut changed, fields) = (Vec::new(), [version, kept, flushed]);
        alloy::rlp::encode_list(&fields, &mut changed);
        fs::write(note, changed).unwrap();
    }
}

/// A master that was adopted, what geth's own command exported of it, and an import that ends at the returned floor.
fn imported(export: &[&str]) -> Option<(Adopted, PathBuf, u64)> {
    let mut world = Adopted::dumped(Net::build, Scheme::Path, BLOCKS)?;
    world.net.node().stop().unwrap();
    let exported = world.path("exported");
    let path = exported.display().to_string();
    let arguments: Vec<&str> = export.iter().map(|word| if *word == "TO" { &path } else { *word }).collect();
    world.net.node().run(&arguments).unwrap();
    world.net.node().restart().unwrap();
    world.grow(0, 3);
    world.net.tap().launch().unwrap();
    let (head, base) = (world.chain.last().unwrap().0.clone(), world.chain[0].0.clone());
    world.engine.choose(&head, Some(&base)).unwrap();
    world.net.tap().ready(PATIENCE).unwrap();
    let floor = world.imported()["oldestBlock"].as_u64().unwrap();
    assert_eq!(floor, world.base - 256);
    Some((world, exported, floor))
}

/// Has the replica bring blocks from its next start on.
fn bring(world: &mut Adopted, from: u64, rate_kbps: u64, sources: &[(&str, PathBuf)]) {
    let sources: Vec<_> = sources.iter().map(|(kind, path)| (*kind, path.as_path())).collect();
    let change = |text: &str| settings::backfilling(text, from, rate_kbps, &sources);
    world.net.replica_daemon(0).unwrap().edit(change).unwrap();
}

/// Waits for something in the section of `/status`.
fn until(world: &mut Adopted, what: &str, fits: impl Fn(&Value) -> bool) {
    wait::until(what, BROUGHT_WITHIN, || {
        let replica = world.net.replica_daemon(0).unwrap();
        replica.alive().map_err(|failure| failure.to_string())?;
        let status = replica.status().map_err(|failure| failure.to_string())?;
        if fits(&status["backfill"]) { Ok(()) } else { Err(status.to_string()) }
    })
    .unwrap_or_else(|failure| panic!("{failure}\n{}", world.net.last_words()));
}

fn whole(world: &mut Adopted) {
    until(world, "all blocks to be there", |section| section["state"] == "whole");
}

/// Checks blocks as geth has them, by everything that needs no state. What is asked about several blocks reaches below a
/// floor that is above the genesis.
fn check(world: &mut Adopted, floor: u64, ranges: &[(u64, u64)]) {
    let (master, replica) = (world.net.master(), world.net.replica(0).unwrap());
    let mut asked = 0;
    for (first, last) in ranges {
        let all = compare::questions_from(&master, *first, *last).unwrap();
        let parts = || STATELESS.iter().chain(&ALSO_STATELESS);
        let stateless = |Question { method, .. }: &Question| {
            let of_range = matches!(*method, "eth_getLogs" | "eth_feeHistory");
            parts().any(|part| method.starts_with(part)) && (floor == 0 || !of_range)
        };
        let questions: Vec<_> = all.into_iter().filter(stateless).collect();
        asked += questions.len();
        agree(&master, &replica, &questions);
    }
    assert!(asked > 40, "{asked} questions");
}

/// Searches over all blocks from `first` on, and histories of fees.
fn check_ranges(world: &mut Adopted, first: u64) {
    let (master, replica) = (world.net.master(), world.net.replica(0).unwrap());
    let head = master.block_number().unwrap();
    let all = json!([{ "fromBlock": format!("{first:#x}"), "toBlock": format!("{head:#x}") }]);
    let logs = master.call("eth_getLogs", &all).unwrap();
    let logs = logs.as_array().unwrap();
    assert!(logs.len() > 500, "{} logs", logs.len());
    let mut questions = vec![Question { method: "eth_getLogs", params: all }];
    for log in logs.iter().step_by(logs.len() / 40) {
        for (from, to) in [(first, head), (first + 200, first + 300), (first, first + 255)] {
            let mut query = json!({ "fromBlock": format!("{from:#x}"), "toBlock": format!("{to:#x}"), "address": log["address"] });
            questions.push(Question { method: "eth_getLogs", params: json!([query]) });
            if let Some(topic) = log["topics"].get(0) {
                query["topics"] = json!([topic]);
                questions.push(Question { method: "eth_getLogs", params: json!([query]) });
            }
        }
    }
    for newest in (first + 120..head).step_by(150) {
        let params = json!(["0x30", format!("{newest:#x}"), [10, 90]]);
        questions.push(Question { method: "eth_feeHistory", params });
    }
    agree(&master, &replica, &questions);
}

#[test]
fn blocks_are_brought_down_to_the_genesis_whatever_is_killed() {
    // The node has what the archives have not.
    let exporting = ["export-history", "--era.format", "ere", "TO", "0", "900"];
    let Some((mut world, ere, floor)) = imported(&exporting) else { return };
    let node = world.net.node().ipc();
    bring(&mut world, 0, SLOW_KBPS, &[("Era", ere), ("Node", node)]);
    let mut before = floor;
    for point in POINTS {
        let replica = world.net.replica_daemon(0).unwrap();
        replica.environment("MAIDENLANE_FAILPOINT", point);
        replica.launch().unwrap();
        let ended = replica.wait(BROUGHT_WITHIN).unwrap_or_else(|failure| panic!("{point}: {failure}"));
        assert_eq!(ended.code(), None, "{point} is a kill");
        replica.environment("MAIDENLANE_FAILPOINT", "");
        replica.start().unwrap();
        world.followed();
        // What it serves is whole, wherever it was killed.
        let params = json!([]);
        let oldest = world.net.replica(0).unwrap().call("eth_capabilities", &params).unwrap();
        let oldest = oldest["blocks"]["oldestBlock"].as_str().unwrap().trim_start_matches("0x").to_owned();
        let oldest = u64::from_str_radix(&oldest, 16).unwrap();
        assert!(oldest <= before, "{point}: {oldest}, and {before} before");
        before = oldest;
        check(&mut world, oldest, &[(oldest, oldest + 3)]);
        world.net.replica_daemon(0).unwrap().stop().unwrap();
        world.grow(0, 1);
    }
    assert!(before > 0, "nothing is left to bring without a kill");
    let faster = |text: &str| text.replace(&format!("kBps = {SLOW_KBPS}"), &format!("kBps = {RATE_KBPS}"));
    world.net.replica_daemon(0).unwrap().edit(faster).unwrap();
    world.net.replica_daemon(0).unwrap().start().unwrap();
    world.followed();
    whole(&mut world);
    check(&mut world, 0, &[(0, 70), (250, 262), (760, 775), (1_020, 1_050)]);
    check_ranges(&mut world, 0);
    world.check();
    world.net.stop().unwrap();
    let config = world.net.replica_daemon(0).unwrap().config().display().to_string();
    world.net.command(&["replica", "verify", "--config", &config]).unwrap();
}

#[test]
fn bodies_without_receipts_wait_for_a_source_that_has_them_and_what_is_below_stays_pruned() {
    const FROM: u64 = 700;
    let Some((mut world, blocks, floor)) = imported(&["export", "TO", "1", "1200"]) else { return };
    bring(&mut world, FROM, RATE_KBPS, &[("Export", blocks.clone())]);
    world.net.replica_daemon(0).unwrap().start().unwrap();
    world.followed();
    let waits = format!("no source has the receipts of block {}", floor - 1);
    until(&mut world, "the receipts to be missed", |section| section["waitsFor"] == waits.as_str());
    world.net.replica_daemon(0).unwrap().stop().unwrap();
    let node = world.net.node().ipc();
    let replica = world.net.replica_daemon(0).unwrap();
    let both = |text: &str| {
        let added = format!(", < Era : Text | Export : Text | Node : Text >.Node \"{}\" ]", node.display());
        let place = format!("\"{}\" ]", blocks.display());
        assert!(text.contains(&place), "{text}");
        text.replace(&place, &format!("\"{}\"{added}", blocks.display()))
    };
    replica.edit(both).unwrap();
    replica.start().unwrap();
    world.followed();
    whole(&mut world);
    check(&mut world, FROM, &[(FROM, FROM + 12), (760, 775)]);
    check_ranges(&mut world, FROM);
    let (master, replica) = (world.net.master(), world.net.replica(0).unwrap());
    let below = json!([format!("{:#x}", FROM - 1), true]);
    let pruned = replica.respond("eth_getBlockByNumber", &below).unwrap();
    assert_eq!(pruned["error"]["code"], 4444, "{pruned}");
    let from = json!([{ "fromBlock": format!("{:#x}", FROM - 1), "toBlock": "latest" }]);
    assert_eq!(replica.respond("eth_getLogs", &from).unwrap()["error"]["code"], 4444);
    let block = master.call("eth_getBlockByNumber", &below).unwrap();
    let hash = json!([block["transactions"][0]["hash"]]);
    assert_eq!(replica.call("eth_getTransactionByHash", &hash).unwrap(), Value::Null);
    world.net.stop().unwrap();
}

#[test]
fn history_that_a_node_has_dropped_ends_where_its_bodies_do() {
    const KEPT: u64 = 800;
    let Some((mut world, _, floor)) = imported(&["version"]) else { return };
    // geth moves what is final to its old blocks.
    let index = world.net.node().data().join("geth/chaindata/ancient/chain/bodies.cidx");
    wait::until("old blocks", PATIENCE, || match fs::metadata(&index).map(|file| file.len() / 6) {
        Ok(items) if items > floor => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .unwrap();
    world.net.node().stop().unwrap();
    expire(&mut world, KEPT);
    world.resumed();
    let node = world.net.node().ipc();
    bring(&mut world, 1_000_000, RATE_KBPS, &[("Node", node)]);
    let replica = world.net.replica_daemon(0).unwrap();
    replica.launch().unwrap();
    assert_eq!(replica.wait(PATIENCE).unwrap().code(), Some(78));
    let errors = replica.errors();
    let wrong = "backfill.from: block 1000000 is above the head, block ";
    assert!(errors.iter().any(|line| line.contains(wrong)), "{errors:?}");
    replica.edit(|text| text.replace("from = 1000000", "from = 0")).unwrap();
    replica.start().unwrap();
    world.followed();
    let lacks = format!("no source has the block {}", KEPT - 1);
    until(&mut world, "the end of the node's bodies", |section| section["waitsFor"] == lacks.as_str());
    until(&mut world, "the floor to be there", |section| section["floor"] == KEPT);
    let log = world.net.replica_daemon(0).unwrap().log_tail(usize::MAX);
    assert_eq!(log.matches(&lacks).count(), 1, "{log}");
    check(&mut world, KEPT, &[(KEPT, KEPT + 12), (floor - 2, floor + 2)]);
    let (master, replica) = (world.net.master(), world.net.replica(0).unwrap());
    let below = json!([format!("{:#x}", KEPT - 1), true]);
    for side in [&master, &replica] {
        let pruned = side.respond("eth_getBlockByNumber", &below).unwrap();
        assert_eq!(pruned["error"]["code"], 4444, "{pruned}");
    }
    world.net.stop().unwrap();
}

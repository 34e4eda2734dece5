//! Bundles at a steady rate to four builders of which none is good, while the relay is killed again and again.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::{
    Searcher, World,
    builders::{Came, Manner},
};
use maidenlane_tests::{scenario::Carrier, suite::long, wait};
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);
/// First of the marks by which bundles are known: timestamps that never come.
const MARK: u64 = 4_000_000_000;
/// Blocks of a second until a bundle's own: room for two restarts on a busy machine, and two seconds more.
const BLOCKS: u64 = 30;
/// Time between kills.
const KILL_EVERY: Duration = Duration::from_secs(4);
/// Time between bundles.
const EVERY: Duration = Duration::from_millis(20);

/// Order of the test.
struct Sent {
    block: u64,
    cancelled: bool,
}

#[test]
fn no_acknowledged_bundle_is_lost_and_none_is_sent_after_its_block() {
    let builders = [
        ("slow", Manner::Slow(Duration::from_millis(100))),
        ("failing", Manner::FailingHalf),
        ("resetting", Manner::Resetting),
        ("liar", Manner::Lying),
    ];
    let mut world = World::with(Carrier::Segment, &builders);
    let searcher = Searcher::new(1);
    let (count, tx) = (if long() { 100_000 } else { 400 }, world.transaction());
    let (mut sent, mut kills, mut killed) = (BTreeMap::new(), 0_usize, Instant::now());
    for mark in MARK..MARK + count {
        let begun = Instant::now();
        if killed.elapsed() > KILL_EVERY {
            world.killed();
            (kills, killed) = (kills + 1, Instant::now());
        }
        let block = world.head() + BLOCKS;
        let name = format!("bundle-{mark}");
        let bundle = json!({
            "txs": [tx], "blockNumber": format!("{block:#x}"), "maxTimestamp": mark, "replacementUuid": name,
        });
        let answer = world.ask(&searcher, "eth_sendBundle", &json!([bundle]));
        assert_eq!(
            (&answer["result"]["durable"], &answer["result"]["applied"]),
            (&json!(true), &json!(true))
        );
        let cancelled = mark % 16 == 0;
        if cancelled {
            let answer = world.ask(&searcher, "eth_cancelBundle", &json!([{"replacementUuid": name}]));
            assert_eq!(answer["result"]["applied"], true, "{answer}");
        }
        sent.insert(mark, Sent { block, cancelled });
        // The pace of the load, not a wait for something.
        std::thread::sleep(EVERY.saturating_sub(begun.elapsed()));
    }
    let last = sent.values().map(|sent| sent.block).max().unwrap();
    let over = wait::until("the last bundle's block", SOON, || {
        let head = world.head();
        if head > last { Ok(()) } else { Err(format!("head {head} of {last}")) }
    });
    over.unwrap();
    let mut lines = Vec::new();
    for (index, (name, _)) in builders.iter().enumerate() {
        lines.push(judged(name, &world.builders[index].came(), &sent, kills));
    }
    println!("{count} bundles, {kills} kills\n{}", lines.join("\n"));
    assert!(kills > 0, "it was killed");
    assert_eq!(world.relay.errors(), Vec::<String>::new());
}

/// Holds what came to one builder against what was acknowledged.
fn judged(name: &str, came: &[Came], sent: &BTreeMap<u64, Sent>, kills: usize) -> String {
    let bundles: Vec<&Came> = came.iter().filter(|came| came.method == "eth_sendBundle").collect();
    let mut by_mark = BTreeMap::<u64, Vec<&Came>>::new();
    bundles.iter().for_each(|came| by_mark.entry(came.mark()).or_default().push(came));
    for (mark, all) in &by_mark {
        let keys: BTreeSet<_> = all.iter().map(|came| (&came.key, &came.body)).collect();
        assert_eq!(keys.len(), 1, "{name}: {mark} came under several keys");
        let late: Vec<u64> =
            all.iter().map(|came| came.head).filter(|head| *head > sent[mark].block).collect();
        assert!(late.is_empty(), "{name}: {mark} for block {} came at {late:?}", sent[mark].block);
    }
    let lies = bundles.iter().all(|came| !came.taken);
    let lost: Vec<u64> = sent
        .iter()
        // One that always lies is as good as away: it is asked now and then, for what is due first.
        .filter(|(mark, sent)| !lies && !sent.cancelled && !by_mark.contains_key(mark))
        .map(|(mark, _)| *mark)
        .collect();
    assert!(lost.is_empty(), "{name} never got {lost:?}");
    let taken = |mark: &u64| by_mark[mark].iter().filter(|came| came.taken).count();
    let untaken: Vec<u64> =
        by_mark.keys().filter(|mark| !lies && !sent[*mark].cancelled && taken(mark) == 0).copied().collect();
    assert!(untaken.is_empty(), "{name} never took {untaken:?}");
    let twice: usize = by_mark.keys().map(|mark| taken(mark).saturating_sub(1)).sum();
    let most = by_mark.keys().map(taken).max().unwrap_or_default();
    assert!(most <= 1 + kills, "{name} took one {most} times");
    format!("{name}: {} requests, {} bundles, {twice} taken again after a kill", bundles.len(), by_mark.len())
}

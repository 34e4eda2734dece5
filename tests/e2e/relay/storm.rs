//! Bundles at a steady rate to four builders of which none is good, while relays are killed again and again.
//!
//! # What is counted as lost
//! A bundle that was acknowledged, is not cancelled, and never came to a builder that takes something. Its block is far enough away for two
//! restarts on a busy machine and two seconds more, so that the builder was reachable in between.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Searcher, World,
    builders::{Came, Manner},
};
use maidenlane_tests::{daemon::Daemon, rpc::Client, scenario::Carrier, suite::long, wait};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);
/// First of the marks by which bundles are known: timestamps that never come.
const MARK: u64 = 4_000_000_000;
/// Blocks of a second until a bundle's own.
const BLOCKS: u64 = 30;
/// Time between kills.
const KILL_EVERY: Duration = Duration::from_secs(4);
/// Searchers at one time, each with a key of its own and one request at a time: as many as the rate takes.
const SEARCHERS: u8 = 8;
const SEARCHERS_LONG: u8 = 32;
/// Of so many bundles one is cancelled.
const CANCELLED: u64 = 16;
const BUILDERS: [(&str, Manner); 4] = [
    ("slow", Manner::Slow(Duration::from_millis(100))),
    ("failing", Manner::FailingHalf),
    ("resetting", Manner::Resetting),
    ("liar", Manner::Lying),
];

/// Acknowledged bundle.
struct Sent {
    block: u64,
    /// When its cancel was answered, and if that counted everywhere.
    cancelled: Option<(Instant, bool)>,
}

/// Load, and what became of it.
struct Load {
    /// Addresses of the relays that take something: none while the only one starts again.
    urls: RwLock<Vec<String>>,
    next: AtomicU64,
    head: AtomicU64,
    sent: Mutex<BTreeMap<u64, Sent>>,
    /// Requests without an answer: what they asked for may be there or not.
    unanswered: Mutex<BTreeSet<u64>>,
    is_over: AtomicBool,
}

impl Load {
    fn ask(&self, by: &Searcher, method: &str, params: &Value, turn: u64) -> Option<Value> {
        let open = wait::until("a relay that takes something", SOON, || {
            let urls = self.urls.read().unwrap().clone();
            if urls.is_empty() { Err("all of them start".to_owned()) } else { Ok(urls) }
        });
        let urls = open.unwrap();
        let url = &urls[usize::try_from(turn).unwrap() % urls.len()];
        let body = super::body(method, params);
        let answer = Client::new(url).post_with(&body, &[("X-Flashbots-Signature", &by.header(&body))]);
        serde_json::from_str(&answer.ok()?.1).ok()
    }

    /// One searcher, at its share of the rate.
    fn search(&self, by: &Searcher, tx: &str, last: u64, every: Duration) {
        loop {
            let begun = Instant::now();
            let mark = self.next.fetch_add(1, Ordering::Relaxed);
            if mark >= last {
                return;
            }
            let (block, name) = (self.head.load(Ordering::Relaxed) + BLOCKS, format!("bundle-{mark}"));
            let bundle = json!({
                "txs": [tx], "blockNumber": format!("{block:#x}"), "maxTimestamp": mark, "replacementUuid": name,
            });
            match self.ask(by, "eth_sendBundle", &json!([bundle]), mark) {
                Some(answer) if answer["result"]["durable"] == true => {
                    self.sent.lock().unwrap().insert(mark, Sent { block, cancelled: None });
                }
                // Killed before it answered, or starting.
                _ => drop(self.unanswered.lock().unwrap().insert(mark)),
            }
            if is_cancelled(mark) {
                let cancel = json!([{"replacementUuid": name}]);
                if let Some(answer) = self.ask(by, "eth_cancelBundle", &cancel, mark + 1) {
                    let cancelled = Some((Instant::now(), answer["result"]["applied"] == true));
                    if let Some(sent) = self.sent.lock().unwrap().get_mut(&mark) {
                        sent.cancelled = cancelled;
                    }
                }
            }
            // The pace of the load, not a wait for something.
            thread::sleep(every.saturating_sub(begun.elapsed()));
        }
    }
}

fn storm(carrier: Carrier, second: bool) {
    let (count, per_s, searchers) =
        if long() { (100_000, 1_000, SEARCHERS_LONG) } else { (5_000, 200, SEARCHERS) };
    let mut world = World::with(carrier, &BUILDERS);
    let mut relays = relays(&mut world, second);
    let (tx, node) = (world.transaction(), world.net.master());
    let load = Load {
        urls: RwLock::new(relays.iter_mut().map(address).collect()),
        next: AtomicU64::new(MARK),
        head: AtomicU64::new(node.block_number().unwrap()),
        sent: Mutex::default(),
        unanswered: Mutex::default(),
        is_over: AtomicBool::new(false),
    };
    let every = Duration::from_secs(1) * u32::from(searchers) / per_s;
    let begun = Instant::now();
    let kills = thread::scope(|scope| {
        let searchers = (1..=searchers).map(|number| {
            let (load, tx) = (&load, &tx);
            scope.spawn(move || load.search(&Searcher::new(number), tx, MARK + count, every))
        });
        let searchers: Vec<_> = searchers.collect();
        scope.spawn(|| {
            while !load.is_over.load(Ordering::Relaxed) {
                load.head.store(node.block_number().unwrap(), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(100));
            }
        });
        let kills =
            killed(&mut relays, &load, || searchers.iter().all(thread::ScopedJoinHandle::is_finished));
        load.is_over.store(true, Ordering::Relaxed);
        kills
    });
    let took = begun.elapsed();
    let (sent, unanswered) = (load.sent.into_inner().unwrap(), load.unanswered.into_inner().unwrap());
    let last = sent.values().map(|sent| sent.block).max().unwrap();
    let over = wait::until("the last bundle's block", SOON, || {
        let head = node.block_number().map_err(|failure| failure.to_string())?;
        if head > last { Ok(()) } else { Err(format!("head {head} of {last}")) }
    });
    over.unwrap();
    let lines: Vec<String> = (BUILDERS.iter().zip(&world.builders))
        .map(|((name, _), builder)| judged(name, &builder.came(), &sent, kills))
        .collect();
    let applied = sent.values().filter(|sent| matches!(sent.cancelled, Some((_, true)))).count();
    println!(
        "{} of {count} bundles acknowledged in {} s by {} relays (asked for: {per_s}/s), {} unanswered, {applied} cancels counted, {kills} kills\n{}",
        sent.len(),
        took.as_secs(),
        relays.len(),
        unanswered.len(),
        lines.join("\n")
    );
    assert!(kills > 0 && applied > 0, "they were killed, and some cancels counted");
    assert!(sent.len() * 10 > usize::try_from(count).unwrap() * 5, "most were acknowledged");
    assert!(relays.iter().all(|relay| relay.errors().is_empty()), "{:?}", relays[0].errors());
}

/// One relay or two, with room for all bundles and lanes for a slow builder.
fn relays(world: &mut World, second: bool) -> Vec<Daemon> {
    let urls: Vec<String> = world.builders.iter().map(super::builders::Builder::url).collect();
    let named: Vec<(&str, &str)> =
        BUILDERS.iter().zip(&urls).map(|((name, _), url)| (*name, url.as_str())).collect();
    let unused = world.net.relay("unused", &[], &named).unwrap();
    let mut relays = vec![std::mem::replace(&mut world.relay, unused)];
    if second {
        relays.push(world.net.relay("relay-1", &["builder"], &named).unwrap());
    }
    for relay in &mut relays {
        let wider = |text: &str| {
            text.replace("ordersMax = 10000", "ordersMax = 1000000").replace("lanes = 8", "lanes = 200")
        };
        relay.edit(wider).unwrap();
        restarted(relay);
    }
    relays
}

/// Kills one after the other until all is sent; how often.
fn killed(relays: &mut [Daemon], load: &Load, is_sent: impl Fn() -> bool) -> usize {
    let mut kills = 0;
    while !is_sent() {
        thread::sleep(KILL_EVERY);
        let index = kills % relays.len();
        // Whoever asks it now gets no answer; nobody begins to.
        relays[index].kill();
        let others = relays.iter_mut().enumerate().filter(|(other, _)| *other != index);
        *load.urls.write().unwrap() = others.map(|(_, relay)| address(relay)).collect();
        restarted(&mut relays[index]);
        *load.urls.write().unwrap() = relays.iter_mut().map(address).collect();
        kills += 1;
    }
    kills
}

fn address(relay: &mut Daemon) -> String {
    format!("http://{}", relay.address("rpc").unwrap())
}

fn restarted(relay: &mut Daemon) {
    relay.kill();
    relay.start().unwrap();
    relay.ready(SOON).unwrap_or_else(|failure| panic!("{failure}\n{}", relay.log_tail(20)));
}

/// True for a bundle that its searcher takes back. Where that got no answer, nobody knows if it counts.
const fn is_cancelled(mark: u64) -> bool {
    mark.is_multiple_of(CANCELLED)
}

/// Holds what came to one builder against what was acknowledged.
fn judged(name: &str, came: &[Came], sent: &BTreeMap<u64, Sent>, kills: usize) -> String {
    let bundles: Vec<&Came> = came.iter().filter(|came| came.method == "eth_sendBundle").collect();
    let mut by_mark = BTreeMap::<u64, Vec<&Came>>::new();
    bundles.iter().for_each(|came| by_mark.entry(came.mark()).or_default().push(came));
    for (mark, all) in &by_mark {
        let keys: BTreeSet<_> = all.iter().map(|came| (&came.key, &came.body)).collect();
        assert_eq!(keys.len(), 1, "{name}: {mark} came under several keys");
        let late: Vec<u64> = all.iter().map(|came| came.head).filter(|head| *head > all[0].block()).collect();
        assert!(late.is_empty(), "{name}: {mark} for block {} came at {late:?}", all[0].block());
        let cancelled = sent.get(mark).and_then(|sent| sent.cancelled);
        if let Some((at, true)) = cancelled {
            let first = all.iter().map(|came| came.at).min().unwrap();
            assert!(first <= at, "{name}: {mark} first came {:?} after its cancel counted", first - at);
        }
    }
    let lies = bundles.iter().all(|came| !came.taken);
    let lost: Vec<u64> = sent
        .iter()
        // One that always lies is as good as away: it is asked now and then, for what is due first.
        .filter(|(mark, _)| !lies && !is_cancelled(**mark) && !by_mark.contains_key(mark))
        .map(|(mark, _)| *mark)
        .collect();
    assert!(lost.is_empty(), "{name} never got {} of them: {:?}", lost.len(), &lost[..lost.len().min(9)]);
    let taken = |mark: &u64| by_mark[mark].iter().filter(|came| came.taken).count();
    let counts = |mark: &&u64| sent.contains_key(mark) && !is_cancelled(**mark);
    let untaken: Vec<&u64> =
        by_mark.keys().filter(|mark| !lies && counts(mark) && taken(mark) == 0).collect();
    assert!(untaken.is_empty(), "{name} never took {untaken:?}");
    let twice: usize = by_mark.keys().map(|mark| taken(mark).saturating_sub(1)).sum();
    let most = by_mark.keys().map(taken).max().unwrap_or_default();
    assert!(most <= 1 + kills, "{name} took one {most} times");
    format!("{name}: {} requests, {} bundles, {twice} taken again", bundles.len(), by_mark.len())
}

#[test]
fn no_acknowledged_bundle_is_lost_and_none_is_sent_after_its_block() {
    storm(Carrier::Segment, false);
}

#[test]
fn two_relays_lose_none_either_whichever_of_them_is_killed() {
    storm(Carrier::Kafka, true);
}

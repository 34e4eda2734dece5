//! Benchmark of simulation. Started by `cargo measure simulation`, which makes the feed of a generated chain; the arguments are the
//! segment log's directory and the topic.
//!
//! The feed is replayed into a database, as a relay does it. Bundles of two transactions then run on its head: one that all bundles
//! begin with, as bids for what follows a user's transaction do, and a write to a contract of the chain that is each bundle's own.
//! Four ways: prepared anew, run with nothing known, with what they share known, and with all known.

#![expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]

use alloy::consensus::TxEip1559;
use alloy::primitives::{TxKind, U256, keccak256};
use maidenlane_chain::{Address, B256, BlockRef, Bytes};
use maidenlane_evm::budget::Budget;
use maidenlane_evm::codes::Codes;
use maidenlane_feed::Reader;
use maidenlane_log::{Backend, segment};
use maidenlane_relay::simulation::next::{self, Wishes};
use maidenlane_relay::simulation::prepared::{Leave, Prepared};
use maidenlane_relay::simulation::run::Made;
use maidenlane_relay::simulation::tried::Cache;
use maidenlane_replay::apply::Demands;
use maidenlane_replay::follow::{Follower, Keep, Logs, Past};
use maidenlane_replay::heads::{HeadView, Parsed};
use maidenlane_replay::liveness::Liveness;
use maidenlane_service::Tracer;
use maidenlane_state::{At, StateView};
use maidenlane_store::Store;
use maidenlane_testkit::keys::{CHAIN_ID, Key};
use maidenlane_wire::Record;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

const KEEP: Keep = Keep { undo_blocks: 90_000, history: Past::Blocks(128), proofs: None };
const CACHE_BYTES: usize = 64 << 20;
const READ_BYTES: usize = 8 << 20;
const BUNDLES: u64 = 4_000;
/// Number of runs of each way. The best counts: neighbours only ever make it slower.
const ROUNDS: u32 = 3;
const GWEI: u128 = 1_000_000_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [dir, topic] = arguments.as_slice() else {
        return Err("wants a segment log and a topic; `cargo measure simulation` has them".into());
    };
    let log = Backend::Segment(segment::Options::new(dir.as_str()));
    let scratch = tempfile::tempdir()?;
    let store = Arc::new(Store::open(&scratch.path().join("db"), CACHE_BYTES)?);
    follow(&log, topic, &store)?;
    let view = HeadView::new(store.view().ok_or("an empty feed")?, &mut Parsed::default())?;
    let (raw, contract) = bundles(&view)?;
    println!(
        "block {}, {BUNDLES} bundles of 2 transactions, the second calls {contract}",
        view.head().block.number
    );

    let begun = Instant::now();
    let prepared = raw.iter().map(|txs| Prepared::new(txs, |_, _| Leave::None, &mut patient()));
    let prepared: Result<Vec<Prepared>, _> = prepared.collect();
    let prepared = prepared.map_err(|_| "a bundle cannot be prepared")?;
    tell("decoding and signers", BUNDLES, begun.elapsed());

    let header = next::header(&view.head().rules, &view.head().header, 12, &Wishes::default());
    let codes = Codes::new(64 << 20);
    for threads in [1, std::thread::available_parallelism().map_or(1, usize::from)] {
        let bench = Bench { view: &view, header: &header, codes: &codes, prepared: &prepared, threads };
        let own = |_: u32| None;
        let (first, gas) = bench.best(own)?;
        let shared: Vec<Cache> = (0..ROUNDS).map(|_| Cache::new(1 << 30)).collect();
        let (sharing, _) = bench.best(|round| shared.get(usize::try_from(round).ok()?))?;
        let all = shared.first();
        let (known, _) = bench.best(|_| all)?;
        println!("{threads} threads, {} gas a bundle", gas / BUNDLES);
        tell("  nothing known", BUNDLES, first);
        tell("  the first transaction known", BUNDLES, sharing);
        tell("  both known", BUNDLES, known);
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn tell(what: &str, bundles: u64, time: Duration) {
    let seconds = time.as_secs_f64();
    let (rate, each) = (bundles as f64 / seconds, seconds * 1e6 / (bundles * 2) as f64);
    println!("{what:<30} {rate:>9.0} bundles/s {each:>8.1} us a transaction");
}

fn patient() -> Budget {
    Budget::until(Instant::now() + Duration::from_secs(600), Arc::default())
}

/// Replays the feed into the store.
fn follow(log: &Backend, topic: &str, store: &Arc<Store>) -> Outcome<()> {
    let (mut consumer, mut reader) = (log.consumer(topic, 0)?, Reader::at_start());
    let (mut chain_id, mut last) = (0, BlockRef::default());
    loop {
        let entries = consumer.read(READ_BYTES, Duration::ZERO)?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            match reader.read(&entry)?.map(|whole| whole.record()).transpose()? {
                Some(Record::Open(open)) => chain_id = open.chain_id,
                Some(Record::Advance(advance)) => last = advance.block,
                _ => {}
            }
        }
    }
    let demands = Demands { chain_id, genesis: None, proofs: false };
    let logs = Logs { blocks: log.consumer(topic, 0)?, proofs: None };
    let liveness = Arc::new(Liveness::default());
    let mut follower =
        Follower::new(Arc::clone(store), KEEP, demands, logs, Tracer::silent(), liveness, &mut || ())?;
    while follower.facts().head != Some(last) {
        follower.turn(Duration::ZERO)?;
    }
    Ok(())
}

/// Bundles on the head of a generated chain, and the contract that they write to.
fn bundles(view: &dyn StateView) -> Outcome<(Vec<[Bytes; 2]>, Address)> {
    let keys = Key::of_generated_chains();
    let [user, searcher, ..] = &keys[..] else { return Err("too few accounts".into()) };
    let account = |address: Address| view.account(keccak256(address), At::Latest);
    let nonce = |key: &Key| Ok::<_, Box<dyn Error>>(account(key.address)?.map_or(0, |account| account.nonce));
    let mut made = (0..nonce(user)?).map(|nonce| user.address.create(nonce));
    let has_code = |address: &Address| {
        account(*address).ok().flatten().is_some_and(|account| account.code_hash != keccak256([]))
    };
    let contract = made.find(has_code).ok_or("the chain has no contract")?;
    let signed = |key: &Key, nonce: u64, to: Address, input: Bytes| {
        let tx = TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: 100_000,
            max_fee_per_gas: 1_000 * GWEI,
            max_priority_fee_per_gas: GWEI,
            to: TxKind::Call(to),
            input,
            ..TxEip1559::default()
        };
        key.sign(tx).1
    };
    let first = signed(user, nonce(user)?, Address::repeat_byte(7), Bytes::new());
    let nonce = nonce(searcher)?;
    let second = |number: u64| {
        let words = [B256::from(U256::from(number % 64)), B256::from(U256::from(number + 1))];
        signed(searcher, nonce, contract, words.concat().into())
    };
    Ok(((0..BUNDLES).map(|number| [first.clone(), second(number)]).collect(), contract))
}

/// Bundles to run, and where.
struct Bench<'a> {
    view: &'a dyn StateView,
    header: &'a alloy::consensus::Header,
    codes: &'a Codes,
    prepared: &'a [Prepared],
    threads: usize,
}

impl Bench<'_> {
    /// The best time of all bundles, each with the cache of its round, and their gas.
    fn best<'c>(&self, cache: impl Fn(u32) -> Option<&'c Cache>) -> Outcome<(Duration, u64)> {
        let (mut best, mut gas) = (Duration::MAX, 0);
        for round in 0..ROUNDS {
            let begun = Instant::now();
            gas = self.run(cache(round))?;
            best = best.min(begun.elapsed());
        }
        Ok((best, gas))
    }

    fn run(&self, cache: Option<&Cache>) -> Outcome<u64> {
        let share = self.prepared.len().div_ceil(self.threads);
        std::thread::scope(|scope| {
            let parts =
                self.prepared.chunks(share).map(|part| scope.spawn(move || self.run_part(part, cache)));
            let parts: Vec<_> = parts.collect();
            let mut gas = 0;
            for part in parts {
                gas += part.join().map_err(|_| "a thread panicked")??;
            }
            Ok(gas)
        })
    }

    fn run_part(&self, part: &[Prepared], cache: Option<&Cache>) -> Result<u64, String> {
        let (rules, at) = (&self.view.head().rules, (At::Latest, self.header.number));
        let block = Made::begin(self.header, rules, self.view, at, self.codes, &mut patient());
        let block = block.map_err(|failure| format!("{failure:?}"))?;
        let block = match cache {
            Some(cache) => block.noted(cache),
            None => block,
        };
        let mut gas = 0;
        for bundle in part {
            let outcome = block.run(bundle, &mut patient()).map_err(|failure| format!("{failure:?}"))?;
            if let Some(stop) = outcome.stop {
                return Err(format!("a bundle ended at {}: {}", stop.index, stop.problem));
            }
            gas += outcome.gas_used();
        }
        Ok(gas)
    }
}

//! Benchmark of catch-up: a new replica replays a feed that is all there already. Started by `cargo measure catch-up`,
//! which makes the feed; the arguments are the segment log's directory, the topics of blocks and of trie nodes, and geth's
//! import rate in blocks per second.
//!
//! Three ways over the same blocks, without and with trie nodes: the follower as the daemon runs it, RocksDB alone putting
//! the rows that the follower writes into one batch per block (the floor), and RocksDB alone table by table.

#![expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]

mod feed;

use feed::Feed;
use maidenlane_chain::block::decode_header;
use maidenlane_log::{Backend, segment};
use maidenlane_replay::{
    apply::Demands,
    follow::{Follower, Keep, Past},
    liveness::Liveness,
};
use maidenlane_service::Tracer;
use maidenlane_state::trie::whole;
use maidenlane_store::{Store, TableRows};
use maidenlane_wire::Record;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CACHE_BYTES: usize = 256 << 20;
/// Number of runs of each way. The best counts: neighbours only ever make it slower.
const ROUNDS: u32 = 3;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [dir, topic, nodes_topic, import] = arguments.as_slice() else {
        return Err(
            "wants a segment log, two topics, and geth's import rate; `cargo measure catch-up` has them"
                .into(),
        );
    };
    let import: f64 = import.parse()?;
    let log = Backend::Segment(segment::Options::new(dir.as_str()));
    let feed = Feed::read(log, topic, nodes_topic)?;
    println!("{ROUNDS} rounds, the best of each way");
    println!("geth import    {import:>8.1} blocks/s");
    for nodes in [false, true] {
        compare(&feed, nodes, import)?;
    }
    Ok(())
}

/// Both ways, and what one table after the other costs.
fn compare(feed: &Feed, nodes: bool, import: f64) -> Outcome<()> {
    let rows = rows(feed, nodes)?;
    let (mut replica, mut plain) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        replica = replica.min(follow(feed, nodes)?);
        plain = plain.min(write(&rows)?);
    }
    let blocks = feed.records.len();
    let count = rows.iter().flatten().map(TableRows::count).sum();
    let (followed, floor) = (rate(blocks, replica), rate(blocks, plain));
    println!("{blocks} blocks, {count} rows, {} trie nodes", if nodes { "with" } else { "without" });
    println!("replica        {followed:>8.1} blocks/s  {:>9.0} rows/s", rate(count, replica));
    println!("RocksDB alone  {floor:>8.1} blocks/s  {:>9.0} rows/s", rate(count, plain));
    if !nodes {
        println!("replica / geth import   {:>6.2}  (goal: at least 4)", followed / import);
    }
    println!("replica / RocksDB alone {:>6.2}  (goal: at least 0.6)", followed / floor);
    println!("table            rows/block  kB/block  RocksDB alone with this table's rows only");
    for line in by_table(rows)? {
        println!("{line}");
    }
    Ok(())
}

const fn keep(nodes: bool) -> Keep {
    let proofs = if nodes { Some(Past::All) } else { None };
    Keep { undo_blocks: 90_000, history: Past::All, proofs }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// A new database.
struct World {
    store: Arc<Store>,
    _dir: tempfile::TempDir,
}

impl World {
    fn new() -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        Ok(Self { store: Arc::new(Store::open(&dir.path().join("db"), CACHE_BYTES)?), _dir: dir })
    }
}

/// Follows as the daemon's own loop does, from an empty database to the feed's last block.
fn follow(feed: &Feed, nodes: bool) -> Outcome<Duration> {
    let world = World::new()?;
    let (store, liveness) = (Arc::clone(&world.store), Arc::new(Liveness::default()));
    let demands = Demands { chain_id: feed.open.chain_id, genesis: None, proofs: nodes };
    let (logs, begun) = (feed.logs(nodes)?, Instant::now());
    let mut follower =
        Follower::new(store, keep(nodes), demands, logs, Tracer::silent(), liveness, &mut || ())?;
    while follower.facts().head != Some(feed.last) {
        follower.turn(Duration::ZERO)?;
    }
    Ok(begun.elapsed())
}

/// Rows that the follower writes, for each block by table.
fn rows(feed: &Feed, nodes: bool) -> Outcome<Vec<Vec<TableRows>>> {
    let world = World::new()?;
    let of_block = |record: &Record| {
        let mut batch = world.store.batch(world.store.facts(), keep(nodes));
        match record {
            Record::Genesis(genesis) => {
                world.store.genesis(&mut batch, genesis)?;
                if nodes {
                    let root = decode_header(&genesis.header)?.state_root;
                    world.store.begin_nodes(&mut batch, &whole::whole(&genesis.rows, root)?)?;
                }
            }
            Record::Advance(advance) => {
                if nodes {
                    let (set, position) = feed.set(advance.proofs)?;
                    world.store.put_nodes(&mut batch, advance.block, &set.nodes, *position)?;
                }
                world.store.advance(&mut batch, advance)?;
            }
            _ => {}
        }
        let rows = batch.by_table();
        if nodes {
            // The nodes before a block's are read from the store.
            world.store.write(batch)?;
        }
        Ok(rows)
    };
    feed.records.iter().map(of_block).collect()
}

/// Writes the rows with RocksDB alone: a batch per block, to a new database.
fn write(rows: &[Vec<TableRows>]) -> Outcome<Duration> {
    let world = World::new()?;
    let begun = Instant::now();
    for of_block in rows {
        world.store.write(world.store.batch_of(of_block)?)?;
    }
    Ok(begun.elapsed())
}

/// A line per table: its share of the rows, and how fast RocksDB writes these alone.
fn by_table(rows: Vec<Vec<TableRows>>) -> Outcome<Vec<String>> {
    let blocks = rows.len();
    let mut tables: BTreeMap<&str, Vec<Vec<TableRows>>> = BTreeMap::new();
    for of_table in rows.into_iter().flatten() {
        tables.entry(of_table.table).or_default().push(vec![of_table]);
    }
    let lines = tables.into_iter().map(|(table, rows)| {
        let sum = |of: fn(&TableRows) -> usize| rows.iter().flatten().map(of).sum::<usize>();
        let (count, bytes) = (sum(TableRows::count), sum(TableRows::bytes));
        let per_block =
            |total: usize| rate(total, Duration::from_secs(1)) / rate(blocks, Duration::from_secs(1));
        Ok(format!(
            "{table:<16} {:>10.1} {:>9.1} {:>9.0} rows/s",
            per_block(count),
            per_block(bytes) / 1_000.0,
            rate(count, write(&rows)?)
        ))
    });
    lines.collect()
}

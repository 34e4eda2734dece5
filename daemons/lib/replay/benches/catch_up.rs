//! Benchmark of catch-up: a new replica replays a feed that is all there already. Started by `cargo measure catch-up`,
//! which makes the feed; the arguments are the segment log's directory, the topic, and geth's import rate in blocks per
//! second.
//!
//! Three ways over the same blocks: the follower as the daemon runs it, RocksDB alone putting the rows that the
//! follower writes into one batch per block (the floor), and RocksDB alone table by table.

#![expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]

use maidenlane_chain::BlockRef;
use maidenlane_feed::Reader;
use maidenlane_log::{Backend, LogConsumer, segment};
use maidenlane_replay::{
    apply::Demands,
    follow::{Follower, Keep, Logs, Past},
    liveness::Liveness,
};
use maidenlane_service::Tracer;
use maidenlane_store::{Facts, Store, TableRows};
use maidenlane_wire::{Open, Record};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

const KEEP: Keep = Keep { undo_blocks: 90_000, history: Past::All, proofs: None };
const CACHE_BYTES: usize = 256 << 20;
const READ_BYTES: usize = 8 << 20;
/// Number of runs of each way. The best counts: neighbours only ever make it slower.
const ROUNDS: u32 = 3;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [dir, topic, import] = arguments.as_slice() else {
        return Err(
            "wants a segment log, a topic, and geth's import rate; `cargo measure catch-up` has them".into(),
        );
    };
    let import: f64 = import.parse()?;
    let log = Backend::Segment(segment::Options::new(dir.as_str()));
    let feed = Feed::read(log.consumer(topic, 0)?)?;

    let rows = rows(&feed)?;
    let (mut replica, mut plain) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        replica = replica.min(follow(log.consumer(topic, 0)?, &feed)?);
        plain = plain.min(write(&rows)?);
    }
    let blocks = feed.records.len();
    let count = rows.iter().flatten().map(TableRows::count).sum();
    let (followed, floor) = (rate(blocks, replica), rate(blocks, plain));
    println!("{blocks} blocks, {count} rows; {ROUNDS} rounds, the best of each way");
    println!("geth import    {import:>8.1} blocks/s");
    println!("replica        {followed:>8.1} blocks/s  {:>9.0} rows/s", rate(count, replica));
    println!("RocksDB alone  {floor:>8.1} blocks/s  {:>9.0} rows/s", rate(count, plain));
    println!("replica / geth import   {:>6.2}  (goal: at least 4)", followed / import);
    println!("replica / RocksDB alone {:>6.2}  (goal: at least 0.6)", followed / floor);
    println!("table            rows/block  kB/block  RocksDB alone with this table's rows only");
    for line in by_table(rows)? {
        println!("{line}");
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// Records of the feed in the log.
struct Feed {
    open: Open,
    records: Vec<Record>,
    last: BlockRef,
}

impl Feed {
    fn read(mut consumer: Box<dyn LogConsumer>) -> Outcome<Self> {
        let (mut open, mut records, mut last) = (None, Vec::new(), BlockRef::default());
        let mut reader = Reader::at_start();
        loop {
            let entries = consumer.read(READ_BYTES, Duration::ZERO)?;
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                match reader.read(&entry)?.map(|whole| whole.record()).transpose()? {
                    Some(Record::Open(found)) => open = Some(found),
                    Some(Record::Genesis(genesis)) => records.push(Record::Genesis(genesis)),
                    Some(Record::Advance(advance)) => {
                        last = advance.block;
                        records.push(Record::Advance(advance));
                    }
                    _ => {}
                }
            }
        }
        Ok(Self { open: open.ok_or("the log holds no feed")?, records, last })
    }
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
fn follow(consumer: Box<dyn LogConsumer>, feed: &Feed) -> Outcome<Duration> {
    let world = World::new()?;
    let (store, liveness) = (Arc::clone(&world.store), Arc::new(Liveness::default()));
    let demands = Demands { chain_id: feed.open.chain_id, genesis: None, proofs: false };
    let begun = Instant::now();
    let mut follower = Follower::new(
        store,
        KEEP,
        demands,
        Logs { blocks: consumer, proofs: None },
        Tracer::silent(),
        liveness,
        &mut || (),
    )?;
    while follower.facts().head != Some(feed.last) {
        follower.turn(Duration::ZERO)?;
    }
    Ok(begun.elapsed())
}

/// Rows that the follower writes, for each block by table.
fn rows(feed: &Feed) -> Outcome<Vec<Vec<TableRows>>> {
    let world = World::new()?;
    let of_block = |record: &Record| {
        let mut batch = world.store.batch(Facts::default(), KEEP);
        match record {
            Record::Genesis(genesis) => world.store.genesis(&mut batch, genesis)?,
            Record::Advance(advance) => world.store.advance(&mut batch, advance)?,
            _ => {}
        }
        Ok(batch.by_table())
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

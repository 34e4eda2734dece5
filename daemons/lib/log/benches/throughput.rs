//! Benchmark of the log: appends and reads, beside the raw limit, that is the same bytes written to a file in the same
//! directory and made durable as often, and read from it. Started by `cargo measure log`, whose argument is a Kafka
//! broker's address, if there is one.
//!
//! Reads come from the page cache, as those of a follower near the head do.

#![expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]

use maidenlane_log::{Append, Backend, TopicOptions, kafka, segment};
use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Loads: entry size, entries per append (one durable write), appends.
const LOADS: [(usize, usize, usize); 3] = [(300, 1_000, 50), (100_000, 1, 400), (100_000, 100, 20)];
const READ_BYTES: usize = 8 << 20;
/// Number of runs of each way. The best counts: neighbours only ever make it slower.
const ROUNDS: usize = 3;
/// Size of an entry that is handed over: about a block of ten transactions.
const HANDED_BYTES: usize = 10_000;
const HANDED_EVERY: Duration = Duration::from_millis(100);
const HANDED: usize = 220;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    // Cargo adds `--bench`.
    let broker = std::env::args().skip(1).find(|argument| argument != "--bench");
    println!("MB/s                         append                       read");
    println!("entry bytes x per append     segment   kafka  raw file    segment   kafka  raw file");
    for (round, load) in LOADS.into_iter().enumerate() {
        let dir = tempfile::tempdir()?;
        let raw = best(|_| raw(dir.path(), load))?;
        let segments = Backend::Segment(segment::Options::new(dir.path().join("log")));
        let segment = best(|turn| through(&segments, &format!("load-{round}-{turn}"), load))?;
        let kafka = match &broker {
            Some(broker) => {
                let backend = Backend::Kafka(kafka::Options::new(vec![broker.clone()]));
                Some(best(|turn| through(&backend, &format!("load-{round}-{turn}"), load))?)
            }
            None => None,
        };
        let shown = |speed: Option<f64>| speed.map_or("not run".to_owned(), |speed| format!("{speed:.0}"));
        println!(
            "{:>11} x {:<14} {:>8} {:>7} {:>9}   {:>8} {:>7} {:>9}",
            load.0,
            load.1,
            shown(Some(segment.append)),
            shown(kafka.as_ref().map(|speed| speed.append)),
            shown(Some(raw.append)),
            shown(Some(segment.read)),
            shown(kafka.as_ref().map(|speed| speed.read)),
            shown(Some(raw.read)),
        );
        println!(
            "    segment / raw file     {:>8.2} {:>29.2}",
            segment.append / raw.append,
            segment.read / raw.read
        );
    }
    println!();
    println!(
        "ms from an append until a waiting reader has it, one entry of {HANDED_BYTES} bytes every {HANDED_EVERY:?}"
    );
    let dir = tempfile::tempdir()?;
    let segments = Backend::Segment(segment::Options::new(dir.path().join("log")));
    let kafka = broker.map(|broker| Backend::Kafka(kafka::Options::new(vec![broker])));
    for (name, backend) in [("segment", Some(segments)), ("kafka", kafka)] {
        let Some(backend) = backend else { continue };
        let took_ms = hand_over(&backend)?;
        let quantile = |share: usize| took_ms.get(took_ms.len() * share / 100).copied().unwrap_or_default();
        println!("{name:<8} p50 {:>5.1}  p99 {:>5.1}", quantile(50), quantile(99));
    }
    Ok(())
}

/// Measures the floor of a replica's lag: nothing but the log between writer and reader.
fn hand_over(backend: &Backend) -> Outcome<Vec<f64>> {
    let topic = "handed";
    backend.create(topic, &TopicOptions::default())?;
    let mut producer = backend.producer(topic)?;
    let mut consumer = backend.consumer(topic, 0)?;
    let (tell, begun) = std::sync::mpsc::sync_channel::<Instant>(1);
    let reader = std::thread::spawn(move || -> Result<Vec<f64>, maidenlane_log::Error> {
        let mut took_ms = Vec::new();
        while took_ms.len() < HANDED {
            for _ in consumer.read(READ_BYTES, Duration::from_secs(10))? {
                let Ok(begun) = begun.recv() else { return Ok(took_ms) };
                took_ms.push(begun.elapsed().as_secs_f64() * 1e3);
            }
        }
        Ok(took_ms)
    });
    for seed in 0..HANDED {
        std::thread::sleep(HANDED_EVERY);
        let payload = payload(HANDED_BYTES, seed);
        tell.send(Instant::now())?;
        producer.append(&[Append { key: None, payload: &payload }])?;
    }
    let mut took_ms = reader.join().map_err(|_| "the reader died")??;
    // The first ones open connections.
    took_ms.drain(..took_ms.len().min(HANDED / 10));
    took_ms.sort_by(f64::total_cmp);
    Ok(took_ms)
}

/// Speeds in MB/s.
struct Speed {
    append: f64,
    read: f64,
}

fn best(run: impl Fn(usize) -> Outcome<Speed>) -> Outcome<Speed> {
    let mut best = Speed { append: 0.0, read: 0.0 };
    for turn in 0..ROUNDS {
        let speed = run(turn)?;
        best = Speed { append: best.append.max(speed.append), read: best.read.max(speed.read) };
    }
    Ok(best)
}

#[expect(clippy::cast_precision_loss, reason = "sizes far below 2^52")]
fn speed(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}

/// Bytes that neither compress to nothing nor are all the same, as hashes and balances do not.
fn payload(bytes: usize, seed: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (seed as u64);
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

fn through(backend: &Backend, topic: &str, (bytes, count, appends): (usize, usize, usize)) -> Outcome<Speed> {
    backend.create(topic, &TopicOptions::default())?;
    let payloads: Vec<_> = (0..count).map(|seed| payload(bytes, seed)).collect();
    let entries: Vec<_> = payloads.iter().map(|payload| Append { key: None, payload }).collect();
    let mut producer = backend.producer(topic)?;
    let total = bytes * count * appends;
    let begun = Instant::now();
    for _ in 0..appends {
        producer.append(&entries)?;
    }
    let append = speed(total, begun.elapsed());
    let mut consumer = backend.consumer(topic, 0)?;
    let mut left = total;
    let begun = Instant::now();
    while left > 0 {
        let entries = consumer.read(READ_BYTES, Duration::from_secs(10))?;
        if entries.is_empty() {
            return Err(format!("{left} bytes did not come back").into());
        }
        left -= entries.iter().map(|entry| entry.payload.len()).sum::<usize>();
    }
    Ok(Speed { append, read: speed(total, begun.elapsed()) })
}

/// Measures the limit: plain files.
fn raw(dir: &Path, (bytes, count, appends): (usize, usize, usize)) -> Outcome<Speed> {
    let path = dir.join("raw");
    let block: Vec<_> = (0..count).flat_map(|seed| payload(bytes, seed)).collect();
    let mut file = File::create(&path)?;
    let total = block.len() * appends;
    let begun = Instant::now();
    for _ in 0..appends {
        file.write_all(&block)?;
        file.sync_data()?;
    }
    let append = speed(total, begun.elapsed());
    let mut file = File::open(&path)?;
    let mut buffer = vec![0; READ_BYTES];
    let begun = Instant::now();
    while file.read(&mut buffer)? > 0 {}
    Ok(Speed { append, read: speed(total, begun.elapsed()) })
}

//! Benchmark of an import: a state made here, as geth exports it. Started by `cargo measure import`; the argument is the
//! number of rows.
//!
//! Beside the import, without and with trie nodes: RocksDB's own writer of sorted files alone, over the same rows (the
//! floor), and a plain file of as many bytes as the export has (the disk). A state of more than 150 million rows is made
//! while it is imported, and without trie nodes: its export would fill the disk.

#![expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]

mod memory;
mod reads;
mod state;

use maidenlane_bootstrap::master::{Blocks, Content, Header};
use maidenlane_bootstrap::{Error, Files, Plan, import};
use maidenlane_chain::B256;
use maidenlane_store::bulk::{Format, Table};
use state::State;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const CHAIN_ID: u64 = 7;
/// Rows that are in memory at a time.
const ROWS_AT_A_TIME: usize = 1 << 18;
/// Rows from which the export is not a file but a pipe.
const STREAMED_FROM: usize = 150_000_000;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    // Cargo adds `--bench`.
    let rows = std::env::args().skip(1).find(|argument| argument != "--bench");
    let rows: usize = rows.ok_or("wants a number of rows; `cargo measure import` has one")?.parse()?;
    let (dir, state) = (tempfile::tempdir()?, State::of(rows));
    let (snapshot, code) = (dir.path().join("snapshot"), dir.path().join("code"));
    fs::write(&code, state::header("code"))?;
    let counted = state.account_rows() + state.slot_rows();
    println!("{} accounts, {} slots", state.account_rows(), state.slot_rows());
    let floor = write_sorted(dir.path(), &state)?;
    println!("sorted files    {:>9.0} rows/s", rate(counted, floor));
    let streamed = rows >= STREAMED_FROM;
    if streamed {
        Command::new("mkfifo").arg(&snapshot).status()?;
        println!("the export is made while it is imported, by a thread of the benchmark's own");
    } else {
        state.write(&mut File::create(&snapshot)?)?;
        let bytes = fs::metadata(&snapshot)?.len();
        let plain = write_plain(&dir.path().join("plain"), bytes)?;
        println!("plain file      {:>9.0} MB/s, synced, {} MB", rate(bytes, plain) / 1e6, bytes >> 20);
    }
    let ways: &[_] = if streamed { &[false] } else { &[false, true] };
    for proofs in ways {
        let state_dir = dir.path().join("state");
        let files = Files::Export { snapshot: snapshot.clone(), code: code.clone() };
        let plan = plan(files, &state_dir, *proofs);
        let export = streamed.then_some(snapshot.as_path());
        measured(&plan, &state, export, floor)?;
        reads::run(&state_dir, &state)?;
        fs::remove_dir_all(&state_dir)?;
    }
    Ok(())
}

/// Imports once, from a file or from a pipe that the state is written to meanwhile.
fn measured(plan: &Plan, state: &State, pipe: Option<&Path>, floor: Duration) -> Outcome<()> {
    let (rows, chain) = (state.account_rows() + state.slot_rows(), Chain::of(state.root)?);
    let (before, begun) = (memory::begin()?, Instant::now());
    std::thread::scope(|scope| {
        let written = pipe.map(|pipe| {
            scope.spawn(move || {
                let wrote = File::options().write(true).open(pipe).map_err(Into::into);
                wrote.and_then(|mut pipe| state.write(&mut pipe)).map_err(|error: Box<_>| error.to_string())
            })
        });
        import(plan, &chain, Box::new(|_| ()))?;
        match written.map(|written| written.join()) {
            None | Some(Ok(Ok(()))) => Outcome::Ok(()),
            Some(Ok(Err(error))) => Err(error.into()),
            Some(Err(_)) => Err("the export was not written".into()),
        }
    })?;
    let (took, grown) = (begun.elapsed(), memory::peak()?.saturating_sub(before) >> 20);
    let name = if plan.proofs { "with nodes" } else { "import" };
    let (per_s, ratio) = (rate(rows, took), floor.as_secs_f64() / took.as_secs_f64());
    let stored = size(&plan.state_dir)? >> 20;
    println!("{name:<15} {per_s:>9.0} rows/s, {grown} MB of memory, {stored} MB on the disk");
    println!("{name} / sorted files {ratio:>5.2}{}", if plan.proofs { "" } else { "  (goal: at least 0.5)" });
    Ok(())
}

fn plan(files: Files, state_dir: &Path, proofs: bool) -> Plan {
    Plan {
        files,
        state_dir: state_dir.to_owned(),
        block: String::new(),
        chain_id: CHAIN_ID,
        genesis: None,
        proofs,
        restart: false,
        round_rows: Plan::ROUND_ROWS,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// Writes as many bytes to a file.
fn write_plain(path: &Path, bytes: u64) -> Outcome<Duration> {
    let (block, begun) = (vec![0x5a; 1 << 20], Instant::now());
    let mut file = File::create(path)?;
    for _ in 0..bytes.div_ceil(1 << 20) {
        file.write_all(&block)?;
    }
    file.sync_all()?;
    let took = begun.elapsed();
    fs::remove_file(path)?;
    Ok(took)
}

/// Writes the rows to sorted files, one for each table; the time that it takes to make them does not count.
fn write_sorted(dir: &Path, state: &State) -> Outcome<Duration> {
    let (accounts, slots) = (Format::of(Table::Accounts), Format::of(Table::Slots));
    let (for_accounts, for_slots) = (dir.join("accounts.sst"), dir.join("slots.sst"));
    let mut file = accounts.file(&for_accounts)?;
    let mut took = timed(state.accounts(), |(key, account)| Ok(file.account(key, &account)?))?;
    took += clock(|| Ok(file.finish().map(drop)?))?;
    let mut file = slots.file(&for_slots)?;
    took += timed(state.slots(), |(account, key, value)| Ok(file.slot(account, key, value)?))?;
    took += clock(|| Ok(file.finish().map(drop)?))?;
    fs::remove_file(for_accounts)?;
    fs::remove_file(for_slots)?;
    Ok(took)
}

/// Time that it takes to write rows, made some at a time beforehand.
fn timed<T>(mut rows: impl Iterator<Item = T>, mut write: impl FnMut(T) -> Outcome<()>) -> Outcome<Duration> {
    let (mut some, mut took) = (Vec::with_capacity(ROWS_AT_A_TIME), Duration::ZERO);
    loop {
        some.extend(rows.by_ref().take(ROWS_AT_A_TIME));
        if some.is_empty() {
            return Ok(took);
        }
        took += clock(|| some.drain(..).try_for_each(&mut write))?;
    }
}

fn clock(work: impl FnOnce() -> Outcome<()>) -> Outcome<Duration> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed())
}

fn size(dir: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

/// Block 0 with the state's root, and nothing before it.
struct Chain(Header);

impl Chain {
    fn of(root: B256) -> Outcome<Self> {
        let header = alloy::consensus::Header { state_root: root, ..Default::default() };
        Ok(Self(Header::of(alloy::rlp::encode(header).into())?))
    }
}

impl Blocks for Chain {
    fn genesis(&self, _: u64, _: Option<B256>) -> Result<B256, Error> {
        Ok(self.0.at.hash)
    }

    fn header(&self, _: &str) -> Result<Header, Error> {
        Ok(self.0.clone())
    }

    fn content(&self, _: &Header) -> Result<Option<Content>, Error> {
        Ok(Some((vec![0xc2, 0xc0, 0xc0].into(), vec![0xc0].into())))
    }
}

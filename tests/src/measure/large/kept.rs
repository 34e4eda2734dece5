//! Cost of snapshots: what readers feel while one is made, and a restore over a copy of the database and a start.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    failure::{Doing, Failure, Outcome},
    measure::{
        load::{Paced, Server},
        rpc::{cold::drop_pages, requests::Row},
    },
    scenario::Net,
    settings,
};

/// Requests a second while a snapshot is made, and when none is.
const RATE: f64 = 500.0;
/// Pairs of both.
const ROUNDS: usize = 3;
/// Time for which each way is asked, if a snapshot takes no longer.
const TIME: Duration = Duration::from_secs(10);

/// Snapshots of the replica under load, and a restore.
pub(super) fn run(net: &mut Net, rows: &[Row]) -> Outcome<()> {
    let repository = net.dir().join("repository");
    fresh(&repository)?;
    let bytes = size(net.replica_daemon(0)?.state())?;
    let rate = bytes.div_ceil(TIME.as_secs() << 20);
    println!("  snapshots of {} MB at {rate} MB/s at most", bytes >> 20);
    let replica = net.replica_daemon(0)?;
    let config = replica.config();
    let text = fs::read_to_string(config).doing(|| format!("read {}", config.display()))?;
    let unpaced = settings::keeping(&text, &repository);
    replica.edit(|_| settings::paced(&unpaced, rate))?;
    replica.stop()?;
    replica.start()?;
    net.caught_up(0)?;
    let bodies: Vec<String> = rows.iter().flat_map(|row| row.bodies.iter().cloned()).collect();
    // What is read for the first time is no snapshot's fault.
    Server::replica(net)?.pace(&bodies, false, RATE, TIME)?;
    for _ in 0..ROUNDS {
        fresh(&repository)?;
        beside(net, &bodies)?;
    }
    net.replica_daemon(0)?.edit(|_| unpaced)?;
    restored(net)
}

/// Latencies without a snapshot and beside one.
fn beside(net: &mut Net, bodies: &[String]) -> Outcome<()> {
    let server = Server::replica(net)?;
    let config = net.replica_daemon(0)?.config().display().to_string();
    let alone = server.pace(bodies, false, RATE, TIME)?;
    let arguments = ["replica", "snapshot", "--config", &config].map(str::to_owned);
    let begun = Instant::now();
    let mut command = net.spawn(&arguments)?;
    let beside = server.pace(bodies, false, RATE, TIME)?;
    let status = command.wait(10 * TIME)?;
    if !status.success() {
        return Err(Failure::new(format!("the snapshot failed: {status}")));
    }
    let (Paced { half, most }, took) = (alone, begun.elapsed().as_secs_f64());
    let ratio = beside.most / most;
    println!(
        "  all rows, {RATE} a second: p50/p99 {half:.2}/{most:.2} ms alone, {:.2}/{:.2} ms beside a snapshot of \
         {took:.1} s, p99 {ratio:.2} (goal: below 1.2)",
        beside.half, beside.most
    );
    Ok(())
}

/// Takes the database away: how long until the replica serves its master's head again, from a snapshot.
fn restored(net: &mut Net) -> Outcome<()> {
    let replica = net.replica_daemon(0)?;
    replica.stop()?;
    let state = replica.state().to_owned();
    let (scratch, repository) = (net.dir().join("scratch"), net.dir().join("repository"));
    let [scratch, repository] = [&scratch, &repository].map(|path| path.display().to_string());
    net.command(&["snapshot", "verify", "--scratch", &scratch, "--repository", &repository])?;
    let copy = net.dir().join("copy");
    let copied = clock(|| {
        let copied = Command::new("cp").arg("-a").args([&state, &copy]).status();
        let copied = copied.doing(|| "run cp".to_owned())?;
        rustix::fs::sync();
        if copied.success() { Ok(()) } else { Err(Failure::new("cp failed")) }
    })?;
    remove(&copy)?;
    let started = clock(|| serve(net))?;
    net.replica_daemon(0)?.stop()?;
    remove(&state)?;
    let restored = clock(|| serve(net))?;
    println!(
        "  cp -a {copied:.1} s, a start {started:.1} s, restore and start {restored:.1} s: {:.2} (goal: at least 0.7)",
        (copied + started) / restored
    );
    Ok(())
}

fn serve(net: &mut Net) -> Outcome<()> {
    net.replica_daemon(0)?.start()?;
    net.caught_up(0).map(drop)
}

/// Seconds of what is done with no pages in the kernel's cache.
fn clock(work: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let _ = drop_pages();
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed().as_secs_f64())
}

fn fresh(dir: &Path) -> Outcome<()> {
    if dir.exists() {
        remove(dir)?;
    }
    fs::create_dir(dir).doing(|| format!("create {}", dir.display()))
}

fn remove(dir: &Path) -> Outcome<()> {
    fs::remove_dir_all(dir).doing(|| format!("remove {}", dir.display()))
}

/// Bytes of all files below.
fn size(dir: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir).doing(|| format!("list {}", dir.display()))? {
        let entry = entry.doing(|| format!("list {}", dir.display()))?;
        let metadata = entry.metadata().doing(|| format!("look at {}", entry.path().display()))?;
        bytes += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

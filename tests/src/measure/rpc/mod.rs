//! The cost of answers to the replica, over their cost to geth: the same requests to both, on one machine, in one run.
//!
//! The load generator shares the machine, so of all figures the processor time of the server's process counts.

pub(super) mod cold;
pub(super) mod pair;
pub(super) mod requests;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    time::Duration,
};

use self::{
    pair::{differing, servers},
    requests::Row,
};
use super::load::{Paced, Saturated, Server};
use crate::{
    failure::{Failure, Outcome},
    interrupt::Interrupt,
    product::Product,
    scenario::{Carrier, Chain, Net, Plan},
};

/// The fixed rate is this share of what the slower one can do: both sustain it.
const SHARE: f64 = 0.4;
/// Requests a second that nobody needs more of to see a latency.
const RATE_MAX: f64 = 1_000.0;

/// Duration, seed and choice of the requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load<'a> {
    /// For each row in each of its ways.
    pub(super) seconds: u32,
    /// Chooses the requests.
    pub(super) seed: u64,
    /// Only rows whose names have this in them.
    pub(super) row: &'a str,
    /// Requests that nobody made before, instead of those that everybody makes.
    pub(super) cold: bool,
}

/// Imports the chain, lets a replica catch up, and asks both.
pub(super) fn run(product: &Product, chain: &Path, load: &Load<'_>, stop: &Interrupt) -> Outcome<()> {
    let Load { seconds, seed, row: wanted, cold } = *load;
    println!("rpc: {}, seed {seed}, 16 connections, {seconds} s each", chain.display());
    let plan = Plan { chain: Chain::Import(chain.to_owned()), carrier: Carrier::Segment, replicas: 1 };
    // With proofs: the roots of simulated blocks are compared, too.
    let mut net = Net::prepare(product.clone(), &plan, true)?;
    net.node().engine()?.announce(&chain.join("headfcu.json"))?;
    net.start()?;
    net.caught_up(0)?;
    let before = fingerprint(&mut net)?;
    if cold {
        let rows = requests::once(&net.master(), seed)?;
        cold::run(&mut net, chain, &rows, wanted, stop)?;
    } else {
        warm(&mut net, load, stop)?;
    }
    let after = fingerprint(&mut net)?;
    net.stop()?;
    if before != after {
        return Err(Failure::new("the replica's state changed while it was asked: the figures are void"));
    }
    println!("  the replica's state is the same after as before ({after:016x})");
    Ok(())
}

/// Asks for what both have asked for again and again.
fn warm(net: &mut Net, load: &Load<'_>, stop: &Interrupt) -> Outcome<()> {
    let time = Duration::from_secs(u64::from(load.seconds.max(1)));
    let rows = requests::draw(&net.master(), load.seed)?;
    let (geth, replica) = servers(net)?;
    println!("  geth's over ours, so more is better; latencies at one rate that both sustain");
    println!(
        "  {:<38} {:>19} {:>6} {:>17} {:>6} {:>6}  p50/p99 ms",
        "", "CPU us", "ratio", "requests/s", "ratio", "rate"
    );
    for row in rows.iter().filter(|row| row.name.contains(load.row)) {
        if stop.raised() {
            break;
        }
        if let Some(problem) = differing(&geth, &replica, row)? {
            println!("  {:<38} not measured: {problem}", row.name);
            continue;
        }
        for gzip in [false, true] {
            report(row, gzip, [&geth, &replica], time)?;
        }
    }
    Ok(())
}

/// Stops the replica, takes the hash of its whole state, and starts it again.
fn fingerprint(net: &mut Net) -> Outcome<u64> {
    net.replica_daemon(0)?.stop()?;
    let mut hasher = DefaultHasher::new();
    net.dump(0)?.hash(&mut hasher);
    net.replica_daemon(0)?.start()?;
    net.caught_up(0)?;
    Ok(hasher.finish())
}

fn report(row: &Row, gzip: bool, servers: [&Server; 2], time: Duration) -> Outcome<()> {
    let [geth, replica] = servers;
    let most: [Saturated; 2] =
        [geth.saturate(&row.bodies, gzip, time)?, replica.saturate(&row.bodies, gzip, time)?];
    let [left, right] = most;
    let rate = (left.per_second.min(right.per_second) * SHARE).clamp(1.0, RATE_MAX);
    let paced: [Paced; 2] =
        [geth.pace(&row.bodies, gzip, rate, time)?, replica.pace(&row.bodies, gzip, rate, time)?];
    let [slow, quick] = paced;
    let name = if gzip { format!("{}, gzip", row.name) } else { row.name.clone() };
    println!(
        "  {name:<38} {:>9.0} {:>9.0} {:>6.1} {:>8.0} {:>8.0} {:>6.1} {rate:>6.0}  {:.2}/{:.2} {:.2}/{:.2}",
        left.cpu_micros,
        right.cpu_micros,
        left.cpu_micros / right.cpu_micros,
        left.per_second,
        right.per_second,
        right.per_second / left.per_second,
        slow.half,
        slow.most,
        quick.half,
        quick.most,
    );
    Ok(())
}

//! Cost of a health checker of many targets.

use std::time::{Duration, Instant};

use super::load::Server;
use crate::{
    failure::{Failure, Outcome},
    interrupt::Interrupt,
    product::Product,
    scenario::{Carrier, Chain, Net, Plan},
    traffic::Traffic,
};

/// Targets, each looked at once a second.
const TARGETS: usize = 50;
/// A first round of each, before anything counts.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// Time over which processor time is taken.
const SPAN: Duration = Duration::from_secs(30);

/// One replica under fifty names, as its checker has to ask each of them.
pub(super) fn run(product: &Product, stop: &Interrupt) -> Outcome<()> {
    println!(
        "health: {TARGETS} targets at 1 s, geth --dev, some blocks a second (goal: 64 MB, 2 % of a core)"
    );
    let plan = Plan { chain: Chain::Developer, carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::build_from(product.clone(), &plan)?;
    net.start()?;
    let one = net.replica_target(0)?;
    let mut targets = net.sources()?;
    for number in targets.len()..TARGETS {
        let mut target = one.clone();
        target.name = format!("replica-{number}");
        targets.push(target);
    }
    let mut checker = net.health("health-1", &targets)?;
    let began = Instant::now();
    checker.start()?;
    let loaded = began.elapsed();
    checker.ready(READY_WITHIN)?;
    let process = checker.process().ok_or_else(|| Failure::new("the checker is gone"))?;
    let server = Server { address: String::new(), pid: process.id() };
    let mut traffic = Traffic::open(&net.master())?;
    let (cpu, began) = (server.cpu_micros()?, Instant::now());
    while began.elapsed() < SPAN && !stop.raised() {
        let head = net.master().block_number()?;
        traffic.batch(1)?;
        net.master().next_block(head, READY_WITHIN)?;
        std::thread::sleep(Duration::from_millis(500));
    }
    let percent = (server.cpu_micros()? - cpu) / began.elapsed().as_secs_f64() / 1e4;
    println!(
        "  resident {:.1} MB, {percent:.2} % of a core, listens after {} ms",
        f64::from(u32::try_from(server.resident_kb()?).unwrap_or(u32::MAX)) / 1_024.0,
        loaded.as_millis()
    );
    checker.stop()?;
    net.stop()
}

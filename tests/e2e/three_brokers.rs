//! Three real brokers, each entry on all of them, two needed: whichever goes, the feed goes on.

use std::time::{Duration, Instant};

use maidenlane_tests::{
    install::GETH,
    kafka::{self, Cluster},
    product,
    rpc::Client,
    scenario::{Carrier, Chain, Net, Plan},
    settings::Log,
    traffic::Traffic,
    wait,
};

/// Heads that must come while a broker is away. The developer chain makes one a second.
const HEADS: u64 = 5;
/// Brokers give a silent one 1.5 s here, and clients look for another leader after that.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for [`HEADS`] new heads at the replica while transactions go to the master; the longest wait for one.
fn longest_pause(net: &Net, replica: &Client, traffic: &mut Traffic) -> Duration {
    let begun = replica.block_number().unwrap();
    let (mut head, mut since, mut longest) = (begun, Instant::now(), Duration::ZERO);
    wait::until("heads without a broker", PATIENCE, || {
        traffic.burst().map_err(|failure| failure.to_string())?;
        // A replica that is stale meanwhile says so instead of a number.
        let now = replica.block_number().map_err(|failure| failure.to_string())?;
        if now > head {
            longest = longest.max(since.elapsed());
            (head, since) = (now, Instant::now());
        }
        if head >= begun + HEADS { Ok(()) } else { Err(format!("from {begun} to {head}")) }
    })
    .unwrap_or_else(|failure| panic!("{failure}\n{}", net.last_words()));
    longest
}

#[test]
fn any_of_three_brokers_may_go_and_nothing_is_lost() {
    if let Some(missing) = kafka::missing().or((!GETH.met()).then_some("Go for a real geth")) {
        println!("not run: this needs {missing}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(&product::cache().join("kafka"), dir.path(), 3).unwrap();
    let plan = Plan { chain: Chain::Developer, carrier: Carrier::Kafka, replicas: 1 };
    let mut net = Net::over(&plan, Log::Kafka(cluster.addresses())).unwrap();
    net.start().unwrap();
    let (replica, mut traffic) = (net.replica(0).unwrap(), Traffic::open(&net.master()).unwrap());
    let healthy = longest_pause(&net, &replica, &mut traffic);
    println!("three brokers: at most {} ms between two heads", healthy.as_millis());
    for id in 0..cluster.brokers.len() {
        cluster.brokers.get_mut(id).unwrap().freeze(true).unwrap();
        let stopped = longest_pause(&net, &replica, &mut traffic);
        cluster.brokers.get_mut(id).unwrap().freeze(false).unwrap();
        cluster.in_sync().unwrap();
        cluster.brokers.get_mut(id).unwrap().kill();
        let killed = longest_pause(&net, &replica, &mut traffic);
        cluster.brokers.get_mut(id).unwrap().restart().unwrap();
        cluster.in_sync().unwrap();
        println!(
            "broker {} stopped: at most {} ms between two heads; killed: {} ms",
            id + 1,
            stopped.as_millis(),
            killed.as_millis()
        );
    }
    net.caught_up(0).unwrap();
    net.equals_fresh_replay(0).unwrap();
}

//! Three real brokers, each entry on all of them, two needed: whichever goes, blocks and transactions go on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use maidenlane_log::{Backend, kafka::Options};
use maidenlane_tests::{
    install::GETH,
    kafka::{self, Cluster},
    product,
    rpc::Client,
    scenario::{Carrier, Chain, Net, Plan},
    settings::{self, Log},
    wait,
};
use serde_json::{Value, json};

use crate::transactions::{Sender, stored};

/// Heads that must come while a broker is away. The developer chain makes one a second.
const HEADS: u64 = 5;
/// Brokers give a silent one 1.5 s here, and clients look for another leader after that.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a transaction to the replica for every block of the master, and each again until it is taken.
struct Sending {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Value>>,
}

impl Sending {
    fn start(geth: Client, replica: Client) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, mut sender) = (Arc::clone(&stop), Sender::new(geth.clone(), replica));
        let thread = std::thread::spawn(move || {
            let mut taken = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let head = geth.block_number().unwrap();
                let raw = sender.signed(&json!({}));
                if let Some(hash) = sender.send(&raw).get("result") {
                    sender.nonce += 1;
                    taken.push(hash.clone());
                }
                geth.next_block(head, PATIENCE).unwrap();
            }
            taken
        });
        Self { stop, thread }
    }

    /// The hashes of all that were taken.
    fn stop(self) -> Vec<Value> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Waits for [`HEADS`] new heads at the replica; the longest wait for one.
fn longest_pause(net: &Net, replica: &Client) -> Duration {
    let begun = net.master().block_number().unwrap();
    let (mut head, mut since, mut longest) = (begun, Instant::now(), Duration::ZERO);
    wait::until("heads without a broker", PATIENCE, || {
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

/// Each broker is stopped and killed, and the feed's partition is moved to others, away from its leader, and back.
fn disturb(net: &Net, replica: &Client, cluster: &mut Cluster) {
    println!("three brokers: at most {} ms between two heads", longest_pause(net, replica).as_millis());
    for id in 0..cluster.brokers.len() {
        cluster.brokers.get_mut(id).unwrap().freeze(true).unwrap();
        let stopped = longest_pause(net, replica);
        cluster.brokers.get_mut(id).unwrap().freeze(false).unwrap();
        cluster.in_sync().unwrap();
        cluster.brokers.get_mut(id).unwrap().kill();
        let killed = longest_pause(net, replica);
        cluster.brokers.get_mut(id).unwrap().restart().unwrap();
        cluster.in_sync().unwrap();
        let [stopped, killed] = [stopped, killed].map(|pause| pause.as_millis());
        println!("broker {} stopped: at most {stopped} ms between two heads; killed: {killed} ms", id + 1);
    }
    for to in [[1, 2].as_slice(), &[3, 1], &[2, 3, 1]] {
        cluster.reassign(&settings::topic(), to).unwrap();
        let moved = longest_pause(net, replica);
        println!("partition moved to brokers {to:?}: at most {} ms between two heads", moved.as_millis());
    }
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
    net.take_transactions().unwrap();
    net.start().unwrap();
    let (geth, replica) = (net.master(), net.replica(0).unwrap());
    let brokers = cluster.brokers.iter().map(kafka::Broker::address).collect();
    let log = Backend::Kafka(Options::new(brokers));
    let mut emitter = net.emitter("emitter-0", &[("geth", geth.url())]).unwrap();
    emitter.start().unwrap();
    let sending = Sending::start(geth.clone(), replica.clone());
    disturb(&net, &replica, &mut cluster);
    let taken = sending.stop();
    for hash in &taken {
        geth.receipt(hash, PATIENCE).unwrap();
    }
    emitter.stop().unwrap();
    let came: BTreeSet<String> = stored(&log).into_iter().collect();
    println!("{} transactions taken, {} stored", taken.len(), came.len());
    assert!(taken.len() > 10 && taken.iter().all(|hash| came.contains(hash.as_str().unwrap())));
    net.caught_up(0).unwrap();
    net.equals_fresh_replay(0).unwrap();
}

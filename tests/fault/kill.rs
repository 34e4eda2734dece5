//! kill -9 at random moments of tap, replica and broker, alone and together, while a real geth makes blocks with
//! traffic in them.

use std::time::Duration;

use fastrand::Rng;
use maidenlane_tests::{
    scenario::{Carrier, Net},
    traffic::Traffic,
};

use crate::{check_everything, developer_net, moment};

const SEED: u64 = 0x6d61_6964_656e;
/// A killed process begins again and is killed within this time, so kills fall into starts as well.
const ROUND: Duration = Duration::from_millis(1_500);

/// Beyond the session timeout of the broker, which its controller then takes for dead.
const FREEZE: Duration = Duration::from_secs(6);

/// Processes killed at the same moment.
#[derive(Clone, Copy)]
struct Victims {
    tap: bool,
    replica: bool,
    broker: bool,
}

impl Victims {
    const TAP: Self = Self { tap: true, replica: false, broker: false };
    const REPLICA: Self = Self { tap: false, replica: true, broker: false };
    const BROKER: Self = Self { tap: false, replica: false, broker: true };
    const DAEMONS: Self = Self { tap: true, ..Self::REPLICA };
    const BROKER_AND_TAP: Self = Self { tap: true, ..Self::BROKER };
    const BROKER_AND_REPLICA: Self = Self { replica: true, ..Self::BROKER };
    const ALL: Self = Self { tap: true, ..Self::BROKER_AND_REPLICA };
}

/// Rounds in the suite, or so many of the 1,000 that a long run shares among the victims.
fn rounds(suite: usize, long: usize) -> usize {
    if crate::long() { long } else { suite }
}

#[test]
fn killed_at_random_moments_nothing_is_lost_or_applied_twice() {
    let victims = [Victims::TAP, Victims::REPLICA, Victims::DAEMONS];
    kill(Carrier::Segment, &victims, rounds(20, 700));
}

#[test]
fn a_killed_broker_loses_nothing_and_nothing_is_applied_twice() {
    let victims = [
        Victims::BROKER,
        Victims::BROKER_AND_TAP,
        Victims::BROKER_AND_REPLICA,
        Victims::ALL,
        Victims::DAEMONS,
    ];
    kill(Carrier::Kafka, &victims, rounds(4, 300));
}

fn kill(carrier: Carrier, victims: &[Victims], rounds: usize) {
    let Some(mut net) = developer_net(carrier) else { return };
    let mut traffic = Traffic::open(&net.master()).unwrap();
    let mut rng = Rng::with_seed(SEED);
    for (round, victims) in victims.iter().copied().cycle().take(rounds).enumerate() {
        traffic.burst().unwrap();
        moment::pass(&mut rng, ROUND);
        strike(&mut net, victims);
        traffic.burst().unwrap();
        moment::pass(&mut rng, ROUND / 3);
        // Daemons begin before the broker is back, and after it.
        if rng.bool() {
            launch(&mut net, victims);
            revive(&mut net, victims);
        } else {
            revive(&mut net, victims);
            launch(&mut net, victims);
        }
        net.tend().unwrap_or_else(|failure| panic!("seed {SEED:#x}, round {round}: {failure}"));
    }
    traffic.settle().unwrap();
    net.recovered().unwrap_or_else(|failure| panic!("seed {SEED:#x}: {failure}\n{}", net.last_words()));
    net.caught_up(0).unwrap_or_else(|failure| panic!("seed {SEED:#x}: {failure}"));
    if net.broker().is_some() {
        let log = net.tap().log_tail(usize::MAX);
        assert!(log.contains("librdkafka"), "what the client library says of its broker must be in the log");
    }
    check_everything(&mut net);
}

#[test]
fn a_broker_that_freezes_is_followed_again() {
    let Some(mut net) = developer_net(Carrier::Kafka) else { return };
    let mut traffic = Traffic::open(&net.master()).unwrap();
    let mut rng = Rng::with_seed(SEED);
    for round in 0..rounds(2, 30) {
        net.broker().unwrap().freeze(true).unwrap();
        traffic.burst().unwrap();
        moment::pass(&mut rng, FREEZE);
        net.broker().unwrap().freeze(false).unwrap();
        net.recovered().unwrap_or_else(|failure| panic!("round {round}: {failure}\n{}", net.last_words()));
        net.caught_up(0).unwrap_or_else(|failure| panic!("round {round}: {failure}\n{}", net.last_words()));
    }
    traffic.settle().unwrap();
    check_everything(&mut net);
}

fn strike(net: &mut Net, victims: Victims) {
    // Who is struck must not have died of anything else before.
    net.tend().unwrap();
    if let Some(broker) = net.broker().filter(|_| victims.broker) {
        broker.kill();
    }
    if victims.tap {
        net.tap().kill();
    }
    if victims.replica {
        net.replica_daemon(0).unwrap().kill();
    }
}

fn launch(net: &mut Net, victims: Victims) {
    if victims.tap {
        net.tap().launch().unwrap();
    }
    if victims.replica {
        net.replica_daemon(0).unwrap().launch().unwrap();
    }
}

fn revive(net: &mut Net, victims: Victims) {
    if let Some(broker) = net.broker().filter(|_| victims.broker) {
        broker.restart().unwrap();
    }
}

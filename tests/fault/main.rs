//! Faults that may happen do: kills at any moment and at every named point, damaged data, wrong settings.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod clocks;
mod cut;
mod damage;
mod disk;
mod driven;
mod failpoints;
mod freeze;
mod full;
mod full_spool;
mod kill;
mod moment;
mod mounted;
mod power;
mod pruned;
mod refuse;
mod refused_call;
mod refused_run;
mod rig;

use maidenlane_tests::{
    compare::{self, Comparison},
    failure::Outcome,
    install::GETH,
    kafka,
    scenario::{Carrier, Chain, Net, Plan},
    suite::long,
};

/// A network on a developer chain, or `None`, said aloud, on a machine without Go or without what the carrier needs.
fn developer_net(carrier: Carrier) -> Option<Net> {
    net(carrier, Net::build)
}

fn net(carrier: Carrier, build: impl FnOnce(&Plan) -> Outcome<Net>) -> Option<Net> {
    if !GETH.met() {
        println!("not run: no Go for a real geth");
        return None;
    }
    if let Some(missing) = kafka::missing().filter(|_| carrier == Carrier::Kafka) {
        println!("not run: no {missing} for a real broker");
        return None;
    }
    let plan = Plan { chain: Chain::Developer, carrier, replicas: 1 };
    let mut net = build(&plan).unwrap();
    net.start().unwrap();
    Some(net)
}

/// The oracle of every scenario: the replica answers as geth does and has the state of a fresh replay, whose root is
/// that of the head's header.
fn check_everything(net: &mut Net) {
    let head = net.caught_up(0).unwrap();
    let (master, replica) = (net.master(), net.replica(0).unwrap());
    let questions = compare::questions(&master, head).unwrap();
    let comparison = Comparison::of(&master, &replica, &questions).unwrap();
    assert!(comparison.perfect(), "{:#?}", comparison.differences);
    net.equals_fresh_replay(0).unwrap();
    let config = net.replica_daemon(0).unwrap().config().display().to_string();
    net.command(&["replica", "verify", "--config", &config]).unwrap();
}

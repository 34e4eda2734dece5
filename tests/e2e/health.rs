//! A real haproxy in front of three replicas, by the word of two health checkers: under constant load, one thing after another
//! goes wrong, and no client hears of it.

#![expect(clippy::indexing_slicing, reason = "what is missing in an answer is null")]

mod load;
mod page;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use load::Load;
use maidenlane_tests::{
    balancer::{Balancer, Places},
    daemon::Daemon,
    install,
    kafka::free_port,
    product,
    scenario::{Carrier, Chain, Net, Plan},
    wait,
};
use rustix::process::Signal;
use serde_json::Value;

use crate::emitter::crooked::{Crooked, Manner};

const SOON: Duration = Duration::from_secs(60);
/// Time from a fault to the last request that its server gets, as shipped: two rounds, a timeout, an agent-check.
const OUT_WITHIN: Duration = Duration::from_millis(3_000);
/// The same on a machine that does much else.
const OUT_WITHIN_BUSY: Duration = Duration::from_millis(8_000);
/// Clients at one time.
const CLIENTS: usize = 4;

/// Three replicas, the third behind a door that may lie; their master; two checkers; haproxy.
struct World {
    balancer: Balancer,
    checkers: [Daemon; 2],
    door: Crooked,
    net: Net,
}

impl World {
    /// None where haproxy is missing.
    fn new() -> Option<Self> {
        if let Err(missing) = install::ensure(&install::BALANCER) {
            println!("not run: {missing}");
            return None;
        }
        let mut net =
            Net::build(&Plan { chain: Chain::Developer, carrier: Carrier::Segment, replicas: 3 }).unwrap();
        // Addresses that outlast a restart: haproxy knows no others.
        for index in 0..3 {
            let port = || free_port().unwrap().to_string();
            net.replica_daemon(index)
                .unwrap()
                .edit(|text| text.replacen("127.0.0.1:0", &port(), 1).replacen("127.0.0.1:0", &port(), 1))
                .unwrap();
        }
        net.start().unwrap();
        let mut targets: Vec<_> = (0..3).map(|index| net.replica_target(index).unwrap()).collect();
        let door = Crooked::open(&net.replica(2).unwrap(), Manner::Honest);
        targets[2].address = door.url();
        targets.push(net.master_target());
        let mut checkers = ["health-1", "health-2"].map(|name| net.health(name, &targets).unwrap());
        for checker in &mut checkers {
            checker.start().unwrap();
            checker.ready(SOON).unwrap();
        }
        let [first, second] = checkers.each_mut().map(|checker| {
            let listens = |checker: &mut Daemon, name| checker.address(name).unwrap();
            (listens(checker, "http"), listens(checker, "agent"))
        });
        let replicas: Vec<&str> =
            targets.iter().map(|target| target.address.trim_start_matches("http://")).collect();
        let places = Places {
            checkers: [(&first.0, &first.1), (&second.0, &second.1)],
            replicas: [replicas[0], replicas[1], replicas[2]],
        };
        let balancer = Balancer::start(net.dir(), &places).unwrap();
        let world = Self { balancer, checkers, door, net };
        for number in 1..=3 {
            world.sees(number, "UP");
        }
        Some(world)
    }

    /// Waits until haproxy says that of a replica; how long it took.
    fn sees(&self, number: usize, status: &str) -> Duration {
        self.sees_by("by-health-1", number, status)
    }

    fn sees_by(&self, backend: &str, number: usize, status: &str) -> Duration {
        let (began, server) = (Instant::now(), format!("replica-{number}"));
        let seen = wait::until(&format!("{server} to be {status}"), SOON, || {
            let found = self.balancer.status(backend, &server).map_err(|failure| failure.to_string())?;
            if found.starts_with(status) { Ok(()) } else { Err(found) }
        });
        seen.unwrap_or_else(|failure| panic!("{failure}\n{}", self.checkers[0].log_tail(20)));
        began.elapsed()
    }

    /// Why a replica has its verdict, in the words of the first checker.
    fn why(&self, number: usize) -> Value {
        let (config, name) = (self.checkers[0].config().display().to_string(), format!("replica-{number}"));
        let told = self.net.command(&["health", "explain", "--config", &config, &name]).unwrap();
        serde_json::from_str(&told).unwrap()
    }

    /// Checks that fail at a replica.
    fn failing(&self, number: usize) -> Vec<String> {
        let why = self.why(number);
        let reasons = why["reasons"].as_array().unwrap().iter();
        reasons.map(|reason| reason["check"].as_str().unwrap().to_owned()).collect()
    }

    /// A command to both checkers.
    fn command(&self, arguments: &[&str]) {
        for checker in &self.checkers {
            let config = checker.config().display().to_string();
            self.net.command(&[arguments, &["--config", &config]].concat()).unwrap();
        }
    }

    fn signal(&mut self, replica: usize, signal: Signal) {
        self.net.replica_daemon(replica).unwrap().process().unwrap().signal(signal);
    }
}

/// Prints how long a server stayed in after its fault, and refuses too long.
fn out(fault: &str, took: Duration) {
    println!("{fault}: out after {} ms, {} ms promised", took.as_millis(), OUT_WITHIN.as_millis());
    assert!(took < OUT_WITHIN_BUSY, "{fault}: {took:?}");
}

#[test]
fn the_shipped_alerts_are_rules() {
    if let Err(missing) = install::ensure(&install::PROMTOOL) {
        println!("not run: {missing}");
        return;
    }
    let rules = product::root().join("daemons/health/alerts.yaml");
    let checked = Command::new("promtool").args(["check", "rules"]).arg(&rules).output().unwrap();
    let said = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
    assert!(checked.status.success() && said.contains("7 rules found"), "{said}");
}

#[test]
fn clients_hear_of_nothing_that_goes_wrong() {
    let Some(mut world) = World::new() else { return };
    let load = Load::start(&world.balancer.url(), &world.net.master(), CLIENTS);

    load.phase("drain");
    world.command(&["health", "cordon", "replica-1", "--reason", "a test", "--drain"]);
    out("drain", world.sees(1, "DRAIN"));
    assert_eq!(world.failing(1), ["cordon"]);
    load.served_by_others("replica-1");
    world.command(&["health", "uncordon", "replica-1"]);
    world.sees(1, "UP");
    load.failed_at_most(0);

    load.phase("kill");
    world.net.replica_daemon(0).unwrap().kill();
    out("kill", world.sees(1, "DOWN"));
    world.net.replica_daemon(0).unwrap().start().unwrap();
    println!("kill: back after {} ms", world.sees(1, "UP").as_millis());
    load.failed_at_most(CLIENTS);

    load.phase("standstill");
    world.signal(1, Signal::STOP);
    out("standstill", world.sees(2, "DOWN"));
    load.served_by_others("replica-2");
    world.signal(1, Signal::CONT);
    println!("standstill: back after {} ms", world.sees(2, "UP").as_millis());
    load.failed_at_most(CLIENTS);

    load.phase("another fork");
    world.door.be(Manner::Forked);
    world.sees(3, "DOWN");
    assert!(world.failing(3).contains(&"fork".to_owned()), "{}", world.why(3));
    load.served_by_others("replica-3");
    world.door.be(Manner::Honest);
    world.sees(3, "UP");
    load.failed_at_most(0);

    load.phase("wrong state");
    world.door.be(Manner::Misstating);
    out("wrong state", world.sees(3, "DOWN"));
    assert!(world.failing(3).contains(&"content".to_owned()), "{}", world.why(3));
    assert!(world.failing(1).is_empty() && world.failing(2).is_empty(), "a proof tells who is right");
    load.served_by_others("replica-3");

    // The last word of the checkers is `down`, and then they are gone.
    load.phase("no checker");
    world.door.be(Manner::Honest);
    for checker in &mut world.checkers {
        checker.kill();
    }
    let began = Instant::now();
    load.served_by("replica-3");
    println!("no checker: haproxy's own check after {} ms", began.elapsed().as_millis());
    for checker in &mut world.checkers {
        checker.start().unwrap();
        checker.ready(SOON).unwrap();
    }
    world.sees(3, "UP");
    load.failed_at_most(0);
    load.never_stale(OUT_WITHIN_BUSY);
}

//! Three replicas, the third behind a door that may lie; their master; two checkers; haproxy as it is shipped.

use std::{fs, path::PathBuf, time::Duration};

use maidenlane_tests::{
    balancer::{Balancer, Places},
    daemon::Daemon,
    install,
    kafka::free_port,
    scenario::{Carrier, Chain, Net, Plan},
    wait,
};
use rustix::process::Signal;
use serde_json::Value;

use crate::emitter::crooked::{Crooked, Manner};

const SOON: Duration = Duration::from_secs(60);
/// Batches that a replica writes after its start before it is held: enough to be let in.
const FED_BATCHES: u32 = 20;

/// The world. Dropping it ends everything.
pub(super) struct World {
    pub(super) balancer: Balancer,
    pub(super) checkers: [Daemon; 2],
    pub(super) door: Crooked,
    pub(super) net: Net,
}

/// Hold on a replica's follower, while all else of it goes on.
pub(super) struct Fed {
    release: PathBuf,
}

impl Fed {
    /// Waits until it gets nothing any more.
    pub(super) fn starved(&self) {
        let reached = self.release.with_extension("reached");
        wait::until("the replica to starve", SOON, || {
            if reached.exists() { Ok(()) } else { Err("it is fed".to_owned()) }
        })
        .unwrap();
    }

    /// Lets it go on.
    pub(super) fn feed(&self) {
        fs::write(&self.release, "").unwrap();
    }
}

impl World {
    /// None where haproxy is missing.
    pub(super) fn new() -> Option<Self> {
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
        targets.extend(net.sources().unwrap());
        let mut checkers = ["health-1", "health-2"].map(|name| net.health(name, &targets).unwrap());
        let listens = |checker: &mut Daemon| {
            checker.start().unwrap();
            let [http, agent] = ["http", "agent"].map(|name| checker.address(name).unwrap());
            // Addresses that outlast a restart, once more.
            checker.edit(|text| pin(text, &http, &agent)).unwrap();
            (http, agent)
        };
        let [first, second] = checkers.each_mut().map(listens);
        let replicas: Vec<&str> =
            targets.iter().map(|target| target.address.trim_start_matches("http://")).collect();
        let places = Places {
            checkers: [(&first.0, &first.1), (&second.0, &second.1)],
            replicas: [replicas[0], replicas[1], replicas[2]],
        };
        let balancer = Balancer::start(net.dir(), &places).unwrap();
        let mut world = Self { balancer, checkers, door, net };
        world.settled();
        Some(world)
    }

    /// Starts the checkers again, and waits until all serve.
    pub(super) fn revive(&mut self) {
        for checker in &mut self.checkers {
            checker.start().unwrap();
        }
        self.settled();
    }

    fn settled(&mut self) {
        for checker in &mut self.checkers {
            checker.ready(SOON).unwrap();
        }
        for number in 1..=3 {
            self.sees(number, "UP");
        }
    }

    /// Waits until haproxy says that of a replica, by the first checker's word.
    pub(super) fn sees(&self, number: usize, status: &str) {
        self.stands(number, "status", |found| found.starts_with(status));
    }

    /// Waits until haproxy gives a replica that weight.
    pub(super) fn weighs(&self, number: usize, percent: u32) {
        self.stands(number, "weight", |found| found == percent.to_string());
    }

    fn stands(&self, number: usize, field: &str, fits: impl Fn(&str) -> bool) {
        let server = format!("replica-{number}");
        wait::until(&format!("haproxy's {field} of {server}"), SOON, || {
            let found = self.balancer.told("by-health-1", &server, field);
            let found = found.map_err(|failure| failure.to_string())?;
            if fits(&found) { Ok(()) } else { Err(found) }
        })
        .unwrap_or_else(|failure| panic!("{failure}\n{}", self.checkers[0].log_tail(20)));
    }

    /// Why a replica has its verdict, in the words of the first checker.
    pub(super) fn why(&self, number: usize) -> Value {
        let (config, name) = (self.checkers[0].config().display().to_string(), format!("replica-{number}"));
        let told = self.net.command(&["health", "explain", "--config", &config, &name]).unwrap();
        serde_json::from_str(&told).unwrap()
    }

    /// Checks that fail at a replica.
    pub(super) fn failing(&self, number: usize) -> Vec<String> {
        let why = self.why(number);
        let reasons = why["reasons"].as_array().unwrap().iter();
        reasons.map(|reason| reason["check"].as_str().unwrap().to_owned()).collect()
    }

    /// A command to both checkers.
    pub(super) fn command(&self, arguments: &[&str]) {
        for checker in &self.checkers {
            let config = checker.config().display().to_string();
            self.net.command(&[arguments, &["--config", &config]].concat()).unwrap();
        }
    }

    pub(super) fn signal(&mut self, replica: usize, signal: Signal) {
        self.net.replica_daemon(replica).unwrap().process().unwrap().signal(signal);
    }

    /// Has a replica follow its feed for a while from its next start on, and then no more.
    pub(super) fn starve(&mut self, replica: usize) -> Fed {
        let release = self.net.dir().join("fed");
        let daemon = self.net.replica_daemon(replica).unwrap();
        daemon.environment("MAIDENLANE_FAILPOINT", &format!("pause:replica.before_write:{FED_BATCHES}"));
        daemon.environment("MAIDENLANE_FAILPOINT_RELEASE", release.to_str().unwrap());
        Fed { release }
    }
}

/// Settings with the ports that were free at the first start.
fn pin(text: &str, http: &str, agent: &str) -> String {
    let free = "M.Admin::{ listen = \"127.0.0.1:0\" }";
    let pinned = |at: &str| format!("M.Admin::{{ listen = \"{at}\" }}");
    text.replace(&format!("http = {free}"), &format!("http = {}", pinned(http)))
        .replace(&format!("agent = {free}"), &format!("agent = {}", pinned(agent)))
}

//! Power cuts at random moments: who writes is killed, and what it had not synced is lost, in part or altogether.

use std::{fs, time::Duration};

use fastrand::Rng;
use maidenlane_tests::{
    scenario::{Carrier, Net},
    traffic::Traffic,
};

use crate::{
    check_everything, long, moment, net,
    rig::{Disks, Place},
};

const SEED: u64 = 0x706f_7765_72;
const ROUND: Duration = Duration::from_millis(1_500);
const ROUNDS: usize = 6;
const ROUNDS_LONG: usize = 60;

/// Machines whose power goes.
#[derive(Debug, Clone, Copy)]
enum Victim {
    /// Of the replica alone.
    Replica,
    /// Of tap and log. The replica falls, too, and keeps its disk: it must not have read what is lost.
    Log,
    /// The one machine of all.
    Everything,
}

impl Victim {
    fn strike(self, net: &mut Net, disks: &Disks, rng: &mut Rng) {
        let (geth, tap, places): (_, _, &[Place]) = match self {
            Self::Replica => (false, false, &[Place::Replica]),
            Self::Log => (false, true, &[Place::Log, Place::Tap]),
            Self::Everything => (true, true, &[Place::Spool, Place::Log, Place::Tap, Place::Replica]),
        };
        if geth {
            net.node().kill();
        }
        if tap {
            net.tap().kill();
        }
        net.replica_daemon(0).unwrap().kill();
        disks.cut(places, rng);
        if geth {
            net.node().restart().unwrap();
        }
        if tap {
            net.tap().launch().unwrap();
        }
        net.replica_daemon(0).unwrap().launch().unwrap();
    }
}

#[test]
fn a_power_cut_loses_nothing_that_anybody_was_told() {
    let Some(disks) = Disks::mount() else { return };
    let Some(mut net) = net(Carrier::Segment, |plan| disks.build(plan)) else { return };
    let mut traffic = Traffic::open(&net.master()).unwrap();
    let mut rng = Rng::with_seed(SEED);
    let victims = [Victim::Replica, Victim::Log, Victim::Everything];
    let rounds = if long() { ROUNDS_LONG } else { ROUNDS };
    for (round, victim) in victims.into_iter().cycle().take(rounds).enumerate() {
        let told = |failure| panic!("seed {SEED:#x}, round {round}, {victim:?}: {failure}");
        traffic.burst().unwrap();
        moment::pass(&mut rng, ROUND);
        net.tend().unwrap_or_else(told);
        victim.strike(&mut net, &disks, &mut rng);
        // geth forgets what it had not written, and with it whose turn it was.
        traffic = Traffic::open(&net.master()).unwrap();
        // Every second cut falls into a start.
        if round % 2 == 0 {
            net.recovered().unwrap_or_else(told);
            net.caught_up(0).map(drop).unwrap_or_else(told);
        }
    }
    traffic.settle().unwrap();
    net.recovered().unwrap_or_else(|failure| panic!("seed {SEED:#x}: {failure}\n{}", net.last_words()));
    net.caught_up(0).unwrap();
    let log = fs::read_to_string(net.dir().join("replica-0.log")).unwrap();
    assert!(!log.contains("the log was cut"), "a replica had read what was not durable");
    check_everything(&mut net);
}

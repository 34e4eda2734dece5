//! Power cuts at random moments: who writes is killed, and what it had not synced is lost, in part or altogether.

use std::{fs, time::Duration};

use fastrand::Rng;

use crate::{
    check_everything,
    driven::Driven,
    long, moment,
    rig::{Disks, Place},
};

const SEED: u64 = 0x706f_7765_7221;
/// Rounds in the suite, and in the long run.
const ROUNDS: usize = 9;
const ROUNDS_LONG: usize = 60;
/// Blocks that a round replaces, and makes: at most.
const REPLACED_MAX: usize = 3;
const BLOCKS_MAX: usize = 12;
/// A block is published and applied in a fraction of this.
const WITHIN: Duration = Duration::from_millis(100);

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
    fn strike(self, driven: &mut Driven, disks: &Disks, rng: &mut Rng) {
        let (geth, tap, places): (_, _, &[Place]) = match self {
            Self::Replica => (false, false, &[Place::Replica]),
            Self::Log => (false, true, &[Place::Log, Place::Tap]),
            Self::Everything => (true, true, &[Place::Spool, Place::Log, Place::Tap, Place::Replica]),
        };
        if geth {
            driven.net.node().kill();
        }
        if tap {
            driven.net.tap().kill();
        }
        driven.daemon("replica").kill();
        disks.cut(places, rng);
        if geth {
            driven.begin_again();
        }
        if tap {
            driven.net.tap().launch().unwrap();
        }
        driven.daemon("replica").launch().unwrap();
    }
}

#[test]
fn a_power_cut_loses_nothing_that_anybody_was_told() {
    let Some(disks) = Disks::mount() else { return };
    let Some(mut driven) = Driven::build(|plan| disks.build(plan)) else { return };
    driven.net.start().unwrap();
    let mut rng = Rng::with_seed(SEED);
    let victims = [Victim::Replica, Victim::Log, Victim::Everything];
    let rounds = if long() { ROUNDS_LONG } else { ROUNDS };
    for (round, victim) in victims.into_iter().cycle().take(rounds).enumerate() {
        driven.grow(rng.usize(..=REPLACED_MAX).min(driven.replaceable()), rng.usize(1..=BLOCKS_MAX));
        moment::pass(&mut rng, WITHIN);
        driven.net.tend().unwrap_or_else(|failure| panic!("seed {SEED:#x}, round {round}: {failure}"));
        victim.strike(&mut driven, &disks, &mut rng);
        // Half of all cuts fall into what the one before left.
        if rng.bool() {
            driven.grow(0, 1);
            driven.followed(&format!("seed {SEED:#x}, round {round}, {victim:?}"));
        }
    }
    driven.grow(0, 1);
    driven.followed(&format!("seed {SEED:#x}, the end"));
    let log = fs::read_to_string(driven.net.dir().join("replica-0.log")).unwrap();
    assert!(!log.contains("the log was cut"), "a replica had read what was not durable");
    check_everything(&mut driven.net);
}

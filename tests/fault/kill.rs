//! kill -9 at random moments of tap, replica, or both, while a real geth makes blocks with traffic in them.

use std::time::Duration;

use maidenlane_tests::traffic::Traffic;

use crate::{check_everything, developer_net, moment::Moment};

/// Rounds in the suite; `MAIDENLANE_LONG` runs 1,000.
const ROUNDS: u64 = 20;
const SEED: u64 = 0x6d61_6964_656e;
/// A killed process begins again and is killed within this time, so kills fall into starts as well.
const ROUND: Duration = Duration::from_millis(1_500);

#[test]
fn killed_at_random_moments_nothing_is_lost_or_applied_twice() {
    let Some(mut net) = developer_net() else { return };
    let mut traffic = Traffic::open(&net.master()).unwrap();
    let mut moment = Moment::new(SEED);
    let rounds = if std::env::var_os("MAIDENLANE_LONG").is_some() { 1_000 } else { ROUNDS };
    for round in 0..rounds {
        traffic.burst().unwrap();
        moment.pass(ROUND);
        let (tap, replica) = [(true, false), (false, true), (true, true)]
            .get(usize::try_from(round % 3).unwrap())
            .copied()
            .unwrap();
        if tap {
            net.tap().kill();
        }
        if replica {
            net.replica_daemon(0).unwrap().kill();
        }
        moment.pass(ROUND / 3);
        if tap {
            net.tap().launch().unwrap();
        }
        if replica {
            net.replica_daemon(0).unwrap().launch().unwrap();
        }
    }
    traffic.settle().unwrap();
    net.caught_up(0).unwrap_or_else(|failure| panic!("seed {SEED:#x}: {failure}"));
    check_everything(&mut net);
}

//! SIGSTOP of one process while the others go on. A broker's is in `kill.rs`.

use std::time::Duration;

use maidenlane_tests::wait;
use rustix::process::Signal;

use crate::{check_everything, driven::Driven, long, moment};

/// Beyond `SILENCE_MAX_MS`, so that the replica grows stale.
const FREEZES_S: [u64; 2] = [1, 4];
const FREEZES_LONG_S: [u64; 8] = [1, 2, 3, 5, 10, 20, 40, 60];
const SILENCE_MAX_MS: u64 = 2_000;
const BLOCKS: usize = 3;

/// Sends a signal to geth, the tap or the replica.
fn signal(driven: &mut Driven, who: &str, signal: Signal) {
    let process = match who {
        "geth" => driven.net.node().process(),
        _ => driven.daemon(who).process(),
    };
    process.unwrap().signal(signal);
}

fn round(driven: &mut Driven, who: &str, seconds: u64) {
    let what = format!("{who} stood still for {seconds} s");
    signal(driven, who, Signal::STOP);
    if who != "geth" {
        driven.grow(1, BLOCKS);
    }
    moment::stand(Duration::from_secs(seconds));
    if who != "replica" && seconds * 1_000 > SILENCE_MAX_MS + 1_000 {
        // Who hears nothing says so, and does not end.
        let ready = driven.daemon("replica").readiness();
        assert!(ready.is_err_and(|why| why.contains("no sign of life")), "{what}");
    }
    signal(driven, who, Signal::CONT);
    driven.grow(1, BLOCKS);
    driven.followed(&what);
}

#[test]
fn a_process_that_stands_still_goes_on() {
    let Some(mut driven) = Driven::new() else { return };
    let sooner = format!("maxSilence_ms = {SILENCE_MAX_MS}");
    driven.daemon("replica").edit(|text| text.replace("maxSilence_ms = 15000", &sooner)).unwrap();
    driven.net.start().unwrap();
    driven.grow(0, BLOCKS);
    driven.followed("the beginning");
    let freezes = if long() { FREEZES_LONG_S.as_slice() } else { FREEZES_S.as_slice() };
    for seconds in freezes {
        for who in ["geth", "tap", "replica"] {
            round(&mut driven, who, *seconds);
        }
    }
    wait::until("a geth that answers", Duration::from_secs(30), || {
        driven.net.master().block_number().map_err(|failure| failure.to_string())
    })
    .unwrap();
    check_everything(&mut driven.net);
}

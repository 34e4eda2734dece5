//! The master is never harmed: geth goes on at its own pace, whatever becomes of the tap beside it.

use std::time::{Duration, Instant};

use maidenlane_tests::{
    geth::{chaingen, engine::Attributes},
    scenario::{Chain, Fed, Net},
};
use rustix::process::Signal;

/// Blocks of the chain that it begins on: all forks are behind it.
const IMPORTED: u32 = 64;
/// Blocks fed to geth meanwhile, each of two heads: unread, a hundred fill a socket.
const BLOCKS: u32 = 100;
/// A block takes milliseconds. geth waits 10 s for a client that does not read what it subscribed to.
const BLOCK_WITHIN: Duration = Duration::from_secs(5);

#[test]
fn a_stopped_tap_stops_no_geth() {
    let chain = Chain::Import(chaingen::chain(IMPORTED, 3).unwrap());
    let Some(Fed { mut net, engine, head: (mut parent, mut time) }) = Fed::on(chain, 1, Net::build).unwrap()
    else {
        return;
    };
    net.start().unwrap();
    net.tap().process().unwrap().signal(Signal::STOP);
    for block in 0..BLOCKS {
        time += 12;
        let begun = Instant::now();
        let payload = engine.extend(&parent, &Attributes::new(time, 1)).unwrap();
        let took = begun.elapsed();
        assert!(took < BLOCK_WITHIN, "geth took {took:?} for block {block} beside a stopped tap");
        payload.hash().unwrap().clone_into(&mut parent);
    }
    net.tap().process().unwrap().signal(Signal::CONT);
    net.caught_up(0).unwrap();
    net.equals_fresh_replay(0).unwrap();
}

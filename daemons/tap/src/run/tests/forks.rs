//! Test of a fork of the master's chain config that this build does not implement.

use super::*;
use maidenlane_service::clock;
use maidenlane_wire::frame::{Frame, encode};

#[test]
fn an_unknown_fork_ten_days_ahead_is_warned_of_once() {
    let (mut world, chain) = following(1);
    let time_s = clock::now().as_secs() + 10 * 86_400;
    let chain_config = format!(r#"{{"chainId": 7, "amsterdamTime": {time_s}}}"#);
    // The master comes back as one that knows the fork.
    world.spool(2, &encode(&Frame::Init { chain_config, client_version: "geth/new".to_owned() }));
    let is_warning = |event: &Event| matches!(event, Event::UnknownFork(fork) if fork.time_s == time_s);
    world.saw(is_warning);
    let next = chain[1].child("a");
    spooled(&world, 2, std::slice::from_ref(&next));
    world.geth.head(std::slice::from_ref(&next));
    world.expect(&next, "G +1 +2");
    world.stop().unwrap();
    let warnings = world.events.unwrap().seen().into_iter().filter(is_warning).count();
    assert_eq!(warnings, 1);
}

//! Words of a checker beside those to balancers: names to resolvers, faults of its settings to whoever reloads it.

use std::{process::Command, time::Duration};

use maidenlane_tests::{
    daemon::Daemon,
    install,
    process::output,
    scenario::{Carrier, Chain, Net, Plan},
    settings::Target,
    traffic::Traffic,
    wait,
};
use rustix::process::Signal;
use serde_json::Value;

use super::world::World;

const SOON: Duration = Duration::from_secs(60);

/// Checks that a real resolver finds these replicas, and no others, by name.
pub(super) fn check_names(world: &mut World, replicas: &[usize]) {
    if let Err(missing) = install::ensure(&install::RESOLVER) {
        println!("not run: {missing}");
        return;
    }
    let server = world.checkers[0].address("dns").unwrap();
    let (host, port) = server.rsplit_once(':').unwrap();
    let ask = |name: &str, kind: &str, more: &str| {
        let mut command = Command::new("dig");
        command.args([&format!("@{host}"), "-p", port, "+short", "+tries=1", more, name, kind]);
        let told = String::from_utf8(output(&mut command).unwrap()).unwrap();
        let mut lines: Vec<String> = told.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    let served = |number: &usize| {
        let address = world.net.replica(number - 1).unwrap().url().to_owned();
        let port = address.rsplit(':').next().unwrap().to_owned();
        format!("{port} replica-{number}.nodes.test.")
    };
    let mut expect: Vec<String> = replicas.iter().map(served).collect();
    expect.sort_unstable();
    for over in ["+notcp", "+tcp"] {
        wait::until("the zone to have them", SOON, || {
            // Behind priority and weight, which a busy machine lowers for all of them.
            let told = ask("_rpc._tcp.rpc.nodes.test", "SRV", over);
            let mut told: Vec<String> =
                told.iter().filter_map(|line| Some(line.splitn(3, ' ').nth(2)?.to_owned())).collect();
            told.sort_unstable();
            if told == expect { Ok(()) } else { Err(format!("{told:?}, not {expect:?}")) }
        })
        .unwrap();
    }
    assert_eq!(ask("rpc.nodes.test", "A", "+noedns"), ["127.0.0.1"]);
    let out = (1..=3).find(|number| !replicas.contains(number));
    if let Some(number) = out {
        assert!(ask(&format!("replica-{number}.nodes.test"), "A", "+edns=0").is_empty());
    }
}

#[test]
fn a_reload_with_a_fault_changes_nothing() {
    let plan = Plan { chain: Chain::Recorded, carrier: Carrier::Segment, replicas: 0 };
    let net = Net::build(&plan).unwrap();
    let gone = Target {
        name: "gone".to_owned(),
        kind: "Replica",
        address: "http://127.0.0.1:1".to_owned(),
        admin: None,
        feed: None,
        serves: None,
    };
    let mut checker = net.health("health-1", &[gone]).unwrap();
    checker.start().unwrap();
    checker.ready(SOON).unwrap();
    checker.edit(|text| text.replace("blockTime_ms", "blocktime_ms")).unwrap();
    checker.process().unwrap().signal(Signal::HUP);
    wait::until("the refusal", SOON, || {
        let tail = checker.log_tail(5);
        if tail.contains("blocktime_ms") { Ok(()) } else { Err(tail) }
    })
    .unwrap();
    checker.readiness().unwrap();
    checker.stop().unwrap();
}

#[test]
fn a_head_that_is_announced_is_looked_at_at_once() {
    let plan = Plan { chain: Chain::Developer, carrier: Carrier::Segment, replicas: 1 };
    let mut net = Net::started(&plan).unwrap();
    let mut target = net.replica_target(0).unwrap();
    target.address = target.address.replace("http://", "ws://");
    let mut checker = net.health("health-1", &[target]).unwrap();
    // Nobody polls within the time of this test.
    checker.edit(|text| text.replace(", limits =", ", interval_ms = 600000, limits =")).unwrap();
    checker.start().unwrap();
    checker.ready(SOON).unwrap();
    Traffic::open(&net.master()).unwrap();
    let (head, replica) = (net.caught_up(0).unwrap(), net.replica(0).unwrap());
    // The chain goes on by itself: what is told is the head of the moment, and none from before.
    until(&mut checker, "replica-1", |told| {
        let number = told["number"].as_u64();
        number >= Some(head) && number == replica.block_number().ok()
    });
}

/// Waits until a checker tells that of a target.
pub(super) fn until(checker: &mut Daemon, target: &str, mut told: impl FnMut(&Value) -> bool) {
    let url = format!("http://{}/targets/{target}", checker.address("http").unwrap());
    wait::until(&format!("the checker's word on {target}"), SOON, || {
        let text = ureq::get(&url).call().and_then(|mut answer| answer.body_mut().read_to_string());
        let found: Value = serde_json::from_str(&text.map_err(|error| error.to_string())?).unwrap();
        if told(&found) { Ok(()) } else { Err(found.to_string()) }
    })
    .unwrap();
}

//! A real haproxy in front of three replicas, by the word of two health checkers: under constant load, one thing after another
//! goes wrong, and no client hears of it for longer than is promised.

#![expect(clippy::indexing_slicing, reason = "what is missing in an answer is null")]

mod load;
mod nodes;
mod page;
mod told;
mod world;

use std::{process::Command, time::Duration};

use load::Load;
use maidenlane_tests::{install, product, settings::BLOCK_MS, wait};
use rustix::process::Signal;
use world::World;

use crate::emitter::crooked::Manner;

/// Time from a fault to the last request that its server gets, as shipped: two rounds, a timeout, an agent-check.
const OUT_WITHIN: Duration = Duration::from_millis(3_000);
/// The same of a fork or a replica without its feed: nothing is wrong with it before the chain has gone on for so many blocks.
const SHOWN_AFTER: Duration = Duration::from_millis(8 * BLOCK_MS);
/// How much longer all of it may take on a machine that does much else.
const BUSY: Duration = Duration::from_millis(5_000);
/// Clients at one time.
const CLIENTS: usize = 4;

/// Prints how long a server stayed in after its fault, and refuses too long.
fn out(fault: &str, took: Duration, promised: Duration) {
    println!("{fault}: out after {} ms, {} ms promised", took.as_millis(), promised.as_millis());
    assert!(took < promised + BUSY, "{fault}: {took:?}");
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
    assert!(checked.status.success() && said.contains("8 rules found"), "{said}");
}

/// Waits until the checks that fail at a replica are as they should be.
fn comes(world: &World, replica: usize, fits: impl Fn(&[String]) -> bool) {
    let found = wait::until(&format!("the checks of replica-{replica}"), BUSY * 4, || {
        if fits(&world.failing(replica)) { Ok(()) } else { Err(world.why(replica).to_string()) }
    });
    found.unwrap();
}

#[test]
fn clients_hear_of_nothing_that_goes_wrong() {
    let Some(mut world) = World::new() else { return };
    let load = Load::start(&world.balancer.url(), &world.net.master(), CLIENTS);

    world.command(&["health", "cordon", "replica-1", "--reason", "a test", "--drain"]);
    let phase = load.phase("drain");
    out("drain", phase.served_by_others("replica-1"), OUT_WITHIN);
    assert!(world.failing(1).contains(&"cordon".to_owned()), "{}", world.why(1));
    told::check_names(&mut world, &[2, 3]);
    world.command(&["health", "uncordon", "replica-1"]);
    println!("drain: back after {} ms", phase.served_by("replica-1").as_millis());
    told::check_names(&mut world, &[1, 2, 3]);
    phase.held(0, OUT_WITHIN + BUSY);

    let phase = load.phase("kill");
    world.net.replica_daemon(0).unwrap().kill();
    out("kill", phase.served_by_others("replica-1"), OUT_WITHIN);
    // A start takes less time than two rounds.
    world.sees(1, "DOWN");
    let fed = world.starve(0);
    world.net.replica_daemon(0).unwrap().start().unwrap();
    println!("kill: back after {} ms", phase.served_by("replica-1").as_millis());
    phase.held(CLIENTS, OUT_WITHIN + BUSY);

    fed.starved();
    let phase = load.phase("starved of its feed");
    out("starved of its feed", phase.served_by_others("replica-1"), SHOWN_AFTER);
    assert!(world.failing(1).contains(&"lag".to_owned()), "{}", world.why(1));
    fed.feed();
    println!("starved of its feed: back after {} ms", phase.served_by("replica-1").as_millis());
    phase.held(0, SHOWN_AFTER + BUSY);

    let phase = load.phase("standstill");
    world.signal(1, Signal::STOP);
    out("standstill", phase.served_by_others("replica-2"), OUT_WITHIN);
    world.signal(1, Signal::CONT);
    println!("standstill: back after {} ms", phase.served_by("replica-2").as_millis());
    phase.held(CLIENTS, OUT_WITHIN + BUSY);

    let phase = load.phase("another fork");
    world.door.be(Manner::Forked);
    out("another fork", phase.served_by_others("replica-3"), SHOWN_AFTER);
    assert!(world.failing(3).contains(&"fork".to_owned()), "{}", world.why(3));
    world.door.be(Manner::Honest);
    println!("another fork: back after {} ms", phase.served_by("replica-3").as_millis());
    phase.held(0, SHOWN_AFTER + BUSY);

    let phase = load.phase("wrong state");
    world.door.be(Manner::Misstating);
    out("wrong state", phase.served_by_others("replica-3"), SHOWN_AFTER);
    assert!(world.failing(3).contains(&"content".to_owned()), "{}", world.why(3));
    phase.held(0, SHOWN_AFTER + BUSY);
    for honest in 1..=2 {
        world.sees(honest, "UP");
        // Until it is proven, and has been for as long as a failure counts, each of them may be the one that is wrong.
        comes(&world, honest, <[String]>::is_empty);
    }

    // The last word of the checkers is `down`, and then they are gone.
    let phase = load.phase("no checker");
    world.door.be(Manner::Honest);
    for checker in &mut world.checkers {
        checker.kill();
    }
    let took = phase.served_by("replica-3");
    println!("no checker: haproxy's own check after {} ms, 2000 ms promised", took.as_millis());
    assert!(took < Duration::from_secs(2) + BUSY, "{took:?}");
    phase.held(0, BUSY);
    world.revive();

    let phase = load.phase("slow");
    world.door.be(Manner::Late(Duration::from_millis(280)));
    world.weighs(3, 10);
    println!("slow: a tenth of its share after {} ms", phase.elapsed().as_millis());
    // Where a block comes between, a round asks twice, and is too late for an answer: that may show first.
    comes(&world, 3, |failing| failing.contains(&"latency".to_owned()));
    phase.held(0, OUT_WITHIN + BUSY);
}

//! The board in virtual time, before scripted targets.

mod world;

use super::Board;
use crate::observe::{Ready, Room};
use crate::view::Cordon;
use std::time::Duration;
use world::{Node, ROUND, START_S, World, cluster, node, plan};

#[test]
fn nobody_serves_before_its_first_round_and_all_do_behind_it() {
    let mut world = World::new(cluster());
    assert!(world.told().starts_with("r1 down: starting, r2 down: starting"));
    // What all have in common is known after the first answers.
    world.rounds(2).check("");
    world.rounds(200).check("");
    assert_eq!(world.changes.len(), 5, "{:?}", world.changes);
}

#[test]
fn whoever_lags_is_out_in_two_rounds_and_back_in_five() {
    let mut world = World::new(cluster());
    world.rounds(3).node("r2").behind = 3;
    world.rounds(1).check("");
    world.rounds(1).check("r2 down: lag");
    world.node("r2").behind = 0;
    world.rounds(3).check("r2 down: lag");
    world.rounds(3).check("");
}

#[test]
fn every_fault_is_named() {
    type Fault = fn(&mut Node);
    let faults: [(Fault, &str); 12] = [
        (|node| node.away = true, "n1 down: answer"),
        (|node| node.syncing = true, "n1 down: syncing"),
        (|node| node.ready = Some(Ready::No("behind".to_owned())), "n1 down: ready"),
        (|node| node.ready = Some(Ready::Stopping), "n1 draining: draining"),
        (|node| node.peers = Some(0), "n1 degraded: peers"),
        (|node| node.clock_ahead_ms = Some(3_600_000), "n1 degraded: clock"),
        (|node| node.room = Some(Room { free_percent: 9, left: None }), "n1 degraded: disk"),
        (|node| node.room = Some(Room { free_percent: 50, left: Some(ROUND * 3_600) }), "n1 degraded: disk"),
        (
            |node| node.certificate_until_s = i64::try_from(START_S + 13 * 86_400).ok(),
            "n1 degraded: certificate",
        ),
        (|node| node.finalized_back = 5, "n1 down: finality"),
        (|node| node.behind = 20, "n1 down: lag"),
        (|node| node.chain = 8, "n1 down: chain"),
    ];
    for (fault, expect) in faults {
        let mut world = World::new(cluster());
        for other in &mut world.nodes {
            other.clock_ahead_ms = Some(0);
        }
        world.rounds(4);
        fault(world.node("n1"));
        world.rounds(2);
        let told = world.told();
        assert!(told.starts_with(expect), "{told}, not {expect}");
        assert!(!told.contains(','), "nobody else: {told}");
    }
}

#[test]
fn a_fork_stays_one_when_those_that_know_better_are_away() {
    let mut world = World::new(vec![node("n1", "n1"), node("n2", "n2"), node("n3", "n3")]);
    let tip = world.tip();
    world.node("n2").fork = Some(tip - 100);
    world.rounds(5).check("n2 down: fork");
    for name in ["n1", "n3"] {
        world.node(name).away = true;
    }
    world.rounds(40);
    let told = world.told();
    assert!(told.contains("n2 down: fork"), "{told}");
    assert!(!told.contains("n1 down: fork") && !told.contains("n3 down: fork"), "{told}");
    for name in ["n1", "n3"] {
        world.node(name).away = false;
    }
    world.node("n2").fork = None;
    world.rounds(60).check("");
}

#[test]
fn whoever_is_down_by_its_own_word_outvotes_nobody() {
    type Fault = fn(&mut Node);
    let faults: [(Fault, &str); 4] = [
        (|node| node.off_s = -86_400, "headAge"),
        (|node| node.off_s = 86_400, "headAge"),
        (|node| node.reads_state = false, "state"),
        (|node| node.contradicts = true, "finality"),
    ];
    for (fault, word) in faults {
        let mut world = World::new(vec![node("n1", "n1"), node("x1", "x1"), node("x2", "x2")]);
        for name in ["x1", "x2"] {
            let rogue = world.node(name);
            rogue.makes_up = true;
            fault(rogue);
        }
        // Neither from the start nor later.
        for _ in 0..2 {
            world.rounds(10);
            let told = world.told();
            let rogues = told.matches(word).count();
            assert!(rogues == 2 && !told.contains("n1"), "{word}: {told}");
            assert!(!world.changes.contains(&"n1 down".to_owned()), "{word}: {:?}", world.changes);
        }
    }
}

#[test]
fn a_head_that_cannot_be_lets_nobody_in() {
    for others in 0..3 {
        let mut nodes = vec![node("n1", "n1"), node("n2", "n2")];
        nodes.truncate(others);
        nodes.push(Node { stuck: Some(u64::MAX), off_s: i64::MAX, blank: true, ..node("x", "x") });
        let mut world = World::new(nodes);
        world.rounds(30);
        let told = world.told();
        assert!(told.starts_with("x down: headAge") && !told.contains(", "), "{others}: {told}");
        // With a time that could be.
        world.node("x").off_s = 0;
        world.node("x").stuck = Some(u64::from(u32::MAX));
        world.node("x").time_of_tip = true;
        world.board = Board::new(plan(&world.nodes, world.block, 0));
        world.changes.clear();
        world.rounds(30);
        let let_in = world.changes.contains(&"x healthy".to_owned());
        assert_eq!(let_in, others == 0, "{others}: {}", world.told());
    }
}

#[test]
fn a_feed_that_stands_still_is_behind_its_master() {
    let mut world = World::new(vec![
        Node { executes: true, ..node("master", "a") },
        node("feed", "a"),
        node("r1", "a"),
        node("r2", "a"),
    ]);
    let stuck = world.rounds(5).tip();
    for name in ["feed", "r1", "r2"] {
        world.node(name).stuck = Some(stuck);
    }
    world.rounds(60).check("feed down: lag, r1 down: lag, r2 down: lag");
}

#[test]
fn what_was_not_looked_at_again_says_how_old_it_is() {
    let mut world = World::new(cluster());
    world.rounds(5).node("n1").peers = Some(0);
    world.rounds(3).check("n1 degraded: peers");
    world.node("n1").peers = None;
    world.rounds(30).check("n1 degraded: peers");
    let view = world.board.view(world.now());
    let observed = &view.target("n1").unwrap().reasons[0].observed;
    assert_eq!(observed, "0 peers, as of 30 s ago");
}

#[test]
fn an_outage_soon_after_the_start_holds_nobody() {
    let mut world = World::new(cluster());
    world.rounds(3).node("r2").away = true;
    world.rounds(10).check("r2 down: answer");
    world.node("r2").away = false;
    world.changes.clear();
    world.rounds(20).check("");
    assert_eq!(world.changes, ["r2 healthy"]);
}

#[test]
fn a_node_that_nobody_tells_of_blocks_says_whose_fault_that_is() {
    let mut world = World::new(vec![node("n1", "n1"), node("n2", "n2"), node("n3", "n3")]);
    let stuck = world.rounds(5).tip();
    world.node("n1").stuck = Some(stuck);
    world.rounds(100).check("n1 down: lag");
    let view = world.board.view(world.now());
    let observed = &view.targets[0].reasons[0].observed;
    assert!(observed.ends_with("its consensus client is silent"), "{observed}");
}

#[test]
fn a_node_with_peers_and_no_new_block_goes_at_the_age_of_its_head() {
    let mut world = World::new(vec![node("n1", "n1")]);
    world.rounds(5).node("n1").peers = Some(25);
    let stuck = world.tip();
    world.node("n1").stuck = Some(stuck);
    world.rounds(115).check("");
    world.rounds(10).check("n1 down: headAge");
    assert_eq!(world.warned(), ["redundancy", "none"]);
}

#[test]
fn a_target_that_answers_every_other_time_goes_once_and_stays() {
    let mut world = World::new(cluster());
    world.rounds(3).changes.clear();
    for round in 0..60 {
        world.node("r1").away = round % 2 == 0;
        world.rounds(1);
    }
    world.check("r1 down: errors");
    assert!(world.changes.len() <= 2, "{:?}", world.changes);
}

#[test]
fn nobody_goes_because_our_clock_was_set() {
    for known in [false, true] {
        let mut world = World::new(cluster());
        for node in &mut world.nodes {
            node.clock_ahead_ms = known.then_some(0);
        }
        world.rounds(5);
        for ahead_ms in [3_600_000, -7_200_000] {
            world.wall_ahead_ms = ahead_ms;
            for node in &mut world.nodes {
                node.clock_ahead_ms = known.then_some(-ahead_ms);
            }
            world.rounds(20).check("");
            assert_eq!(world.warned(), ["clock"]);
        }
        world.wall_ahead_ms = 0;
        for node in &mut world.nodes {
            node.clock_ahead_ms = known.then_some(0);
        }
        world.rounds(20).check("");
        assert!(world.warned().is_empty());
    }
}

#[test]
fn a_clock_that_was_wrong_from_the_start_is_put_right_by_those_of_the_others() {
    let mut world = World::new(cluster());
    world.wall_ahead_ms = 3_600_000;
    for node in &mut world.nodes {
        node.clock_ahead_ms = Some(-3_600_000);
    }
    world.rounds(2);
    assert!(!world.told().contains("down"), "{}", world.told());
    world.rounds(8).check("");
    assert_eq!(world.warned(), ["clock"]);
}

#[test]
fn a_target_that_is_back_is_not_held_for_as_long_as_it_was_away() {
    let mut world = World::new(cluster());
    world.rounds(40).node("r2").away = true;
    world.rounds(30).check("r2 down: answer");
    world.node("r2").away = false;
    world.rounds(3).check("");
}

#[test]
fn a_target_that_is_down_from_the_start_is_told() {
    let mut world = World::new(cluster());
    world.node("r2").away = true;
    world.rounds(5).check("r2 down: answer");
    let of_it: Vec<_> = world.changes.iter().filter(|change| change.starts_with("r2")).collect();
    assert_eq!(of_it, ["r2 down"]);
}

#[test]
fn moments_stay_where_they_are() {
    let mut world = World::new(cluster());
    world.at += Duration::from_micros(900);
    world.rounds(5).node("r2").behind = 9;
    world.rounds(3).check("r2 down: lag");
    let told = |world: &World| {
        let view = world.board.view(world.now());
        let told = crate::words::target(view.target("r2").unwrap(), view.now);
        (told["sinceMs"].clone(), told["reasons"][0]["since"].clone())
    };
    let first = told(&world);
    for round in 0..20 {
        for node in &mut world.nodes {
            node.clock_ahead_ms = Some(if round % 2 == 0 { 400 } else { -400 });
        }
        world.rounds(1);
        // Some time after the newest observation.
        world.at += Duration::from_micros(130_700);
        assert_eq!(told(&world), first, "round {round}");
    }
}

#[test]
fn where_all_are_down_the_floor_decides() {
    for (floor, expect) in [
        (0, "r1 down: answer, r2 down: answer, r3 down: answer"),
        (1, "r1 degraded: answer floor, r2 down: answer, r3 down: answer"),
        (2, "r1 degraded: answer floor, r2 degraded: answer floor, r3 down: answer"),
    ] {
        let nodes = vec![node("r1", "a"), node("r2", "a"), node("r3", "a")];
        let mut world = World::with(nodes, Duration::from_secs(12), floor);
        world.rounds(20);
        for node in &mut world.nodes {
            node.away = true;
        }
        world.rounds(3).check(expect);
        assert_eq!(world.warned(), [if floor > 0 { "floor" } else { "none" }]);
        for node in &mut world.nodes {
            node.away = false;
        }
        world.rounds(8).check("");
    }
}

#[test]
fn the_floor_keeps_the_newest_head_and_nobody_who_is_wrong() {
    let mut world =
        World::with(vec![node("r1", "r1"), node("r2", "r2"), node("r3", "r3")], Duration::from_secs(12), 2);
    world.rounds(5).node("r1").chain = 8;
    world.node("r2").ready = Some(Ready::No("stale".to_owned()));
    world.node("r3").syncing = true;
    world.rounds(3).check("r1 down: chain, r2 degraded: ready floor, r3 down: syncing");
}

#[test]
fn a_rogue_tip_moves_nobody_but_itself() {
    let mut world = World::new(vec![node("n1", "n1"), node("n2", "n2"), node("n3", "n3")]);
    world.rounds(5).node("n3").behind = -1_000_000;
    world.rounds(30);
    assert!(world.told().starts_with("n3 down: ahead"), "{}", world.told());
    assert!(!world.told().contains(','), "{}", world.told());
    let far = world.tip() + 5;
    assert!(world.board.view(world.now()).tip.is_some_and(|tip| tip < far));
}

#[test]
fn a_newcomer_of_another_chain_gets_nothing() {
    let mut nodes = cluster();
    nodes.push(Node { chain: 8, ..node("n3", "n3") });
    let mut world = World::new(nodes);
    world.rounds(2).check("n3 down: chain");
    world.rounds(50).check("n3 down: chain");
    assert!(!world.changes.contains(&"n3 healthy".to_owned()));
}

#[test]
fn a_checker_that_starts_anew_keeps_cordons_and_lets_nobody_slip_in() {
    let mut world = World::new(cluster());
    world.rounds(5).node("r2").behind = 9;
    let cordon = Cordon { reason: "disk".to_owned(), since_ms: 5, drain: true };
    let index = world.board.index("r3").unwrap();
    world.board.cordon(index, Some(cordon), world.now());
    world.rounds(3).check("r2 down: lag, r3 draining: cordon");
    let cordons = world.board.cordons();
    world.board = Board::new(plan(&world.nodes, world.block, 0));
    for (name, cordon) in cordons {
        let index = world.board.index(&name).unwrap();
        world.board.cordon(index, Some(cordon), world.now());
    }
    world.changes.clear();
    world.rounds(3).check("r2 down: lag, r3 draining: cordon");
    let mut let_in: Vec<_> = world.changes.iter().filter(|change| change.ends_with("healthy")).collect();
    let_in.sort_unstable();
    assert_eq!(let_in, ["n1 healthy", "n2 healthy", "r1 healthy"]);
    world.board.cordon(index, None, world.now());
    world.check("r2 down: lag");
}

#[test]
fn a_checker_that_starts_anew_lets_no_fork_in() {
    for genesis in [false, true] {
        let mut world = World::new(cluster());
        world.rounds(5);
        let fork = if genesis { 0 } else { world.tip() - 30 };
        world.node("n2").fork = Some(fork);
        world.board = Board::new(plan(&world.nodes, world.block, 0));
        world.changes.clear();
        world.rounds(20);
        let expect = if genesis { "n2 down: chain" } else { "n2 down: fork" };
        assert!(world.told().starts_with(expect) && !world.told().contains(','), "{}", world.told());
        assert!(!world.changes.contains(&"n2 healthy".to_owned()), "{:?}", world.changes);
    }
}

#[test]
fn what_a_target_says_is_told_in_short() {
    let mut world = World::new(cluster());
    world.rounds(5).node("r1").ready = Some(Ready::No("x".repeat(100_000)));
    world.rounds(3).check("r1 down: ready");
    let view = world.board.view(world.now());
    assert!(view.target("r1").unwrap().why().len() < 1_000);
}

#[test]
fn a_short_fork_is_no_reason_and_a_long_one_is() {
    for (block_ms, deep) in [(12_000, 60), (250, 40)] {
        let mut world = World::with(cluster(), Duration::from_millis(block_ms), 0);
        world.rounds(40).changes.clear();
        for _ in 0..20 {
            // Two blocks of its own, and back.
            let fork = world.tip() - 1;
            world.node("n2").fork = Some(fork);
            world.rounds(1);
            world.node("n2").fork = None;
            world.rounds(1);
        }
        world.check("");
        assert!(world.changes.is_empty(), "{:?}", world.changes);
        let fork = world.tip() - 1;
        world.node("n2").fork = Some(fork);
        world.rounds(deep).check("n2 down: fork");
        assert_eq!(world.changes, ["n2 down"]);
    }
}

#[test]
fn sources_vote_and_replicas_do_not() {
    // Ten replicas of a bad master, and two honest nodes.
    let mut nodes: Vec<Node> =
        ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9"].map(|name| node(name, "a")).to_vec();
    nodes.extend([node("n1", "n1"), node("n2", "n2")]);
    let mut world = World::new(nodes);
    world.rounds(5);
    let fork = world.tip() - 1;
    for node in world.nodes.iter_mut().filter(|node| node.source == "a") {
        node.fork = Some(fork);
    }
    world.rounds(70);
    let told = world.told();
    assert!(
        told.starts_with("r0 down: fork") && told.contains("r9 down: fork") && !told.contains("n1"),
        "{told}"
    );
}

#[test]
fn without_a_majority_nobody_goes_and_all_are_told() {
    for (trusted, expect) in [(false, "r1 degraded: sources, n1 degraded: sources"), (true, "r1 down: fork")]
    {
        let mut world = World::new(vec![node("r1", "a"), Node { trusted, ..node("n1", "n1") }]);
        world.rounds(5);
        let fork = world.tip() - 1;
        world.node("r1").fork = Some(fork);
        world.rounds(70).check(expect);
        assert_eq!(world.warned().contains(&"sources"), !trusted);
    }
}

#[test]
fn a_proof_finds_whose_state_is_wrong() {
    for (proves, expect) in [
        (true, "r2 down: content"),
        (
            false,
            "r1 degraded: content, r2 degraded: content, r3 degraded: content, n1 degraded: content, n2 degraded: content",
        ),
    ] {
        let mut world = World::new(cluster());
        world.rounds(20).changes.clear();
        world.node("n1").proves = proves;
        world.node("r2").balance = 2;
        world.rounds(40).check(expect);
        // Those that were right are suspected for a moment at most, and never again while it lasts.
        world.changes.clear();
        world.rounds(60).check(expect);
        assert!(world.changes.is_empty(), "{:?}", world.changes);
    }
}

#[test]
fn a_machine_with_one_replica_is_told_so_and_served() {
    let mut world = World::new(vec![node("r1", "a")]);
    world.rounds(5).check("");
    assert_eq!(world.warned(), ["redundancy"]);
}

#[test]
fn a_halt_of_the_chain_is_nobodys_lag() {
    let mut world = World::new(cluster());
    world.rounds(5);
    let tip = world.tip();
    for node in &mut world.nodes {
        node.stuck = Some(tip);
    }
    world.rounds(130);
    assert_eq!(world.told().matches("headAge").count(), 5, "{}", world.told());
    assert!(!world.told().contains("lag"), "{}", world.told());
}

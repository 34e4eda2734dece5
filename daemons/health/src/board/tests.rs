//! The board in virtual time, before scripted targets.

use super::{Board, Group, Plan, Target};
use crate::limits::Limits;
use crate::observe::{Asks, Content, Now, Observation, Ready, Room, Seen, Tip};
use crate::steady::Terms;
use crate::verdict::Verdict;
use crate::view::Cordon;
use maidenlane_chain::{B256, BlockRef};
use std::time::Duration;

const CHAIN: u64 = 7;
/// Start of the virtual time, as a Unix time in seconds, and the chain's number then.
const START_S: u64 = 1_700_000_000;
const START_BLOCK: u64 = 1_000;
const ROUND: Duration = Duration::from_secs(1);

/// A scripted target. As it is by default, it is a good one.
#[derive(Clone)]
struct Node {
    name: &'static str,
    source: &'static str,
    trusted: bool,
    chain: u64,
    away: bool,
    /// Blocks behind the chain; negative for ahead.
    behind: i64,
    /// Number that its head no longer leaves.
    stuck: Option<u64>,
    /// Number from which its blocks are others'.
    fork: Option<u64>,
    syncing: bool,
    peers: Option<u64>,
    ready: Option<Ready>,
    clock_ahead_ms: Option<i64>,
    balance: u8,
    proves: bool,
    finalized_back: u64,
    room: Option<Room>,
    certificate_until_s: Option<i64>,
}

fn node(name: &'static str, source: &'static str) -> Node {
    Node {
        name,
        source,
        trusted: false,
        chain: CHAIN,
        away: false,
        behind: 0,
        stuck: None,
        fork: None,
        syncing: false,
        peers: None,
        ready: None,
        clock_ahead_ms: None,
        balance: 1,
        proves: false,
        finalized_back: 0,
        room: None,
        certificate_until_s: None,
    }
}

fn block_hash(number: u64, chain: u64, fork: bool) -> B256 {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[8..16].copy_from_slice(&chain.to_be_bytes());
    bytes[16] = u8::from(fork);
    B256::new(bytes)
}

impl Node {
    fn hash(&self, number: u64) -> B256 {
        block_hash(number, self.chain, self.fork.is_some_and(|fork| number >= fork))
    }

    /// Answers at a time, while the chain is at a number.
    fn answer(&self, tip: u64, block: Duration, asks: &Asks) -> Observation {
        let took = Duration::from_millis(3);
        if self.away {
            return Observation { took: ROUND, seen: Err("no answer".to_owned()) };
        }
        let number = self.stuck.unwrap_or_else(|| tip.saturating_add_signed(-self.behind));
        let time_s = START_S + (block * u32::try_from(number.saturating_sub(START_BLOCK)).unwrap()).as_secs();
        let latest = Tip { block: BlockRef::new(number, self.hash(number)), time_s: Some(time_s) };
        let known = asks.heights.iter().filter(|height| **height <= number);
        let content = |block| Content {
            block,
            balances: vec![B256::repeat_byte(self.balance)],
            proven: (asks.prove && self.proves).then_some(true),
        };
        let seen = Seen {
            chain_id: Some(self.chain),
            syncing: Some(self.syncing),
            latest: Some(latest),
            safe: Some(number.min(tip - 32)),
            finalized: Some(number.min(tip - 64 - self.finalized_back)),
            peers: self.peers,
            hashes: known.map(|height| (*height, self.hash(*height))).collect(),
            state: Some(Ok(())),
            content: asks.content.map(content),
            ready: self.ready.clone(),
            clock_ahead_ms: self.clock_ahead_ms,
            room: self.room,
            certificate_until_s: self.certificate_until_s,
            ..Seen::default()
        };
        Observation { took, seen: Ok(seen) }
    }
}

struct World {
    board: Board,
    nodes: Vec<Node>,
    block: Duration,
    at: Duration,
    wall_ahead_ms: i64,
    /// Changes of verdicts since the last look.
    changes: Vec<String>,
}

impl World {
    fn new(nodes: Vec<Node>) -> Self {
        Self::with(nodes, Duration::from_secs(12), 0)
    }

    fn with(nodes: Vec<Node>, block: Duration, floor: usize) -> Self {
        let board = Board::new(plan(&nodes, block, floor));
        Self { board, nodes, block, at: Duration::ZERO, wall_ahead_ms: 0, changes: Vec::new() }
    }

    fn tip(&self) -> u64 {
        START_BLOCK + u64::try_from(self.at.as_millis() / self.block.as_millis()).unwrap()
    }

    fn now(&self) -> Now {
        let wall_ms = START_S * 1_000 + u64::try_from(self.at.as_millis()).unwrap();
        Now { at: self.at, wall_ms: wall_ms.saturating_add_signed(self.wall_ahead_ms) }
    }

    fn node(&mut self, name: &str) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.name == name).unwrap()
    }

    /// Rounds of all targets, each at its own moment.
    fn rounds(&mut self, count: usize) -> &mut Self {
        let each = u32::try_from(self.nodes.len()).unwrap();
        for _ in 0..count {
            for index in 0..self.nodes.len() {
                self.at += ROUND / each;
                let asks = self.board.view(self.now()).asks;
                let observation = self.nodes[index].answer(self.tip(), self.block, &asks);
                let changes = self.board.observe(index, observation, self.now());
                let names = &self.nodes;
                self.changes.extend(
                    changes.iter().map(|change| format!("{} {}", names[change.target].name, change.to)),
                );
            }
        }
        self
    }

    /// Verdicts that are not healthy, with the words of their checks.
    fn told(&self) -> String {
        let view = self.board.view(self.now());
        let bad = view.targets.iter().filter(|target| target.verdict != Verdict::Healthy);
        let text = bad.map(|target| {
            let words: Vec<_> = target.reasons.iter().map(|reason| reason.check.word()).collect();
            format!("{} {}: {}", target.name, target.verdict, words.join(" "))
        });
        text.collect::<Vec<_>>().join(", ")
    }

    fn check(&self, expect: &str) -> &Self {
        assert_eq!(self.told(), expect);
        self
    }

    fn warned(&self) -> Vec<&'static str> {
        self.board.view(self.now()).warnings.iter().map(|warning| warning.name).collect()
    }
}

fn plan(nodes: &[Node], block: Duration, floor: usize) -> Plan {
    let group = Group {
        name: "nodes".to_owned(),
        limits: Limits::of(block),
        terms: Terms { fall: 2, rise: 3, dwell: Duration::from_secs(5) },
        interval: ROUND,
        timeout: ROUND,
        floor,
        degraded_percent: 10,
    };
    let target = |node: &Node| Target {
        name: node.name.to_owned(),
        group: 0,
        source: Some(node.source.to_owned()),
        trusted: node.trusted,
        serves: None,
    };
    let targets = nodes.iter().map(target).collect();
    Plan { chain_id: CHAIN, genesis: None, block_time: block, groups: vec![group], targets }
}

/// Three replicas of a feed and two independent nodes.
fn cluster() -> Vec<Node> {
    vec![node("r1", "a"), node("r2", "a"), node("r3", "a"), node("n1", "n1"), node("n2", "n2")]
}

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
        world.at += Duration::from_millis(130);
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

//! The world of the board's tests: scripted targets of a chain, in virtual time.

use crate::board::{Board, Group, Plan, Target};
use crate::limits::Limits;
use crate::observe::{Asks, Content, Now, Observation, Ready, Room, Seen, Tip};
use crate::steady::Terms;
use crate::verdict::Verdict;
use maidenlane_chain::{B256, BlockRef};
use std::time::Duration;

pub(super) const CHAIN: u64 = 7;
/// Start of the virtual time, as a Unix time in seconds, and the chain's number then.
pub(super) const START_S: u64 = 1_700_000_000;
pub(super) const START_BLOCK: u64 = 1_000;
pub(super) const ROUND: Duration = Duration::from_secs(1);

/// A scripted target. As it is by default, it is a good one.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) name: &'static str,
    pub(super) source: &'static str,
    pub(super) trusted: bool,
    pub(super) executes: bool,
    pub(super) chain: u64,
    pub(super) away: bool,
    /// Blocks behind the chain; negative for ahead.
    pub(super) behind: i64,
    /// Number that its head no longer leaves.
    pub(super) stuck: Option<u64>,
    /// Number from which its blocks are others'.
    pub(super) fork: Option<u64>,
    /// Seconds that its head's time is off by.
    pub(super) off_s: i64,
    /// True if it makes up a hash for every height, even above its head.
    pub(super) makes_up: bool,
    pub(super) reads_state: bool,
    /// True if it knows no block but its head and the genesis.
    pub(super) blank: bool,
    /// True if its final block is above its head.
    pub(super) contradicts: bool,
    /// True if its head has the time of the chain's, whatever its number.
    pub(super) time_of_tip: bool,
    pub(super) syncing: bool,
    pub(super) peers: Option<u64>,
    pub(super) ready: Option<Ready>,
    pub(super) clock_ahead_ms: Option<i64>,
    pub(super) balance: u8,
    pub(super) proves: bool,
    pub(super) finalized_back: u64,
    pub(super) room: Option<Room>,
    pub(super) certificate_until_s: Option<i64>,
}

pub(super) fn node(name: &'static str, source: &'static str) -> Node {
    Node {
        name,
        source,
        trusted: false,
        executes: false,
        chain: CHAIN,
        away: false,
        behind: 0,
        stuck: None,
        fork: None,
        off_s: 0,
        makes_up: false,
        reads_state: true,
        blank: false,
        contradicts: false,
        time_of_tip: false,
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

pub(super) fn block_hash(number: u64, chain: u64, fork: bool) -> B256 {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[8..16].copy_from_slice(&chain.to_be_bytes());
    bytes[16] = u8::from(fork);
    B256::new(bytes)
}

impl Node {
    fn hash(&self, number: u64) -> B256 {
        if self.makes_up && number > 0 {
            return block_hash(number, self.chain, true);
        }
        block_hash(number, self.chain, self.fork.is_some_and(|fork| number >= fork))
    }

    /// Answers at a time, while the chain is at a number.
    fn answer(&self, tip: u64, block: Duration, asks: &Asks) -> Observation {
        let took = Duration::from_millis(3);
        if self.away {
            return Observation { took: ROUND, seen: Err("no answer".to_owned()) };
        }
        let number = self.stuck.unwrap_or_else(|| tip.saturating_add_signed(-self.behind));
        let timed = if self.time_of_tip || number > tip + 1_000 { tip } else { number };
        let time_s = START_S + (block * u32::try_from(timed.saturating_sub(START_BLOCK)).unwrap()).as_secs();
        let time_s = time_s.saturating_add_signed(self.off_s);
        let latest = Tip { block: BlockRef::new(number, self.hash(number)), time_s: Some(time_s) };
        let known = asks
            .heights
            .iter()
            .filter(|height| self.makes_up || **height <= if self.blank { 0 } else { number });
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
            finalized: Some(if self.contradicts {
                number + 1
            } else {
                number.min(tip - 64 - self.finalized_back)
            }),
            peers: self.peers,
            hashes: known.map(|height| (*height, self.hash(*height))).collect(),
            state: Some(if self.reads_state { Ok(()) } else { Err("missing trie node".to_owned()) }),
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

pub(super) struct World {
    pub(super) board: Board,
    pub(super) nodes: Vec<Node>,
    pub(super) block: Duration,
    pub(super) at: Duration,
    pub(super) wall_ahead_ms: i64,
    /// Changes of verdicts since the last look.
    pub(super) changes: Vec<String>,
}

impl World {
    pub(super) fn new(nodes: Vec<Node>) -> Self {
        Self::with(nodes, Duration::from_secs(12), 0)
    }

    pub(super) fn with(nodes: Vec<Node>, block: Duration, floor: usize) -> Self {
        let board = Board::new(plan(&nodes, block, floor));
        Self { board, nodes, block, at: Duration::ZERO, wall_ahead_ms: 0, changes: Vec::new() }
    }

    pub(super) fn tip(&self) -> u64 {
        START_BLOCK + u64::try_from(self.at.as_millis() / self.block.as_millis()).unwrap()
    }

    pub(super) fn now(&self) -> Now {
        let wall_ms = START_S * 1_000 + u64::try_from(self.at.as_millis()).unwrap();
        Now { at: self.at, wall_ms: wall_ms.saturating_add_signed(self.wall_ahead_ms) }
    }

    pub(super) fn node(&mut self, name: &str) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.name == name).unwrap()
    }

    /// Rounds of all targets, each at its own moment.
    pub(super) fn rounds(&mut self, count: usize) -> &mut Self {
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
    pub(super) fn told(&self) -> String {
        let view = self.board.view(self.now());
        let bad = view.targets.iter().filter(|target| target.verdict != Verdict::Healthy);
        let text = bad.map(|target| {
            let words: Vec<_> = target.reasons.iter().map(|reason| reason.check.word()).collect();
            format!("{} {}: {}", target.name, target.verdict, words.join(" "))
        });
        text.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn check(&self, expect: &str) -> &Self {
        assert_eq!(self.told(), expect);
        self
    }

    pub(super) fn warned(&self) -> Vec<&'static str> {
        self.board.view(self.now()).warnings.iter().map(|warning| warning.name).collect()
    }
}

pub(super) fn plan(nodes: &[Node], block: Duration, floor: usize) -> Plan {
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
        executes: node.executes,
        serves: None,
    };
    let targets = nodes.iter().map(target).collect();
    Plan { chain_id: CHAIN, genesis: None, block_time: block, groups: vec![group], targets }
}

/// Three replicas of a feed and two independent nodes.
pub(super) fn cluster() -> Vec<Node> {
    vec![node("r1", "a"), node("r2", "a"), node("r3", "a"), node("n1", "n1"), node("n2", "n2")]
}

//! Tests of following by scripts: blocks, inputs and expected steps.
//!
//! Blocks are named by letter and number: `a3` is block 3 of branch a. `a` is the trunk; `b3<a2` spools b3 on a2.

use super::{CATCH_UP_MAX, Change, Follow, Input, Lineage, Step};
use crate::published::{Link, Published};
use maidenlane_chain::{B256, BlockRef, keccak256};
use maidenlane_log::Offset;
use std::collections::HashMap;

#[derive(Default)]
struct Spool(HashMap<B256, B256>);

impl Lineage for Spool {
    fn parent(&self, hash: &B256) -> Option<B256> {
        self.0.get(hash).copied()
    }
}

fn block(name: &str) -> BlockRef {
    BlockRef::new(name[1..].parse().unwrap(), keccak256(name))
}

struct World {
    names: HashMap<B256, String>,
    parents: HashMap<B256, B256>,
    spool: Spool,
    published: Published,
    follow: Follow,
}

impl World {
    fn know(&mut self, name: &str, parent: &str) {
        self.names.insert(block(name).hash, name.to_owned());
        self.parents.insert(block(name).hash, block(parent).hash);
    }

    fn name(&self, hash: &B256) -> String {
        self.names.get(hash).cloned().unwrap_or_else(|| "?".to_owned())
    }

    fn link(&self, hash: B256) -> Link {
        let number = self.name(&hash)[1..].parse().unwrap();
        let parent = self.parents.get(&hash).copied().unwrap_or_default();
        Link { block: BlockRef::new(number, hash), parent, root: B256::ZERO, offset: Offset(number) }
    }

    fn apply(&mut self, change: &Change) {
        for undo in &change.undo {
            assert!(self.published.undo(*undo, self.parents[&undo.hash]));
        }
        for hash in &change.advance {
            let link = self.link(*hash);
            assert!(self.published.advance(link));
        }
    }

    /// Steps until there is nothing more to do at once, and returns the steps as text.
    fn run(&mut self) -> String {
        let mut steps = Vec::new();
        loop {
            let step = self.follow.step(&self.published, &self.spool);
            let last =
                matches!(step, Step::Wait { .. } | Step::Confirm(_) | Step::Deeper | Step::BelowBase(_));
            steps.push(match step {
                Step::Idle => break,
                Step::Reached => "reached".to_owned(),
                Step::Confirm(block) => format!("confirm {}", self.name(&block.hash)),
                Step::Wait { missing, .. } => format!("wait {}", self.name(&missing.hash)),
                Step::Deeper => "deeper".to_owned(),
                Step::BelowBase(_) => "below".to_owned(),
                Step::Change(change) => {
                    self.apply(&change);
                    let undo = change.undo.iter().map(|block| format!("-{}", self.name(&block.hash)));
                    let advance = change.advance.iter().map(|hash| format!("+{}", self.name(hash)));
                    undo.chain(advance).collect::<Vec<_>>().join(" ")
                }
            });
            if last {
                break;
            }
        }
        if steps.is_empty() { "-".to_owned() } else { steps.join(", ") }
    }

    fn act(&mut self, line: &str) {
        let (action, expect) =
            line.split_once(" => ").map_or((line, None), |(a, e)| (a.trim(), Some(e.trim())));
        let (verb, name) = action.trim().split_once(' ').unwrap_or((action.trim(), ""));
        match verb {
            "spool" => {
                let (name, parent) = name.split_once('<').unwrap();
                self.know(name, parent);
                self.spool.0.insert(block(name).hash, block(parent).hash);
            }
            "exists" => {
                let (name, parent) = name.split_once('<').unwrap();
                self.know(name, parent);
            }
            "head" => self.follow.note(Input::Announced(block(name))),
            "polled" => self.follow.note(Input::Polled(block(name))),
            "restart" => self.follow.note(Input::Restarted),
            other => panic!("no such action: {other}"),
        }
        let steps = self.run();
        if let Some(expect) = expect {
            assert_eq!(steps, expect, "at `{line}`");
        }
    }
}

/// A feed from a0 to a`head`, remembered from a`oldest`.
fn world(oldest: u64, head: u64) -> World {
    let mut world = World {
        names: HashMap::new(),
        parents: HashMap::new(),
        spool: Spool::default(),
        published: Published::default(),
        follow: Follow::default(),
    };
    for number in 0..=head + 9 {
        world.know(&format!("a{number}"), &format!("a{}", number.saturating_sub(1)));
    }
    for number in oldest..=head {
        let link = world.link(block(&format!("a{number}")).hash);
        if number == 0 {
            world.published.begin(link);
        } else {
            assert!(world.published.advance(link));
        }
    }
    world
}

/// The script, on a feed as of [`world`].
fn check(oldest: u64, head: u64, script: &str) {
    let mut world = world(oldest, head);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        world.act(line);
    }
}

#[test]
fn extends_by_one_and_by_many() {
    check(
        0,
        5,
        "
        spool a6<a5 => -
        head a6 => +a6
        spool a7<a6
        spool a8<a7
        head a8 => +a7 +a8
        head a8 => reached",
    );
}

#[test]
fn a_backlog_is_many_changes() {
    let (mut world, head) = (world(0, 5), 5 + 2 * CATCH_UP_MAX + 7);
    for number in 6..=head {
        world.act(&format!("spool a{number}<a{}", number - 1));
    }
    world.follow.note(Input::Announced(block(&format!("a{head}"))));
    let steps = world.run();
    let blocks: Vec<usize> = steps.split(", ").map(|change| change.split(' ').count()).collect();
    assert_eq!(blocks, [CATCH_UP_MAX, CATCH_UP_MAX, 7]);
    assert!(steps.ends_with(&format!("+a{head}")));
}

#[test]
fn waits_for_frames_that_are_late() {
    check(
        0,
        5,
        "
        head a6 => wait a6
        head a7 => wait a7
        spool a7<a6 => wait a6
        spool a6<a5 => +a6 +a7",
    );
}

#[test]
fn a_waiting_head_is_superseded_by_another_branch() {
    check(
        0,
        5,
        "
        spool b6<a5
        head a6 => wait a6
        head b6 => +b6",
    );
}

#[test]
fn reorganises_to_a_known_branch_and_back() {
    check(
        0,
        5,
        "
        spool a5<a4
        spool a4<a3
        spool b4<a3
        spool b5<b4
        spool b6<b5
        head b6 => -a5 -a4 +b4 +b5 +b6
        head a5 => -b6 -b5 -b4 +a4 +a5",
    );
}

#[test]
fn follows_a_shortening_only_when_the_master_still_stands_there() {
    check(
        0,
        5,
        "
        head a5 => reached
        head a3 => confirm a3
        polled a3 => -a5 -a4",
    );
    check(
        0,
        5,
        "
        head a5 => reached
        head a3 => confirm a3
        polled a5 => -
        polled a5 => reached",
    );
}

#[test]
fn shortens_to_a_sibling_of_an_ancestor() {
    check(
        0,
        5,
        "
        spool b3<a2
        head b3 => -a5 -a4 -a3 +b3",
    );
}

#[test]
fn ignores_the_past_while_resuming() {
    check(
        0,
        5,
        "
        head a2 => -
        polled a2 => -
        polled a2 => -
        head a3 => -
        head a5 => reached
        head a4 => confirm a4",
    );
}

#[test]
fn resuming_ends_with_a_head_off_the_chain() {
    check(
        0,
        5,
        "
        spool b4<a3
        spool b5<b4
        head a3 => -
        head b4 => -a5 -a4 +b4
        head a3 => confirm a3",
    );
}

#[test]
fn a_restart_resumes_again_and_forgets_old_announcements() {
    check(
        0,
        5,
        "
        head a5 => reached
        head a7 => wait a7
        restart => -
        head a2 => -
        spool a6<a5
        head a6 => +a6
        head a5 => confirm a5",
    );
}

#[test]
fn a_head_that_was_never_announced_counts_when_polled_twice() {
    check(
        0,
        5,
        "
        spool a6<a5
        polled a6 => -
        polled a6 => +a6",
    );
    check(
        0,
        5,
        "
        spool a6<a5
        spool b6<a5
        polled b6 => -
        head a6 => +a6
        polled b6 => -
        polled a6 => -
        polled b6 => -",
    );
}

#[test]
fn asks_for_more_of_the_feed_when_the_fork_is_deeper() {
    check(
        3,
        5,
        "
        spool b3<a2
        spool b4<b3
        head b4 => deeper",
    );
    check(3, 5, "head a1 => deeper");
}

#[test]
fn never_leaves_the_feeds_base() {
    check(
        0,
        2,
        "
        spool b1<b0
        head b1 => below",
    );
}

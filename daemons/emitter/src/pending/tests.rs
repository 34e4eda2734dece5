//! Lives of transactions, told to the set step by step: what it asks, tells and commits.

mod order;
mod routes;

use super::{Answer, Pending};
use crate::answer::Ask;
use crate::chain::{Change, Holding, Included, Stretch};
use crate::life::Stage;
use crate::rebuild::Histories;
use crate::route::Routes;
use crate::sound::Sound;
use crate::turn::{Action, Now, Standing, Terms};
use crate::verdict::Class;
use maidenlane_chain::{Address, B256, BlockRef, Bytes, keccak256};
use maidenlane_wire::Outcome;

const TERMS: Terms = Terms { hold_ms: 60_000, lifetime_ms: 3_600_000, again_blocks: 3, again_ms: 300_000 };
const BEGIN_MS: u64 = 10_000_000;
const UNIX_MS: u64 = 1_700_000_000_000;

/// A set with nodes `a` and `b`, and all that it said.
struct Scene {
    set: Pending,
    ms: u64,
    asked: Vec<String>,
    told: Vec<Outcome>,
    committed: Vec<u64>,
    wanted: Vec<u64>,
    offset: u64,
}

fn tx(sender: u8, nonce: u64, salt: u8) -> Sound {
    let raw = Bytes::from(vec![sender, u8::try_from(nonce).unwrap(), salt]);
    Sound { hash: keccak256(&raw), sender: Address::repeat_byte(sender), nonce, raw, tag: None }
}

/// The block of this number on the branch called by this letter.
fn block(number: u64, branch: u8) -> BlockRef {
    BlockRef::new(number, keccak256([branch, u8::try_from(number).unwrap()]))
}

fn holding(block: BlockRef, held: &[&Sound]) -> Holding {
    let included = |tx: &&Sound| Included { hash: tx.hash, sender: tx.sender, nonce: tx.nonce };
    Holding { block, time_s: UNIX_MS / 1_000, transactions: held.iter().map(included).collect() }
}

impl Scene {
    fn new() -> Self {
        let mut scene = Self::with_unproven_nodes();
        for node in [0, 1] {
            scene.run(|set, now| set.stand(node, Standing::Right, now));
        }
        scene
    }

    fn with_unproven_nodes() -> Self {
        let names = vec!["a".to_owned(), "b".to_owned()];
        let mut set = Pending::new(names, Routes::new(Vec::new(), 2), TERMS);
        set.set_fresh(true);
        let (asked, told, committed, wanted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { set, ms: 0, asked, told, committed, wanted, offset: 0 }
    }

    const fn now(&self) -> Now {
        Now { steady_ms: BEGIN_MS + self.ms, unix_ms: UNIX_MS + self.ms }
    }

    /// A step; every outcome is durable at once.
    fn run(&mut self, step: impl FnOnce(&mut Pending, Now)) {
        let now = self.now();
        step(&mut self.set, now);
        loop {
            let actions = self.set.take_actions();
            if actions.is_empty() {
                return;
            }
            for action in actions {
                match action {
                    Action::Ask { upstream, ask, tx } => {
                        let node = ["a", "b"][upstream];
                        self.asked.push(format!("{node} {ask:?} {}", tx.nonce));
                    }
                    Action::Tell(outcome) => self.told.push(outcome),
                    Action::Want(since_s) => self.wanted.push(since_s),
                    Action::Commit { offset, .. } => self.committed.push(offset),
                }
            }
            self.set.made_durable(self.told.len() as u64);
        }
    }

    /// An entry with this transaction, taken now.
    fn come(&mut self, tx: &Sound) -> u64 {
        let offset = self.offset;
        self.offset += 1;
        let taken_ms = UNIX_MS + self.ms;
        self.run(|set, now| set.take(0, offset, tx.clone(), taken_ms, now));
        offset
    }

    fn say(&mut self, tx: &Sound, node: usize, class: Class) {
        let reason = (!class.has_it()).then(|| format!("{class}!"));
        let answer = Answer::Verdict { class, reason };
        self.run(|set, now| set.answer(tx.hash, node, answer, now));
    }

    fn look(&mut self, tx: &Sound, node: usize, found: bool) {
        self.run(|set, now| set.answer(tx.hash, node, Answer::Looked(found), now));
    }

    fn both(&mut self, tx: &Sound, class: Class) {
        self.say(tx, 0, class);
        self.say(tx, 1, class);
    }

    /// Time passes, with a tick whenever one is due.
    fn pass(&mut self, ms: u64) {
        let end = self.ms + ms;
        while let Some(due) = self.set.due_ms().filter(|due| *due <= BEGIN_MS + end) {
            self.ms = self.ms.max(due - BEGIN_MS);
            self.run(Pending::tick);
        }
        self.ms = end;
        self.run(Pending::tick);
    }

    fn change(&mut self, undone: &[BlockRef], added: &[Holding], finalized: u64) {
        let change = Change { undone: undone.to_vec(), added: added.to_vec(), finalized };
        self.run(|set, now| set.change(&change, now));
    }

    /// Questions since the last look.
    fn asked(&mut self) -> String {
        std::mem::take(&mut self.asked).join(", ")
    }

    /// Fates since the last look, but for nodes' verdicts, with their rounds.
    fn told(&self, from: usize) -> String {
        let fates = self.told[from..].iter().filter(|outcome| outcome.fate.name() != "Sent");
        let texts = fates.map(|outcome| format!("{}{}", outcome.fate.name(), outcome.round));
        texts.collect::<Vec<_>>().join(" ")
    }

    fn all_told(&self) -> String {
        self.told(0)
    }

    /// Verdicts of nodes that were told.
    fn verdicts(&self) -> String {
        let sent = self.told.iter().filter_map(|outcome| match &outcome.fate {
            maidenlane_wire::Fate::Sent { upstream, class, .. } => Some(format!("{upstream} {class}")),
            _ => None,
        });
        sent.collect::<Vec<_>>().join(", ")
    }

    fn stage(&self, tx: &Sound) -> Option<Stage> {
        self.set.flight(&tx.hash).map(|flight| flight.stage)
    }

    /// The set of another emitter that reads what this one told.
    fn elsewhere(&self, transactions: &[&Sound]) -> Self {
        let mut other = Self::new();
        (other.ms, other.offset) = (self.ms, self.offset);
        let mut histories = Histories::new(vec!["a".to_owned(), "b".to_owned()], 0);
        self.told.iter().for_each(|outcome| histories.take(outcome));
        let found = transactions.iter().filter(|tx| histories.wants(&tx.hash));
        let found = found.map(|tx| (*tx).clone()).collect();
        let rebuilt = histories.rebuilt(found, other.now().steady_ms, other.now().unix_ms);
        other.run(|set, now| set.gain(0, rebuilt, now));
        other
    }
}

#[test]
fn one_node_that_has_it_is_enough() {
    let (mut scene, one) = (Scene::new(), tx(1, 7, 0));
    scene.come(&one);
    assert_eq!((scene.asked(), scene.all_told()), ("a Send 7, b Send 7".into(), "Received0".into()));
    scene.say(&one, 1, Class::Unanswered);
    assert!(scene.committed.is_empty());
    scene.say(&one, 0, Class::Accepted);
    assert_eq!((scene.all_told().as_str(), &scene.committed[..]), ("Received0 Accepted0", &[0][..]));
    scene.pass(250);
    assert_eq!(scene.asked(), "b Send 7", "the other is asked again");
    scene.say(&one, 1, Class::Known);
    assert_eq!(scene.all_told(), "Received0 Accepted0", "told once");
    assert_eq!(scene.verdicts(), "b unanswered, a accepted, b known");
}

#[test]
fn it_is_refused_only_by_all_that_can_answer() {
    for class in [Class::Invalid, Class::Funds, Class::Underpriced, Class::ReplaceUnderpriced, Class::FeeCap]
    {
        let (mut scene, one) = (Scene::new(), tx(1, 7, 0));
        scene.come(&one);
        scene.say(&one, 0, class);
        assert_eq!((scene.all_told().as_str(), scene.committed.len()), ("Received0", 0), "{class}");
        scene.say(&one, 1, class);
        assert_eq!((scene.all_told().as_str(), scene.committed.len()), ("Received0 Rejected0", 1), "{class}");
        assert!(scene.set.is_empty() && scene.set.due_ms().is_none());
    }
}

#[test]
fn one_that_takes_it_outweighs_one_that_refuses() {
    for (first, second) in [(Class::Invalid, Class::Accepted), (Class::Known, Class::Invalid)] {
        let (mut scene, one) = (Scene::new(), tx(1, 7, 0));
        scene.come(&one);
        scene.say(&one, 0, first);
        scene.say(&one, 1, second);
        assert_eq!(scene.all_told(), "Received0 Accepted0");
    }
}

#[test]
fn the_most_telling_refusal_is_told() {
    let (mut scene, one) = (Scene::new(), tx(1, 7, 0));
    scene.come(&one);
    scene.say(&one, 0, Class::Underpriced);
    scene.say(&one, 1, Class::Funds);
    let last = scene.told.last().map(|outcome| outcome.to_json()).unwrap();
    assert_eq!((&last["class"], &last["reason"]), (&"funds".into(), &"funds!".into()));
}

#[test]
fn a_node_that_is_away_is_waited_for_and_then_not() {
    // One whose breaker is open cannot even be asked: the question comes back at once.
    let unanswered = Answer::Verdict { class: Class::Unanswered, reason: None };
    for away in [unanswered, Answer::Busy] {
        let (mut scene, one) = (Scene::new(), tx(1, 7, 0));
        scene.come(&one);
        scene.say(&one, 0, Class::Invalid);
        scene.run(|set, now| set.answer(one.hash, 1, away, now));
        scene.pass(TERMS.hold_ms - 1);
        assert_eq!(scene.all_told().matches("Rejected").count(), 0);
        scene.pass(1);
        assert_eq!((scene.all_told().as_str(), scene.committed.len()), ("Received0 Rejected0", 1));
    }
}

#[test]
fn without_any_answer_it_holds_the_position_until_its_time_is_over() {
    let (mut scene, one) = (Scene::new(), tx(1, 7, 0));
    scene.come(&one);
    scene.both(&one, Class::Unanswered);
    scene.pass(TERMS.lifetime_ms - 1);
    assert_eq!((scene.all_told().as_str(), scene.committed.len()), ("Received0", 0));
    scene.set.set_fresh(false);
    scene.pass(60_000);
    assert_eq!(scene.all_told(), "Received0", "a block may hold it, as far as anybody knows");
    scene.set.set_fresh(true);
    scene.pass(1_000);
    assert_eq!((scene.all_told().as_str(), scene.committed.len()), ("Received0 Expired0", 1));
}

#[test]
fn a_used_nonce_is_asked_for_by_hash() {
    let (mut scene, one) = (Scene::new(), tx(1, 7, 0));
    scene.come(&one);
    scene.asked();
    scene.both(&one, Class::NonceLow);
    assert_eq!((scene.asked(), scene.all_told()), ("a Look 7, b Look 7".into(), "Received0".into()));
    scene.look(&one, 0, false);
    assert_eq!(scene.all_told(), "Received0", "the other may know it");
    scene.look(&one, 1, true);
    assert_eq!(
        (scene.all_told().as_str(), scene.verdicts().as_str()),
        ("Received0 Accepted0", "a nonceLow, b known")
    );

    let other = tx(1, 8, 0);
    scene.come(&other);
    scene.both(&other, Class::NonceLow);
    scene.run(|set, now| set.answer(other.hash, 0, Answer::Busy, now));
    scene.look(&other, 1, false);
    scene.asked();
    scene.pass(250);
    assert_eq!(scene.asked(), "a Look 8", "asked again, and nothing is told before");
    scene.look(&other, 0, false);
    assert_eq!(scene.told.last().unwrap().fate.name(), "Rejected");
}

#[test]
fn a_full_pool_holds_the_position_for_a_while_and_is_asked_again() {
    for class in [Class::PoolFull, Class::Gap, Class::Unclear] {
        let (mut scene, one, two) = (Scene::new(), tx(1, 7, 0), tx(2, 1, 0));
        scene.come(&one);
        scene.both(&one, class);
        scene.come(&two);
        scene.both(&two, Class::Accepted);
        scene.asked();
        scene.pass(249);
        assert_eq!(scene.asked(), "", "{class}");
        scene.pass(1);
        assert_eq!(scene.asked(), "a Send 7, b Send 7");
        scene.both(&one, class);
        assert!(scene.committed.is_empty(), "what is behind it waits with it");
        scene.pass(TERMS.hold_ms);
        assert_eq!((scene.stage(&one), &scene.committed[..]), (Some(Stage::Held), &[1][..]));
        scene.both(&one, Class::Accepted);
        assert_eq!(scene.stage(&one), Some(Stage::Pending));
    }
}

#[test]
fn it_is_sent_again_until_a_block_holds_it_and_that_is_final() {
    let (mut scene, one) = (Scene::new(), tx(1, 7, 0));
    scene.change(&[], &[holding(block(1, b'x'), &[])], 0);
    scene.come(&one);
    scene.both(&one, Class::Accepted);
    scene.asked();
    for number in 2..4 {
        scene.change(&[], &[holding(block(number, b'x'), &[])], 0);
        assert_eq!(scene.asked(), "");
    }
    scene.change(&[], &[holding(block(4, b'x'), &[])], 0);
    assert_eq!(scene.asked(), "a Send 7, b Send 7", "three blocks later");
    scene.both(&one, Class::Known);
    scene.pass(TERMS.again_ms);
    assert_eq!(scene.asked(), "a Send 7, b Send 7", "without blocks as well");
    scene.both(&one, Class::Underpriced);
    let before = scene.told.len();
    scene.change(&[], &[holding(block(5, b'x'), &[&one])], 2);
    scene.pass(2 * TERMS.again_ms);
    scene.change(&[], &[], 4);
    assert_eq!((scene.told(before).as_str(), scene.asked().as_str()), ("Mined0", ""));
    scene.change(&[], &[], 5);
    assert_eq!(scene.told(before), "Mined0 Final0");
    assert!(scene.set.is_empty());
}

#[test]
fn after_a_reorganisation_it_is_sent_again_and_its_next_fate_is_another() {
    let (mut scene, one) = (Scene::new(), tx(1, 7, 0));
    scene.come(&one);
    scene.both(&one, Class::Accepted);
    let before = scene.told.len();
    let held = |branch| holding(block(1, branch), &[&one]);
    scene.change(&[], &[held(b'x')], 0);
    scene.asked();
    scene.change(&[block(1, b'x')], &[holding(block(1, b'y'), &[])], 0);
    assert_eq!(
        (scene.told(before).as_str(), scene.asked().as_str()),
        ("Mined0 ReorgedOut0", "a Send 7, b Send 7")
    );
    scene.say(&one, 0, Class::Known);
    scene.say(&one, 1, Class::Invalid);
    scene.change(&[block(1, b'y')], &[held(b'x')], 0);
    let told = "Mined0 ReorgedOut0 Accepted1 Mined1";
    assert_eq!(scene.told(before), told, "in the same block again");
    scene.change(&[block(1, b'x')], &[held(b'z')], 1);
    assert_eq!(scene.told(before), format!("{told} ReorgedOut1 Mined2 Final2"), "from block to block");
}

#[test]
fn another_with_its_nonce_replaces_it_until_that_is_taken_back() {
    let (mut scene, one, other) = (Scene::new(), tx(1, 7, 0), tx(1, 7, 1));
    scene.come(&one);
    scene.both(&one, Class::Accepted);
    scene.come(&other);
    scene.both(&other, Class::Accepted);
    let before = scene.told.len();
    scene.change(&[], &[holding(block(1, b'x'), &[&other])], 0);
    let mut told: Vec<_> = scene.told[before..].iter().map(|told| (told.hash, told.fate.name())).collect();
    told.sort();
    let mut expect = vec![(one.hash, "Replaced"), (other.hash, "Mined")];
    expect.sort();
    assert_eq!(told, expect);
    scene.change(&[block(1, b'x')], &[holding(block(1, b'y'), &[&one])], 1);
    let of = |tx: &Sound| {
        let fates = scene.told[before..].iter().filter(|told| told.hash == tx.hash);
        fates.map(|told| format!("{}{}", told.fate.name(), told.round)).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(of(&one), "Replaced0 ReorgedOut0 Mined1 Final1");
    assert_eq!(of(&other), "Mined0 ReorgedOut0 Replaced1 Final1");
}

#[test]
fn what_nodes_once_had_is_never_rejected() {
    let (mut scene, one) = (Scene::new(), tx(1, 7, 0));
    scene.come(&one);
    scene.both(&one, Class::Accepted);
    scene.change(&[], &[holding(block(1, b'x'), &[&one])], 0);
    scene.change(&[block(1, b'x')], &[], 0);
    scene.both(&one, Class::Funds);
    assert!(!scene.all_told().contains("Rejected"), "the chain may come back: {}", scene.all_told());
}

#[test]
fn a_node_of_another_chain_gets_nothing_and_counts_for_nothing() {
    let (mut scene, one) = (Scene::with_unproven_nodes(), tx(1, 7, 0));
    scene.come(&one);
    assert_eq!(scene.asked(), "", "nobody has told its chain");
    scene.run(|set, now| set.stand(1, Standing::Wrong, now));
    scene.run(|set, now| set.stand(0, Standing::Right, now));
    assert_eq!(scene.asked(), "a Send 7");
    scene.say(&one, 0, Class::Invalid);
    assert_eq!(scene.all_told(), "Received0 Rejected0");
}

#[test]
fn a_node_that_changes_its_chain_is_asked_no_more() {
    let (mut scene, one) = (Scene::new(), tx(1, 7, 0));
    scene.come(&one);
    scene.both(&one, Class::PoolFull);
    scene.run(|set, now| set.stand(1, Standing::Wrong, now));
    scene.asked();
    scene.pass(1_000);
    assert_eq!(scene.asked(), "a Send 7");
}

#[test]
fn an_entry_that_comes_again_is_told_once_and_one_sent_after_a_verdict_lives_again() {
    let (mut scene, one) = (Scene::new(), tx(1, 7, 0));
    scene.come(&one);
    scene.come(&one);
    assert_eq!(scene.asked(), "a Send 7, b Send 7");
    scene.both(&one, Class::Funds);
    assert_eq!((scene.all_told().as_str(), &scene.committed[..]), ("Received0 Rejected0", &[1][..]));
    let taken_ms = UNIX_MS + scene.ms;
    scene.run(|set, now| set.take(0, 2, one.clone(), taken_ms, now));
    assert_eq!((scene.set.len(), scene.committed.last()), (0, Some(&2)), "taken before the verdict was told");
    scene.ms += 1_000;
    scene.offset = 3;
    scene.come(&one);
    scene.both(&one, Class::Accepted);
    assert_eq!(scene.all_told(), "Received0 Rejected0 Received1 Accepted1", "funded, and sent again");
}

#[test]
fn the_next_owner_goes_on_from_the_topics_alone() {
    let [accepted, held, mined, rejected, replaced] = [1, 2, 3, 4, 5].map(|sender| tx(sender, 7, 0));
    let other = tx(5, 7, 1);
    let mut scene = Scene::new();
    for one in [&accepted, &held, &mined, &rejected, &replaced] {
        scene.come(one);
    }
    for (one, class) in [(&accepted, Class::Accepted), (&held, Class::PoolFull), (&mined, Class::Accepted)] {
        scene.both(one, class);
    }
    scene.both(&rejected, Class::Funds);
    scene.both(&replaced, Class::Accepted);
    scene.change(&[], &[holding(block(1, b'x'), &[&mined, &other])], 0);
    scene.pass(TERMS.hold_ms);
    assert_eq!(scene.committed.last(), Some(&4));

    let mut next = scene.elsewhere(&[&accepted, &held, &mined, &rejected, &replaced]);
    assert_eq!(next.asked(), "a Send 7, b Send 7, a Send 7, b Send 7", "of those that no block decided");
    assert_eq!(next.stage(&mined), scene.stage(&mined));
    assert_eq!(next.stage(&replaced), scene.stage(&replaced));
    assert_eq!((next.stage(&accepted), next.stage(&rejected)), (Some(Stage::Pending), None));
    next.both(&accepted, Class::Known);
    next.both(&held, Class::Accepted);
    assert_eq!(next.all_told(), "Accepted0", "nothing is told again");
    // Meanwhile the chain went another way.
    let stretch = Stretch {
        blocks: [holding(block(1, b'y'), &[&accepted]), holding(block(2, b'y'), &[])].into(),
        ..Stretch::default()
    };
    next.run(|set, now| set.replace_blocks(stretch, UNIX_MS / 1_000, now));
    let of = |tx: &Sound| {
        let fates = next.told.iter().filter(|told| told.hash == tx.hash && told.fate.name() != "Sent");
        fates.map(|told| format!("{}{}", told.fate.name(), told.round)).collect::<Vec<_>>().join(" ")
    };
    assert_eq!([&accepted, &mined, &replaced].map(of), ["Mined0", "ReorgedOut0", "ReorgedOut0"]);
    // The lifetime goes on, and does not begin anew.
    next.pass(TERMS.lifetime_ms - next.ms);
    assert!(next.all_told().matches("Expired").count() == 3, "{}", next.all_told());
}

#[test]
fn a_block_that_left_while_nobody_looked_is_noticed_below_the_stretch_too() {
    let (mut scene, one) = (Scene::new(), tx(1, 7, 0));
    scene.come(&one);
    scene.both(&one, Class::Accepted);
    scene.change(&[], &[holding(block(5, b'x'), &[&one])], 0);
    let mut stretch = Stretch::default();
    stretch.take(Change {
        undone: vec![block(5, b'x')],
        added: vec![holding(block(5, b'y'), &[])],
        finalized: 3,
    });
    scene.run(|set, now| set.catch_up(stretch, now));
    assert!(scene.all_told().ends_with("Mined0 ReorgedOut0"), "{}", scene.all_told());
}

#[test]
fn of_a_lost_partition_nothing_is_said_any_more() {
    let (mut scene, one) = (Scene::new(), tx(1, 7, 0));
    scene.come(&one);
    scene.run(|set, _| set.lose(0));
    scene.both(&one, Class::Accepted);
    scene.change(&[], &[holding(block(1, b'x'), &[&one])], 1);
    scene.pass(TERMS.lifetime_ms * 2);
    assert_eq!(
        (scene.all_told().as_str(), scene.committed.len(), scene.set.undecided()),
        ("Received0", 0, (0, 0))
    );
}

#[test]
fn a_position_waits_for_what_was_told_before_it() {
    let (mut scene, one) = (Scene::new(), tx(1, 7, 0));
    let now = scene.now();
    scene.set.take(0, 3, one.clone(), 0, now);
    scene.set.answer(one.hash, 0, Answer::Verdict { class: Class::Accepted, reason: None }, now);
    let actions = scene.set.take_actions();
    let told = actions.iter().filter(|action| matches!(action, Action::Tell(_))).count();
    assert_eq!(told, 3, "received, sent, accepted");
    scene.set.made_durable(2);
    assert_eq!(scene.set.take_actions(), [], "the verdict is not durable");
    scene.set.made_durable(3);
    assert_eq!(scene.set.take_actions(), [Action::Commit { partition: 0, offset: 3 }]);
}

#[test]
fn what_a_block_holds_takes_no_room_until_it_leaves() {
    let (mut scene, one, two) = (Scene::new(), tx(1, 7, 0), tx(2, 7, 0));
    scene.come(&one);
    scene.come(&two);
    assert_eq!(scene.set.undecided(), (2, 6));
    scene.change(&[], &[holding(block(1, b'x'), &[&one])], 0);
    assert_eq!((scene.set.undecided(), scene.set.len()), ((1, 3), 2));
    scene.change(&[block(1, b'x')], &[], 0);
    assert_eq!(scene.set.undecided(), (2, 6));
    scene.change(&[], &[holding(block(1, b'y'), &[&one])], 1);
    scene.both(&two, Class::Invalid);
    assert_eq!((scene.set.undecided(), scene.set.len()), ((0, 0), 0));
}

#[test]
fn what_no_node_takes_is_told_once_without_asking_any() {
    let mut scene = Scene::new();
    for offset in [0, 1] {
        let of = (B256::repeat_byte(1), Address::repeat_byte(1));
        scene.run(|set, now| set.refuse((0, offset), of, "invalid sender".to_owned(), now));
    }
    scene.run(|set, _| set.skip(0, 2));
    assert_eq!((scene.all_told().as_str(), scene.asked().as_str()), ("Rejected0", ""));
    assert_eq!(scene.committed.last(), Some(&2));
}

#[test]
fn a_busy_node_is_asked_again_later_and_less_and_less() {
    let (mut scene, one) = (Scene::new(), tx(1, 7, 0));
    scene.come(&one);
    scene.say(&one, 1, Class::PoolFull);
    let mut times = Vec::new();
    for _ in 0..8 {
        scene.run(|set, now| set.answer(one.hash, 0, Answer::Busy, now));
        scene.asked();
        let since = scene.ms;
        while !scene.asked().contains("a Send") {
            scene.pass(50);
            scene.say(&one, 1, Class::PoolFull);
        }
        times.push(scene.ms - since);
    }
    assert_eq!(times, [250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
    assert!(matches!(Ask::default(), Ask::Send));
}

#[test]
fn a_block_that_came_before_the_transaction_decides_it_too() {
    let (mut scene, one, other) = (Scene::new(), tx(1, 7, 0), tx(1, 7, 1));
    scene.change(&[], &[holding(block(1, b'x'), &[&one])], 0);
    scene.come(&one);
    assert_eq!((scene.all_told().as_str(), scene.asked().as_str()), ("Received0 Mined0", ""));
    assert_eq!(scene.committed, [0]);
    scene.come(&other);
    assert_eq!(scene.all_told(), "Received0 Mined0 Received0 Replaced0");
}

#[test]
fn blocks_from_before_what_is_known_are_asked_for_and_nothing_is_said_until_they_come() {
    let (mut scene, one) = (Scene::new(), tx(1, 7, 0));
    let long_ago_ms = UNIX_MS - 3_600_000;
    scene.run(|set, now| set.take(0, 0, one.clone(), long_ago_ms, now));
    assert_eq!(scene.wanted, [long_ago_ms / 1_000]);
    scene.both(&one, Class::Known);
    let blocks = [holding(block(3, b'x'), &[&one]), holding(block(4, b'x'), &[])].into();
    let stretch = Stretch { blocks, finalized: 3, ..Stretch::default() };
    scene.run(|set, now| set.replace_blocks(stretch, long_ago_ms / 1_000, now));
    assert_eq!(scene.all_told(), "Received0 Accepted0 Mined0 Final0");
}

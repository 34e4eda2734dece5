//! Tests of a builder's queue: what goes out when, again, and no more.

use super::{AGAIN_MAX_MS, Done, Job, Kind, Next, Offer, Queue};
use alloy::primitives::I256;
use maidenlane_chain::B256;
use maidenlane_wire::ContentId;
use proptest::prelude::*;
use uuid::Uuid;

fn id(content: u8) -> ContentId {
    ContentId::new(B256::repeat_byte(content))
}

fn name(content: u8) -> Uuid {
    Uuid::from_bytes([content; 16])
}

fn offer(content: u8, blocks: (u64, u64), bid: i64) -> Offer {
    let bid = I256::try_from(bid).unwrap();
    Offer { content: id(content), name: name(content), blocks, bid, ready_ms: 0 }
}

/// A queue whose next block is 10.
fn queue(ahead: u64, offers: &[Offer]) -> Queue {
    let mut queue = Queue::new(ahead);
    queue.advance(10, 0);
    offers.iter().for_each(|offer| queue.offer(offer, 0));
    queue
}

/// The next job, whether the first for its order or not.
fn sent(queue: &mut Queue, now_ms: u64) -> Option<Job> {
    match queue.next(now_ms) {
        Next::Send(job) => Some(Job { is_first: false, ..job }),
        Next::Wait(_) => None,
    }
}

fn order(content: u8, block: u64) -> Option<Job> {
    Some(Job { content: id(content), kind: Kind::Order, name: name(content), block, is_first: false })
}

#[test]
fn the_nearest_deadline_goes_first_and_then_the_highest_bid() {
    let offers = [offer(1, (11, 11), 9), offer(2, (10, 10), 1), offer(3, (10, 10), 5), offer(4, (10, 10), 5)];
    let mut queue = queue(2, &offers);
    let order_of =
        [3, 4, 2, 1].map(|content| sent(&mut queue, 0) == order(content, if content == 1 { 11 } else { 10 }));
    assert_eq!(order_of, [true; 4]);
    assert_eq!(queue.next(0), Next::Wait(None));
    assert_eq!(queue.len(), 4, "all of them are on their way");
}

#[test]
fn an_order_goes_out_some_blocks_before_its_own() {
    let mut queue = queue(3, &[offer(1, (13, 13), 1), offer(2, (12, 12), 1)]);
    assert_eq!((sent(&mut queue, 0), sent(&mut queue, 0)), (order(2, 12), None));
    queue.advance(11, 0);
    assert_eq!(sent(&mut queue, 0), order(1, 13));
}

#[test]
fn what_fails_is_tried_again_until_its_block_has_come() {
    let mut queue = queue(1, &[offer(1, (10, 10), 1)]);
    let (mut now_ms, mut tries) = (0, 0);
    while now_ms < 12_000 {
        match queue.next(now_ms) {
            Next::Send(job) => {
                tries += 1;
                queue.report(job, Done::Failed, now_ms);
            }
            Next::Wait(until) => {
                let until = until.unwrap();
                assert!(until > now_ms && until <= now_ms + AGAIN_MAX_MS);
                now_ms = until;
            }
        }
    }
    assert!((12..20).contains(&tries), "{tries} tries in twelve seconds");
    assert_eq!(queue.advance(11, now_ms), 1, "it may have arrived, nobody knows");
    assert_eq!((queue.next(u64::MAX), queue.len()), (Next::Wait(None), 0), "its block has come");
}

#[test]
fn what_was_taken_or_refused_is_not_sent_again() {
    for done in [Done::Taken, Done::Refused] {
        let mut queue = queue(1, &[offer(1, (10, 10), 1)]);
        let job = sent(&mut queue, 0).unwrap();
        queue.report(job, done, 0);
        queue.offer(&offer(1, (10, 10), 1), 0);
        assert_eq!((queue.next(u64::MAX), queue.is_empty()), (Next::Wait(None), true), "{done:?}");
    }
}

#[test]
fn a_job_says_whether_the_builder_can_have_had_it() {
    let mut queue = queue(1, &[offer(1, (10, 12), 1)]);
    let mut is_first = |now_ms: u64, done: Done| {
        let Next::Send(job) = queue.next(now_ms) else { panic!("it is due") };
        queue.report(job, done, now_ms);
        job.is_first
    };
    assert!(is_first(0, Done::Failed));
    assert!(!is_first(AGAIN_MAX_MS, Done::Taken), "it may have arrived");
    queue.advance(11, AGAIN_MAX_MS);
    let Next::Send(job) = queue.next(AGAIN_MAX_MS) else { panic!("for the next block") };
    assert!(!job.is_first);
}

#[test]
fn an_order_for_several_blocks_goes_out_for_each() {
    let mut queue = queue(5, &[offer(1, (10, 12), 1)]);
    for block in 10..=12 {
        queue.advance(block, 0);
        let job = sent(&mut queue, 0);
        assert_eq!(job, order(1, block));
        assert_eq!(sent(&mut queue, 0), None);
        queue.report(job.unwrap(), Done::Taken, 0);
        assert_eq!(sent(&mut queue, 0), None, "not before the next block");
    }
    queue.advance(13, 0);
    assert!(queue.items.is_empty() && queue.ends.is_empty() && queue.early.is_empty());
}

#[test]
fn a_block_that_comes_during_a_request_moves_the_next_one_on() {
    let mut queue = queue(1, &[offer(1, (10, 12), 1)]);
    let job = sent(&mut queue, 0).unwrap();
    queue.advance(12, 0);
    queue.report(job, Done::Failed, 0);
    assert_eq!(sent(&mut queue, AGAIN_MAX_MS), order(1, 12));
}

#[test]
fn another_relay_s_order_waits_for_that_relay() {
    let theirs = Offer { ready_ms: 300, ..offer(1, (10, 10), 1) };
    let mut queue = queue(1, &[theirs.clone(), Offer { content: id(2), name: name(2), ..theirs }]);
    assert_eq!(queue.next(299), Next::Wait(Some(300)));
    queue.heard(id(1), true, 299);
    assert_eq!((sent(&mut queue, 300), sent(&mut queue, 300)), (order(2, 10), None), "the other one died");
}

#[test]
fn what_a_builder_refused_elsewhere_or_before_is_not_sent() {
    let mut queue = queue(1, &[offer(1, (10, 10), 1), offer(2, (10, 12), 1), offer(3, (10, 12), 1)]);
    queue.heard(id(1), false, 0);
    queue.heard(id(2), false, 0);
    queue.heard(id(3), true, 0);
    assert_eq!((sent(&mut queue, 0), sent(&mut queue, 0)), (order(3, 10), None), "for each block again");
}

#[test]
fn a_builder_hears_of_a_cancel_if_it_may_have_the_order() {
    let cancel = |content: u8| {
        let (kind, name) = (Kind::Cancel, name(content));
        Some(Job { content: id(content), kind, name, block: 10, is_first: false })
    };
    let mut queue = queue(9, &[offer(1, (15, 15), 1), offer(2, (15, 15), 1), offer(3, (15, 15), 1)]);
    let (first, second) = (sent(&mut queue, 0).unwrap(), sent(&mut queue, 0).unwrap());
    queue.report(first, Done::Taken, 0);
    for content in 1..=3 {
        queue.cancel(id(content), 0);
    }
    assert_eq!((sent(&mut queue, 0), sent(&mut queue, 0), sent(&mut queue, 0)), (cancel(1), cancel(2), None));
    queue.report(second, Done::Failed, 0);
    assert_eq!(sent(&mut queue, u64::MAX), None, "nothing of what was cancelled");
}

#[test]
fn a_cancel_takes_back_what_the_order_replaces() {
    let mut queue = queue(9, &[offer(1, (15, 15), 1)]);
    let first = sent(&mut queue, 0).unwrap();
    queue.report(first, Done::Taken, 0);
    let replacing = Offer { name: name(1), ready_ms: 500, ..offer(2, (15, 15), 1) };
    queue.offer(&replacing, 0);
    queue.cancel(id(2), 0);
    assert_eq!(
        sent(&mut queue, 0).map(|job| job.kind),
        Some(Kind::Cancel),
        "the first is there under that name"
    );
    queue.take_back(&Offer { name: Uuid::max(), ..replacing }, 0);
    assert_eq!(sent(&mut queue, u64::MAX), None, "nothing is there under another");
}

#[test]
fn what_an_order_pays_is_known_better_later() {
    let value =
        |queue: &mut Queue, content: u8, bid: i64| queue.value(id(content), I256::try_from(bid).unwrap(), 0);
    let mut queue = queue(1, &[offer(1, (10, 10), 9), offer(2, (10, 10), 5), offer(3, (10, 10), 1)]);
    value(&mut queue, 3, 7);
    value(&mut queue, 1, -1);
    assert_eq!([3, 2, 1].map(|content| sent(&mut queue, 0) == order(content, 10)), [true; 3]);
    value(&mut queue, 1, 100);
    assert_eq!(sent(&mut queue, 0), None, "on its way, whatever it pays");
}

#[test]
fn an_order_that_comes_again_is_not_taken_back() {
    let mut queue = queue(1, &[offer(1, (10, 12), 1)]);
    let first = sent(&mut queue, 0).unwrap();
    queue.report(first, Done::Taken, 0);
    for _ in 0..2 {
        queue.withdraw(id(1));
        queue.take_back(&offer(1, (10, 12), 1), 0);
        queue.advance(11, 0);
        let kinds: Vec<_> = std::iter::from_fn(|| sent(&mut queue, 0)).map(|job| job.kind).collect();
        assert_eq!(kinds, [Kind::Cancel], "each time that it is held");
        queue.offer(&offer(1, (10, 12), 1), 0);
        assert_eq!(sent(&mut queue, 0), order(1, 11));
    }
    queue.withdraw(id(1));
    queue.take_back(&offer(1, (10, 12), 1), 0);
    queue.offer(&offer(1, (10, 12), 1), 0);
    assert_eq!((sent(&mut queue, 0), sent(&mut queue, 0)), (order(1, 11), None));
}

#[test]
fn what_does_not_count_any_more_leaves_nothing_behind() {
    let mut queue = queue(1, &[offer(1, (10, 10), 1)]);
    let job = sent(&mut queue, 0).unwrap();
    queue.report(job, Done::Withdrawn, 0);
    assert!(queue.items.is_empty() && queue.ends.is_empty());
}

proptest! {
    /// Sets agree with the items whatever happens, and nothing is sent for a block that has come.
    #[test]
    fn sets_and_items_agree(steps in prop::collection::vec((0..9_u8, 0..4_u8, 0..4_u64), 0..200)) {
        let (mut queue, mut busy, mut now_ms, mut next) = (Queue::new(2), Vec::new(), 0, 10);
        queue.advance(next, 0);
        for (step, content, by) in steps {
            now_ms += by * 100;
            match step {
                0 => queue.offer(&Offer { ready_ms: now_ms + by * 50, ..offer(content, (next + by, next + by * 2), 1) }, now_ms),
                1 => queue.cancel(id(content), now_ms),
                2 => queue.heard(id(content), by > 1, now_ms),
                3 => {
                    next += by;
                    queue.advance(next, now_ms);
                }
                4 => if let Next::Send(job) = queue.next(now_ms) {
                    prop_assert!(job.block >= next);
                    busy.push(job);
                },
                5 => queue.value(id(content), I256::try_from(by).unwrap(), now_ms),
                6 => queue.take_back(&offer(content, (next, next + by), 1), now_ms),
                _ => if let Some(job) = busy.pop() {
                    let done = [Done::Taken, Done::Refused, Done::Failed, Done::Withdrawn][usize::from(content)];
                    queue.report(job, done, now_ms);
                },
            }
            let placed = queue.due.len() + queue.waiting.len() + queue.early.len();
            let wanted = queue.items.values().filter(|item| !item.is_busy && !item.is_over).count();
            prop_assert_eq!(placed, wanted);
            prop_assert_eq!(queue.ends.len(), queue.items.len());
        }
    }
}

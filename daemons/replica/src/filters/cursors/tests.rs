//! Cursors on made-up entries, and several replicas that race on one topic.

use super::*;
use proptest::prelude::*;

const ID: Key = B256::repeat_byte(7);
const MADE: Made = Made { filter: ID, start: BlockRef::new(1, B256::ZERO), created: 1_000, described: 1_000 };

fn at(number: u64) -> BlockRef {
    BlockRef::new(number, B256::ZERO)
}

fn moved(step: u64, next: Option<u64>, at_ms: Ms) -> FilterMoved {
    let base = at(step);
    FilterMoved { filter: ID, base, next: next.map(at), created_ms: MADE.created, step, at_ms }
}

/// Checks which entries count, and the filter's cursor at the time of the last one.
fn check(entries: &[(FilterMoved, bool)], expect: Option<u64>) {
    let mut cursors = Cursors::new(10, 0);
    let mut now = MADE.created;
    for (moved, counts) in entries {
        assert_eq!(cursors.apply(moved, moved.at_ms), *counts, "{moved:?}");
        now = moved.at_ms;
    }
    assert_eq!(cursors.of(&MADE, now).map(|stand| stand.cursor.number), expect);
}

#[test]
fn an_entry_counts_that_is_the_filter_s_next_step() {
    check(&[], Some(1));
    check(&[(moved(1, Some(4), 1_010), true)], Some(4));
    check(&[(moved(1, Some(4), 1_010), true), (moved(1, Some(5), 1_011), false)], Some(4));
    check(&[(moved(1, Some(4), 1_010), true), (moved(2, Some(2), 1_020), true)], Some(2));
    check(&[(moved(1, Some(4), 1_010), true), (moved(3, Some(2), 1_020), false)], Some(4));
    check(&[(moved(1, None, 1_010), true), (moved(2, Some(4), 1_011), false)], None);
}

#[test]
fn who_begins_with_the_loser_of_a_race_is_put_right_by_the_next_step() {
    check(&[(moved(5, Some(9), 1_010), true), (moved(6, Some(8), 1_020), true)], Some(8));
}

#[test]
fn a_filter_ends_when_it_is_not_polled() {
    let end = 1_000 + 300_000;
    check(&[(moved(1, Some(4), end), true), (moved(2, Some(5), end + 300_000), true)], Some(5));
    // Whoever found it alive a moment ago steps, and no replica may see that otherwise.
    check(&[(moved(1, Some(4), end), true), (moved(2, Some(5), end + 300_001), true)], Some(5));
    let mut cursors = Cursors::new(10, 0);
    assert!(cursors.apply(&moved(1, Some(4), end), end));
    assert_eq!(cursors.of(&MADE, end + 300_000).map(|stand| stand.cursor), Some(at(4)));
    assert_eq!(cursors.of(&MADE, end + 300_001), None);
    let cursors = Cursors::new(10, 0);
    let stand = |now| cursors.of(&MADE, now);
    assert_eq!(stand(end).map(|stand| stand.cursor), Some(at(1)));
    assert_eq!(stand(end + 1), None);
    assert_eq!(stand(60_999).map(|stand| stand.wants_touch), Some(false));
    assert_eq!(stand(61_000).map(|stand| stand.wants_touch), Some(true));
}

#[test]
fn what_was_forgotten_is_not_taken_for_new() {
    let mut cursors = Cursors::new(1, 0);
    assert!(cursors.apply(&moved(1, Some(4), 1_010), 1_010));
    let other = FilterMoved { filter: B256::repeat_byte(8), created_ms: 1_005, ..moved(1, Some(4), 1_020) };
    assert!(cursors.apply(&other, 1_020));
    assert_eq!(cursors.of(&MADE, 1_021), None, "forgotten, and not at its start again");
    assert!(!cursors.apply(&moved(1, Some(9), 1_022), 1_022), "nor by a poll that began before");
    assert_eq!(Cursors::new(1, MADE.created).of(&MADE, 1_021), None, "older than what the topic holds");
}

#[test]
fn a_clock_that_is_ahead_makes_nobody_else_s_filter_forgotten() {
    let mut cursors = Cursors::new(1, 0);
    let ahead =
        FilterMoved { filter: B256::repeat_byte(8), created_ms: 900_000, ..moved(1, Some(4), 900_001) };
    assert!(cursors.apply(&ahead, 1_000));
    assert!(
        cursors.apply(&FilterMoved { filter: B256::repeat_byte(9), ..ahead }, 1_001),
        "the first makes room"
    );
    let later = Made { created: 1_002, described: 1_002, ..MADE };
    assert_eq!(cursors.of(&later, 1_003).map(|stand| stand.cursor), Some(at(1)));
}

proptest! {
    /// Replicas read the topic up to anywhere, work out changes from there, and append: the answers form one path.
    #[test]
    fn routing_neither_repeats_nor_skips(
        polls in prop::collection::vec((0..3_usize, any::<prop::sample::Index>(), 1..9_u64), 1..60),
    ) {
        let mut topic: Vec<FilterMoved> = Vec::new();
        let mut answered = vec![at(1)];
        // Each began a poll from what it had read, and has yet to append.
        let mut begun: [Option<FilterMoved>; 3] = [None; 3];
        for (replica, read, head) in polls {
            if let Some(entry) = begun[replica].take() {
                topic.push(entry);
                let mut cursors = Cursors::new(10, 0);
                let counts = topic.iter().map(|entry| cursors.apply(entry, 1_010)).last();
                if counts == Some(true) {
                    prop_assert_eq!(answered.last(), Some(&entry.base));
                    answered.extend(entry.next);
                }
                let stand = cursors.of(&MADE, 1_010).expect("it lives");
                prop_assert_eq!(Some(&stand.cursor), answered.last());
            } else {
                let mut cursors = Cursors::new(10, 0);
                for entry in topic.iter().take(read.index(topic.len() + 1)) {
                    cursors.apply(entry, 1_010);
                }
                let stand = cursors.of(&MADE, 1_010).expect("it lives");
                begun[replica] =
                    Some(FilterMoved { base: stand.cursor, ..moved(stand.step + 1, Some(head), 1_010) });
            }
        }
    }
}

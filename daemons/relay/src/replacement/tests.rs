//! Tests of replacements: the cases of rbuilder's `order_replacement_manager.rs`, our own, and any history.

use super::{Change, Full, Name, Replacements, Step};
use maidenlane_chain::{Address, B256};
use maidenlane_wire::ContentId;
use proptest::prelude::*;

fn name(signer: u8) -> Name {
    (Address::repeat_byte(signer), "d9a3ae52-79a2-4ce9-a687-e2aa4183d5c6".to_owned())
}

fn id(bundle: u8) -> ContentId {
    ContentId::new(B256::repeat_byte(bundle))
}

fn counts(instead_of: Option<u8>) -> Step {
    Step::Counts { instead_of: instead_of.map(id) }
}

fn cancels(bundle: Option<u8>) -> Step {
    Step::Cancels { bundle: bundle.map(id) }
}

fn stale(highest: u64) -> Step {
    Step::Stale { highest: Some(highest) }
}

/// Entry of a name: a bundle by its id, or a cancel, and the number of either.
type Entry = (Option<u8>, Option<u64>);

/// A history of one name: bundles by number and id, cancels without an id, with what follows from each.
#[track_caller]
fn check(history: &[(Entry, Step)]) {
    let mut replacements = Replacements::new(10);
    for (offset, ((bundle, nonce), expect)) in (0..).zip(history) {
        let change = Change { offset, bundle: bundle.map(id), nonce: *nonce, keep_until: 100 };
        let step = replacements.take(name(1), &change).unwrap();
        assert_eq!(step, *expect, "entry {offset} of {history:?}");
        let again = replacements.take(name(1), &change).unwrap();
        assert_eq!(again, Step::Stale { highest: None }, "entry {offset}, read again");
    }
}

#[test]
fn the_highest_number_counts() {
    // As in rbuilder: a cancel with a higher number, and with the same one, which is ignored.
    check(&[((Some(1), Some(0)), counts(None)), ((None, Some(1)), cancels(Some(1)))]);
    check(&[((Some(1), Some(0)), counts(None)), ((None, Some(0)), stale(0))]);
    // A cancel alone, and before its bundle.
    check(&[((None, Some(0)), cancels(None))]);
    check(&[((None, Some(0)), cancels(None)), ((Some(1), Some(0)), stale(0))]);
    // A higher number, and a lower one.
    check(&[((Some(1), Some(0)), counts(None)), ((Some(2), Some(1)), counts(Some(1)))]);
    check(&[((Some(2), Some(1)), counts(None)), ((Some(1), Some(0)), stale(1))]);
    check(&[((Some(1), Some(5)), counts(None)), ((Some(2), Some(5)), stale(5))]);
    // A higher number after a cancel with one.
    check(&[
        ((Some(1), Some(0)), counts(None)),
        ((None, Some(1)), cancels(Some(1))),
        ((Some(1), Some(2)), counts(None)),
    ]);
}

#[test]
fn without_numbers_the_topic_says_what_is_later() {
    check(&[
        ((Some(1), None), counts(None)),
        ((Some(2), None), counts(Some(1))),
        ((Some(2), None), counts(None)),
        ((None, None), cancels(Some(2))),
        ((Some(3), None), Step::Cancelled),
        ((None, None), cancels(None)),
    ]);
    check(&[
        ((None, None), cancels(None)),
        ((Some(1), None), Step::Cancelled),
        ((Some(1), Some(9)), Step::Cancelled),
    ]);
}

#[test]
fn numbers_and_none_mix() {
    check(&[
        ((Some(1), Some(5)), counts(None)),
        ((Some(2), None), counts(Some(1))),
        ((Some(3), Some(5)), stale(5)),
        ((Some(3), Some(6)), counts(Some(2))),
        ((None, Some(7)), cancels(Some(3))),
        ((Some(4), None), Step::Cancelled),
        ((Some(4), Some(8)), counts(None)),
        ((Some(5), None), counts(Some(4))),
    ]);
}

#[test]
fn a_name_is_its_signer_s() {
    let mut replacements = Replacements::new(10);
    let change = |offset, bundle| Change { offset, bundle, nonce: None, keep_until: 100 };
    assert_eq!(replacements.take(name(1), &change(0, Some(id(1)))), Ok(counts(None)));
    assert_eq!(
        replacements.take(name(2), &change(1, None)),
        Ok(cancels(None)),
        "cancels nothing of the other's"
    );
    assert_eq!(replacements.take(name(1), &change(2, None)), Ok(cancels(Some(1))));
}

#[test]
fn names_are_kept_as_long_as_they_matter_and_no_longer() {
    let mut replacements = Replacements::new(2);
    let change = |offset, keep_until| Change { offset, bundle: None, nonce: None, keep_until };
    replacements.take(name(1), &change(0, 10)).unwrap();
    replacements.take(name(2), &change(1, 10)).unwrap();
    assert!(replacements.is_full_for(&name(3)) && !replacements.is_full_for(&name(1)));
    assert_eq!(replacements.take(name(3), &change(2, 10)), Err(Full { most: 2 }));
    replacements.take(name(1), &change(3, 12)).unwrap();
    replacements.forget(10);
    assert_eq!(replacements.len(), 2);
    replacements.forget(11);
    assert_eq!(replacements.len(), 1, "the one that mattered longer");
    replacements.forget(13);
    assert!(replacements.is_empty() && replacements.by_end.is_empty());
}

#[test]
fn what_is_kept_is_not_printed() {
    let mut replacements = Replacements::new(2);
    let change = Change { offset: 0, bundle: None, nonce: None, keep_until: 10 };
    replacements.take(name(1), &change).unwrap();
    assert!(!format!("{replacements:?}").contains("d9a3ae52"));
}

proptest! {
    /// However entries are cut into batches and read again, what counts is what one reading says, and it obeys the rules.
    #[test]
    fn any_history_ends_in_one_state(
        entries in prop::collection::vec((prop::option::of(0..5_u8), prop::option::of(0..5_u64)), 1..30),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        let (mut once, mut often) = (Replacements::new(9), Replacements::new(9));
        let change = |at: usize| {
            let (bundle, nonce) = entries[at];
            Change { offset: at as u64, bundle: bundle.map(id), nonce, keep_until: 1 }
        };
        let (mut counts, mut highest, mut dead) = (None, None::<u64>, false);
        for (at, (bundle, nonce)) in entries.iter().copied().enumerate() {
            let step = once.take(name(1), &change(at)).unwrap();
            often.take(name(1), &change(at)).unwrap();
            for earlier in again.iter().map(|index| index.index(at + 1)) {
                prop_assert_eq!(often.take(name(1), &change(earlier)), Ok(Step::Stale { highest: None }));
            }
            match step {
                Step::Counts { instead_of } => {
                    prop_assert!(!dead && instead_of == counts.filter(|before| Some(*before) != bundle.map(id)));
                    prop_assert!(nonce.is_none_or(|nonce| highest.is_none_or(|highest| nonce > highest)));
                    counts = bundle.map(id);
                    highest = nonce.or(highest);
                }
                Step::Cancels { bundle: cancelled } => {
                    prop_assert!(bundle.is_none() && cancelled == counts);
                    counts = None;
                    highest = nonce.or(highest);
                    dead |= nonce.is_none();
                }
                Step::Stale { .. } => prop_assert!(nonce.is_some() && nonce <= highest),
                Step::Cancelled => prop_assert!(counts.is_none()),
            }
        }
        prop_assert!(once.names == often.names);
    }
}

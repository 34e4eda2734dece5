//! Tests of the bytes: against a reference implementation, against golden files, and with hostile input.

mod golden;
mod reference;
pub(crate) mod sample;

use crate::{
    Advance, BundleFate, DecodeError, Fate, Filter, Genesis, NodePart, NodeSet, Order, Outcome, Outline,
    PoolChange, Record, Refusal, Sealed, Start, Transaction, Undo, decode, encode, heading, outline,
};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_record_is_read_as_it_was_written(stamped in sample::stamped()) {
        let bytes = encode(&stamped);
        prop_assert_eq!(heading(&bytes).map(|heading| heading.stamp), Ok(stamped.stamp));
        prop_assert_eq!(outline(&bytes).ok(), outlined(&stamped.record));
        prop_assert_eq!(decode(&bytes), Ok(stamped));
    }

    #[test]
    fn rows_alone_are_read_as_they_were_written(rows in sample::rows()) {
        prop_assert_eq!(crate::decode_rows(&crate::encode_rows(&rows)), Ok(rows));
    }

    #[test]
    fn any_transaction_is_read_as_it_was_written_and_refused_when_cut(
        transaction in sample::transactions(), cut in any::<prop::sample::Index>(),
    ) {
        let bytes = transaction.encode();
        prop_assert!(Transaction::decode(&bytes[..cut.index(bytes.len())]).is_err());
        prop_assert_eq!(Transaction::decode(&bytes), Ok(transaction));
        prop_assert!(decode(&bytes).is_err(), "no record of a feed");
    }

    #[test]
    fn an_outcome_is_refused_when_cut(which in 0..12_usize, cut in any::<prop::sample::Index>()) {
        let bytes = sample::outcomes()[which].1.encode();
        prop_assert!(Outcome::decode(&bytes[..cut.index(bytes.len())]).is_err());
        prop_assert!(decode(&bytes).is_err() && Transaction::decode(&bytes).is_err(), "of another topic");
    }

    #[test]
    fn a_refusal_is_refused_when_cut(cut in any::<prop::sample::Index>()) {
        let bytes = sample::refusal().encode();
        let cut = &bytes[..cut.index(bytes.len())];
        prop_assert!(Refusal::decode(cut).is_err());
        prop_assert!(!Refusal::is_one(cut) || cut.len() >= 10, "as far as the fingerprint");
        prop_assert!(Refusal::is_one(&bytes) && Outcome::decode(&bytes).is_err(), "no fate");
        prop_assert!(decode(&bytes).is_err() && Transaction::decode(&bytes).is_err(), "of another topic");
    }

    #[test]
    fn a_change_of_a_pool_is_refused_when_cut(which in 0..10_usize, cut in any::<prop::sample::Index>()) {
        let bytes = sample::pool_changes()[which].1.encode();
        prop_assert!(PoolChange::decode(&bytes[..cut.index(bytes.len())]).is_err());
        prop_assert!(decode(&bytes).is_err() && Outcome::decode(&bytes).is_err(), "of another topic");
    }

    #[test]
    fn any_bundle_is_read_as_it_was_written_and_refused_when_cut(
        bundle in sample::bundles(), cut in any::<prop::sample::Index>(),
    ) {
        let order = Order::Bundle(Box::new(bundle));
        let bytes = order.encode();
        prop_assert!(Order::decode(&bytes[..cut.index(bytes.len())]).is_err());
        prop_assert_eq!(Order::decode(&bytes), Ok(order));
        prop_assert!(decode(&bytes).is_err() && Sealed::decode(&bytes).is_err(), "nothing that lies in a log");
    }

    #[test]
    fn two_bundles_have_one_id_only_where_all_but_the_way_they_came_is_the_same(
        one in sample::bundles(), other in sample::bundles(),
    ) {
        let carried = crate::Bundle { taken: other.taken.clone(), ..one.clone() };
        prop_assert_eq!(carried.content(), one.content());
        let alike = carried == crate::Bundle { taken: carried.taken.clone(), ..other.clone() };
        prop_assert_eq!(one.content() == other.content(), alike);
    }

    #[test]
    fn what_is_sealed_is_refused_when_cut(which in 0..9_usize, cut in any::<prop::sample::Index>()) {
        let bytes = sample::bundle_fates()[which].1.encode();
        prop_assert!(BundleFate::decode(&bytes[..cut.index(bytes.len())]).is_err());
        let beat = sample::relay_beat().encode();
        prop_assert!(crate::RelayBeat::decode(&beat[..cut.index(beat.len())]).is_err());
        let cancels = sample::bundle_cancels().map(Order::Cancel);
        for bytes in [cancels[which % 2].encode(), sample::sealed().encode()] {
            let cut = &bytes[..cut.index(bytes.len())];
            prop_assert!(Order::decode(cut).is_err() && Sealed::decode(cut).is_err());
        }
    }

    #[test]
    fn a_filter_s_entry_is_refused_when_cut(which in 0..2_usize, cut in any::<prop::sample::Index>()) {
        let filters = sample::filters();
        let bytes = filters[which].encode();
        prop_assert!(Filter::decode(&bytes[..cut.index(bytes.len())]).is_err());
        prop_assert!(decode(&bytes).is_err() && Transaction::decode(&bytes).is_err(), "of another topic");
    }

    #[test]
    fn any_set_of_nodes_is_read_as_it_was_written_and_refused_when_cut(
        set in sample::node_sets(), cut in any::<prop::sample::Index>(),
    ) {
        let bytes = set.encode();
        prop_assert!(NodeSet::decode(&bytes[..cut.index(bytes.len())]).is_err());
        prop_assert_eq!(NodeSet::decode(&bytes), Ok(set));
        prop_assert!(decode(&bytes).is_err() && NodePart::decode(&bytes).is_err(), "no record of a feed");
    }

    #[test]
    fn damaged_nodes_never_panic(set in sample::node_sets(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut bytes = set.encode();
        let at = at.index(bytes.len());
        bytes[at] = with;
        if let Ok(read) = NodeSet::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes, "one way to write a set, whoever wrote it");
        }
    }

    #[test]
    fn a_cut_record_is_refused(stamped in sample::stamped(), cut in any::<prop::sample::Index>()) {
        let bytes = encode(&stamped);
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn damaged_records_never_panic(stamped in sample::stamped(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut bytes = encode(&stamped);
        let at = at.index(bytes.len());
        bytes[at] = with;
        let _ = decode(&bytes);
    }
}

/// A record without bodies, receipts and rows.
fn outlined(record: &Record) -> Option<Outline> {
    Some(match record.clone() {
        Record::Open(open) => Outline::Open(open),
        Record::Genesis(Genesis { block, header, .. }) | Record::Start(Start { block, header, .. }) => {
            Outline::Base { block, header }
        }
        Record::Advance(Advance { block, parent, header, .. }) => Outline::Advance { block, parent, header },
        Record::Undo(Undo { block, parent, .. }) => Outline::Undo { block, parent },
        Record::Final(finals) => Outline::Final(finals),
        Record::Heartbeat(_) => Outline::Heartbeat,
        Record::Part(_) => return None,
    })
}

#[test]
fn an_unknown_schema_is_named() {
    let mut bytes = encode(&sample::all()[0]);
    bytes[2] ^= 1;
    assert!(matches!(decode(&bytes), Err(DecodeError::UnknownSchema { .. })));
    assert!(decode(&bytes).unwrap_err().to_string().contains("76b7f866307de840"), "{:?}", decode(&bytes));
    assert_eq!(decode(b"\xc3\x02aaaaaaaaaaaa"), Err(DecodeError::NoMarker));
}

#[test]
fn outcomes_are_one_where_they_tell_the_same() {
    let all = sample::outcomes();
    let ids: std::collections::BTreeSet<_> = all.iter().map(|(_, outcome)| outcome.id()).collect();
    assert_eq!(ids.len(), all.len() - 1, "all but the two drops, whose reasons are no part of the id");
    let mined = &all[8].1;
    assert_eq!(Outcome { at_ms: 0, ..mined.clone() }.id(), mined.id(), "told again");
    assert_ne!(Outcome { round: 2, ..mined.clone() }.id(), mined.id(), "in the same block again");
    let rejected = |class: &str| {
        let fate = Fate::Rejected { class: class.to_owned(), reason: class.to_owned() };
        Outcome { fate, ..mined.clone() }.id()
    };
    assert_eq!(rejected("funds"), rejected("invalid"), "one verdict on the whole");
}

#[test]
fn an_outcome_that_lacks_what_its_fate_says_is_refused() {
    let mut bytes = sample::outcomes()[0].1.encode();
    let fate = 2 + 8 + 32 + 20 + 1;
    assert_eq!(bytes[fate], 0);
    for (symbol, expect) in [(1, "upstream"), (3, "class"), (4, "by"), (6, "block"), (10, "fate")] {
        bytes[fate] = symbol << 1;
        assert_eq!(Outcome::decode(&bytes), Err(DecodeError::Invalid { what: expect }));
    }
}

#[test]
fn a_change_of_a_pool_that_lacks_what_its_step_says_is_refused() {
    let mut bytes = sample::pool_changes()[0].1.encode();
    let step = 2 + 8 + 1 + 2;
    assert_eq!(bytes[step], 0);
    for (symbol, expect) in [(1, "hash"), (3, "hash"), (6, "hash"), (9, "step")] {
        bytes[step] = symbol << 1;
        assert_eq!(PoolChange::decode(&bytes), Err(DecodeError::Invalid { what: expect }));
    }
}

#[test]
fn an_absurd_count_allocates_nothing() {
    // Up to the count of accounts, then two to the sixtieth of them.
    let genesis =
        sample::all().into_iter().find(|stamped| matches!(stamped.record, Record::Genesis(_))).unwrap();
    let mut bytes = encode(&genesis);
    let rows = crate::encode_rows(match &genesis.record {
        Record::Genesis(genesis) => &genesis.rows,
        _ => unreachable!(),
    });
    bytes.truncate(bytes.len() - rows.len());
    bytes.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0e]);
    assert!(matches!(decode(&bytes), Err(DecodeError::Short { .. } | DecodeError::Invalid { .. })));
}

#[test]
fn arrays_in_several_blocks_are_read() {
    // As another language's writer may have it: a block with its size, then a plain one.
    let hash = [7_u8; 32];
    let code = [&hash[..], &[2, 0x60]].concat();
    let bytes = [&[0, 0, 1, 68][..], &code, &[2], &code, &[0]].concat();
    let rows = crate::decode_rows(&bytes).unwrap();
    assert_eq!(rows.codes.len(), 2);
}

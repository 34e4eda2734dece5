use super::*;
use crate::tests::sample;
use maidenlane_chain::keccak256;
use proptest::prelude::*;

/// Number of nodes of [`large`] that make three parts.
const THREE_PARTS: u32 = 3_900;

/// A set of `count` nodes that do not compress.
fn large(block: u64, count: u32) -> NodeSet {
    let node = |at: u32| {
        let bytes = (0..20_u32).flat_map(|part| keccak256([at.to_be_bytes(), part.to_be_bytes()].concat()).0);
        Some(Bytes::from(bytes.collect::<Vec<_>>()))
    };
    let nibbles =
        |at: u32| (0..8).rev().map(|shift| (at >> (4 * shift)).to_le_bytes()[0] & 0xf).collect::<Vec<_>>();
    let row = |at| NodeRow { owner: None, path: nibbles(at).into(), before: None, after: node(at) };
    let block = BlockRef::new(block, keccak256(block.to_be_bytes()));
    NodeSet { block, parent: B256::ZERO, nodes: (0..count).map(row).collect() }
}

fn parts(set: &NodeSet) -> Vec<NodePart> {
    let (digest, entries) = set.entries().unwrap();
    assert_eq!(digest, set.digest());
    entries.iter().map(|entry| NodePart::decode(entry).unwrap()).collect()
}

/// Numbers of the sets that come of the entries, one after the other. Their digests prove that they are whole.
fn gather<'a>(gatherer: &mut Gatherer, parts: impl IntoIterator<Item = &'a NodePart>) -> Vec<u64> {
    parts.into_iter().filter_map(|part| gatherer.push(part).unwrap()).map(|set| set.block.number).collect()
}

#[test]
fn a_set_too_large_for_an_entry_travels_in_several() {
    let set = large(1, THREE_PARTS);
    let (_, entries) = set.entries().unwrap();
    assert_eq!(entries.len(), 3);
    assert!(
        entries.iter().all(|entry| entry.len() <= crate::parts::ENTRY_MAX_BYTES),
        "though nothing compresses"
    );
    let mut gatherer = Gatherer::default();
    for _ in 0..2 {
        let last = parts(&set).iter().map(|part| gatherer.push(part).unwrap()).last().flatten();
        assert!(last.as_ref() == Some(&set), "and once more");
    }
}

#[test]
fn writers_may_stand_one_within_the_other() {
    let (a, b) = (parts(&large(1, THREE_PARTS)), parts(&large(2, THREE_PARTS)));
    let mut gatherer = Gatherer::default();
    let mixed = [&a[0], &b[0], &a[0], &a[1], &b[1], &b[0], &b[2], &a[1], &a[2]];
    assert_eq!(gather(&mut gatherer, mixed), [2, 1]);
    let died = [&a[0], &a[1], &a[0], &a[1], &a[2]];
    assert_eq!(gather(&mut gatherer, died), [1], "its successor begins the set again");
    assert!(gather(&mut gatherer, [&a[1], &a[2]]).is_empty(), "reading began in the middle");
    assert!(gather(&mut gatherer, [&a[0], &a[2], &a[1]]).is_empty(), "a gap");
    assert_eq!(gather(&mut gatherer, &a), [1], "which does no harm to what follows");
}

#[test]
fn only_so_many_unfinished_sets_are_held() {
    let parts: Vec<_> = (0..6).map(|block| parts(&large(block, 1_500))).collect();
    let mut gatherer = Gatherer::default();
    assert!(gather(&mut gatherer, parts.iter().map(|parts| &parts[0])).is_empty());
    assert_eq!(gather(&mut gatherer, parts.iter().map(|parts| &parts[1])), [2, 3, 4, 5], "the newest four");
}

#[test]
fn what_is_not_what_it_says_is_refused_and_forgotten() {
    let set = large(1, THREE_PARTS);
    let check = |at: usize, spoil: fn(&mut NodePart), what: &str| {
        let mut spoiled = parts(&set);
        spoil(&mut spoiled[at]);
        let mut gatherer = Gatherer::default();
        let refused = spoiled.iter().find_map(|part| gatherer.push(part).err());
        assert!(refused.expect(what).to_string().starts_with("parts do not make a record"), "{what}");
        assert_eq!(gather(&mut gatherer, &parts(&set)), [1], "{what}");
    };
    check(0, |part| part.part.count = 0, "no parts");
    check(0, |part| part.part.count = 4, "more parts than bytes");
    check(0, |part| part.part.whole_len = u64::MAX / 4, "absurd length");
    check(0, |part| part.part.whole_len = 0, "nothing");
    check(1, |part| part.part.data = Bytes::from_static(&[0x55; 40]), "not zstd");
    check(1, |part| part.part.data = packed::pack(&[0; 5]).unwrap().into(), "shorter than a slice");
    check(1, |part| part.part.data = packed::pack(&vec![0; 64 << 20]).unwrap().into(), "a bomb");
    check(
        1,
        |part| part.part.data = packed::pack(&vec![0; SLICE_BYTES]).unwrap().into(),
        "of another content",
    );

    let small = large(1, 2);
    let mut other = parts(&small).remove(0);
    other.block.number += 1;
    assert!(Gatherer::default().push(&other).unwrap_err().to_string().contains("another block's"));
    other.block = small.block;
    other.digest = B256::ZERO;
    assert!(Gatherer::default().push(&other).unwrap_err().to_string().contains("another digest"));
}

#[test]
fn rows_that_a_set_does_not_promise_are_refused() {
    let check = |spoil: fn(&mut Vec<NodeRow>), what: &str| {
        let mut set = sample::node_set();
        spoil(&mut set.nodes);
        let error = NodeSet::decode(&set.encode()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    check(|rows| rows.swap(0, 1), "order");
    check(|rows| rows.push(rows[2].clone()), "order");
    check(|rows| rows[1].path = Bytes::from_static(&[16]), "path");
    check(|rows| rows[1].path = vec![0; 65].into(), "path");
    check(|rows| rows[1].before = Some(vec![1; 31].into()), "invalid node");
    check(|rows| rows[0].after = Some(Bytes::new()), "invalid node");
    check(|rows| rows[0].after = rows[0].before.clone(), "as it was");
}

proptest! {
    #[test]
    fn any_set_is_gathered_from_its_entries(set in sample::node_sets()) {
        let mut gatherer = Gatherer::default();
        prop_assert_eq!(gatherer.push(&parts(&set)[0]), Ok(Some(set)));
    }

    #[test]
    fn any_sequence_of_parts_is_taken(numbers in prop::collection::vec((0..4_u32, 0..4_u32, 0..4_u64, any::<bool>()), 0..40)) {
        let mut gatherer = Gatherer::default();
        for (index, count, slices, good) in numbers {
            let data = if good { packed::pack(&vec![0; SLICE_BYTES]).unwrap() } else { vec![index.to_le_bytes()[0]; 9] };
            let part = Part { index, count, whole_len: slices * SLICE_BYTES as u64, data: data.into() };
            let set = gatherer.push(&NodePart { block: BlockRef::default(), digest: B256::ZERO, part });
            prop_assert!(!matches!(set, Ok(Some(_))));
        }
    }
}

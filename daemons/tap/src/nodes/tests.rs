use super::*;
use maidenlane_chain::Address;
use maidenlane_wire::StorageRows;

const ADDRESS: Address = Address::repeat_byte(7);

/// A storage of `count` slots that goes, all of them; and the nodes of its trie.
fn wiped(count: u8) -> (Rows, Vec<NodeRow>) {
    let mut slots: Vec<SlotRow> = (0..count)
        .map(|slot| SlotRow {
            key: keccak256([slot]),
            plain: None,
            before: Some(vec![slot + 1].into()),
            after: None,
        })
        .collect();
    slots.sort_unstable_by_key(|slot| slot.key);
    let mut builder = HashBuilder::default();
    for slot in &slots {
        builder.add_leaf(Nibbles::unpack(slot.key), &alloy::rlp::encode(slot.before.as_ref().unwrap()));
    }
    let nodes = whole_trie(&[], &slots, builder.root()).unwrap();
    let owner = Some(keccak256(ADDRESS));
    let mut nodes: Vec<_> = nodes
        .into_iter()
        .filter(|(path, node)| path.is_empty() || node.len() >= 32)
        .map(|(path, node)| NodeRow { owner, path: path.into(), before: Some(node), after: None })
        .collect();
    nodes.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let storage = vec![StorageRows { address: ADDRESS, slots }];
    (Rows { storage, ..Rows::default() }, nodes)
}

/// Rows as geth reports them: every one with the bytes of the root, as far as it is long.
fn spoiled(nodes: &[NodeRow]) -> Vec<NodeRow> {
    let root = nodes[0].before.clone().unwrap();
    let mut spoiled = nodes.to_vec();
    for row in &mut spoiled {
        let len = row.before.as_ref().unwrap().len().min(root.len());
        row.before = Some(root.slice(..len));
    }
    spoiled
}

#[test]
fn a_wiped_storage_is_set_right() {
    for count in [1, 2, 3, 40] {
        let (rows, nodes) = wiped(count);
        assert_eq!(nodes.len() > 1, count > 1);
        let stranger =
            NodeRow { owner: None, path: vec![].into(), before: Some(vec![1].into()), after: None };
        let with = |nodes: Vec<NodeRow>| [vec![stranger.clone()], nodes].concat();
        let mut given = with(spoiled(&nodes));
        set_right(&mut given, &rows);
        assert_eq!(given, with(nodes), "{count}");
    }
}

#[test]
fn a_storage_that_was_wiped_and_came_back_changed_only_where_it_differs() {
    let (mut rows, nodes) = wiped(40);
    // The contract's trie is written anew, and its rows have other nodes' bytes for what they were.
    let again: Vec<_> = nodes
        .iter()
        .zip(spoiled(&nodes))
        .map(|(row, given)| NodeRow { after: row.before.clone(), ..given })
        .collect();
    let differs =
        |given: Vec<NodeRow>| given.into_iter().filter(|row| row.before != row.after).collect::<Vec<_>>();
    rows.storage.clear();
    let mut given = differs(again.clone());
    assert!(given.len() > 10 && !given[0].path.is_empty(), "the hook leaves out the root");
    set_right(&mut given, &rows);
    assert_eq!(given, []);

    // One slot is new in it: another root, and the way to the slot.
    let (_, before) = wiped(39);
    let (mut rows, _) = wiped(40);
    let new = keccak256([39]);
    rows.storage[0].slots.retain(|slot| slot.key == new);
    std::mem::take(&mut rows.storage[0].slots[0].before).clone_into(&mut rows.storage[0].slots[0].after);
    let old: BTreeMap<_, _> = before.iter().map(|row| (row.path.clone(), row.before.clone())).collect();
    let right: Vec<_> = nodes
        .iter()
        .map(|row| NodeRow {
            before: old.get(&row.path).cloned().flatten(),
            after: row.before.clone(),
            ..row.clone()
        })
        .collect();
    let given = |row: &NodeRow| {
        let root = before[0].before.as_ref().unwrap();
        let given = row.before.as_ref().map(|node| root.slice(..node.len().min(root.len())));
        NodeRow { before: given, ..row.clone() }
    };
    let mut given = differs(right.iter().map(given).collect());
    set_right(&mut given, &rows);
    assert_eq!(given, differs(right));
}

#[test]
fn what_is_not_the_whole_storage_stays_as_told() {
    let check = |spoil: fn(&mut Rows)| {
        let (mut rows, nodes) = wiped(3);
        spoil(&mut rows);
        let mut given = spoiled(&nodes);
        set_right(&mut given, &rows);
        assert_eq!(given, spoiled(&nodes));
    };
    check(|rows| drop(rows.storage[0].slots.pop()));
    check(|rows| rows.storage[0].slots[0].plain = Some(B256::ZERO));
    check(|rows| rows.storage.clear());
}

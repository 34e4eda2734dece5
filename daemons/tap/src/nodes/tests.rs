use super::*;
use maidenlane_chain::{Account, Address};
use maidenlane_wire::{AccountRow, SlotRow};

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
    let storage = StorageRows { address: ADDRESS, slots };
    let mut builder = HashBuilder::default();
    for slot in &storage.slots {
        builder.add_leaf(Nibbles::unpack(slot.key), &alloy::rlp::encode(slot.before.as_ref().unwrap()));
    }
    let root = builder.root();
    let nodes = whole_trie(&storage, root).unwrap();
    let owner = Some(keccak256(ADDRESS));
    let mut nodes: Vec<_> = nodes
        .into_iter()
        .filter(|(path, node)| path.is_empty() || node.len() >= 32)
        .map(|(path, node)| NodeRow { owner, path: path.into(), before: Some(node), after: None })
        .collect();
    nodes.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let account = Account { nonce: 1, storage_root: root, ..Account::default() };
    let row = AccountRow { address: ADDRESS, before: Some(account.encode_slim()), after: None };
    (Rows { accounts: vec![row], storage: vec![storage], codes: Vec::new() }, nodes)
}

/// As geth tells them: every one with the bytes of the root, as far as it is long.
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
        let mut told = with(spoiled(&nodes));
        set_right(&mut told, &rows);
        assert_eq!(told, with(nodes), "{count}");
    }
}

#[test]
fn what_is_not_the_whole_storage_stays_as_told() {
    let check = |spoil: fn(&mut Rows)| {
        let (mut rows, nodes) = wiped(3);
        spoil(&mut rows);
        let mut told = spoiled(&nodes);
        set_right(&mut told, &rows);
        assert_eq!(told, spoiled(&nodes));
    };
    check(|rows| drop(rows.storage[0].slots.pop()));
    check(|rows| rows.storage[0].slots[0].plain = Some(B256::ZERO));
    check(|rows| rows.accounts.clear());
    check(|rows| rows.accounts[0].before = None);
}

use super::*;
use crate::rows::{AccountRow, CodeRow, SlotRow, StorageRows};
use maidenlane_chain::keccak256;

fn value(bytes: &'static [u8]) -> Option<Bytes> {
    Some(Bytes::from_static(bytes))
}

fn state(plain: bool) -> State {
    let slot = B256::with_last_byte(7);
    let row =
        SlotRow { key: keccak256(slot), plain: plain.then_some(slot), before: None, after: value(&[5]) };
    let code = Bytes::from_static(&[0x60, 0, 0x60, 0]);
    State {
        hash: B256::repeat_byte(1),
        number: 9,
        origin_root: B256::repeat_byte(2),
        root: B256::repeat_byte(3),
        rows: Rows {
            accounts: vec![AccountRow {
                address: Address::repeat_byte(4),
                before: None,
                after: value(&[0xc4, 1, 2, 0x80, 0x80]),
            }],
            storage: vec![StorageRows { address: Address::repeat_byte(4), slots: vec![row] }],
            codes: vec![CodeRow { hash: keccak256(&code), code }],
        },
    }
}

/// Nodes of a root that changed, a node that went, and a storage trie that came.
pub(crate) fn nodes() -> Vec<NodeRow> {
    let row = |owner, path: &'static [u8], before, after| NodeRow {
        owner,
        path: Bytes::from_static(path),
        before,
        after,
    };
    vec![
        row(None, &[], value(&[0xc2, 1, 2]), value(&[0xc2, 1, 3])),
        row(None, &[0, 15], value(&[0xdf; 33]), None),
        row(Some(B256::repeat_byte(7)), &[], None, value(&[0xc2, 0x20, 5])),
    ]
}

/// Frames, one of each kind.
pub(crate) fn all() -> Vec<Frame> {
    let hash = B256::repeat_byte(1);
    let block = Bytes::from_static(&[0xc4, 0xc0, 0xc0, 0xc0, 0xc0]);
    let account = Allocation {
        address: Address::repeat_byte(4),
        nonce: 1,
        balance: Bytes::from_static(&[1, 0]),
        code: Bytes::from_static(&[0x60]),
        storage: vec![(B256::with_last_byte(7), Bytes::from_static(&[5]))],
    };
    vec![
        Frame::Init { chain_config: "{\"chainId\":1}".to_owned(), client_version: "Geth/v1.17.5".to_owned() },
        Frame::Genesis { block: block.clone(), alloc: vec![account] },
        Frame::Block { hash, block: block.clone(), senders: None },
        Frame::Receipts { hash, receipts: Bytes::from_static(&[0xc0]) },
        Frame::State(state(false)),
        Frame::State(state(true)),
        Frame::Trie { hash, nodes: nodes() },
        Frame::End { hash, parent: B256::repeat_byte(2), number: 9 },
        Frame::Failed { hash, number: 9, error: "invalid merkle root".to_owned() },
        Frame::Hole { hash: None, number: 10, reason: "spool full".to_owned() },
        Frame::Hole { hash: Some(hash), number: 11, reason: "panic".to_owned() },
        Frame::Block { hash, block, senders: Some(vec![Address::repeat_byte(4), Address::repeat_byte(5)]) },
    ]
}

#[test]
fn every_kind_is_read_as_it_was_written() {
    for frame in all() {
        let mut bytes = encode(&frame);
        let len = bytes.len();
        bytes.extend([1, 2, 3]);
        let (checked, checked_len) = check(&bytes).unwrap();
        assert_eq!((checked.heading(), checked_len), (Ok(heading(&frame)), len));
        assert_eq!(read(&bytes), Ok((frame, len)));
    }
}

fn heading(frame: &Frame) -> Heading {
    match frame.clone() {
        Frame::Init { chain_config, client_version } => Heading::Init { chain_config, client_version },
        Frame::Genesis { .. } => Heading::Genesis,
        Frame::Block { hash, .. } => Heading::Block { hash },
        Frame::Receipts { hash, .. } => Heading::Receipts { hash },
        Frame::State(State { hash, origin_root, root, .. }) => Heading::State { hash, origin_root, root },
        Frame::Trie { hash, .. } => Heading::Trie { hash },
        Frame::End { hash, parent, number } => Heading::End { hash, parent, number },
        Frame::Failed { .. } => Heading::Failed,
        Frame::Hole { .. } => Heading::Hole,
    }
}

#[test]
fn every_prefix_is_incomplete_and_every_flipped_bit_is_seen() {
    for frame in all() {
        let bytes = encode(&frame);
        for len in 0..bytes.len() {
            assert_eq!(read(&bytes[..len]), Err(FrameError::Incomplete), "{len} bytes of {frame:?}");
        }
        for bit in 32..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(read(&bytes), Err(FrameError::Checksum { .. })), "bit {bit} of {frame:?}");
        }
    }
}

#[test]
fn what_is_no_frame_is_named() {
    let check = |bytes: &[u8], expect: &str| {
        let error = read(bytes).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    check(&[0; 10], "length 0");
    check(&[0xff; 10], "length 4294967295");
    check(&wrap(99, &[0xc0]), "kind 99");
    check(&wrap(7, &[0x80]), "END frame is malformed");
    check(&wrap(7, &[0xc0]), "END frame is malformed");
    check(&wrapped(2, 7, &[0xc0]), "version 2");
    check(&wrapped(3, BLOCK, &[0xc0]), "version 3");
}

/// Rows of a state frame with its one slot or account spoiled.
fn spoiled(spoil: impl FnOnce(&mut State)) -> Result<Rows, String> {
    let mut state = state(true);
    spoil(&mut state);
    match read(&encode(&Frame::State(state))) {
        Ok((Frame::State(state), _)) => Ok(state.rows),
        Ok((other, _)) => Err(format!("{other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn rows_are_made_what_a_feed_promises() {
    let unchanged = spoiled(|state| {
        state.rows.accounts[0].before = state.rows.accounts[0].after.clone();
        state.rows.storage[0].slots[0].before = value(&[5]);
    });
    assert_eq!(unchanged.map(|rows| (rows.accounts.len(), rows.storage.len())), Ok((0, 0)));

    let twice = spoiled(|state| state.rows.accounts.push(state.rows.accounts[0].clone()));
    assert!(twice.unwrap_err().contains("twice"));
    let twice = spoiled(|state| state.rows.storage.push(state.rows.storage[0].clone()));
    assert!(twice.unwrap_err().contains("twice"));
    assert!(spoiled(|state| state.rows.codes[0].hash = B256::ZERO).unwrap_err().contains("hash"));
    assert_eq!(spoiled(|state| state.rows.codes.push(state.rows.codes[0].clone())).unwrap().codes.len(), 1);

    let many = spoiled(|state| {
        let mut slots: Vec<_> = (0..50_u8)
            .map(B256::with_last_byte)
            .map(|slot| SlotRow { key: keccak256(slot), plain: Some(slot), before: None, after: value(&[1]) })
            .collect();
        std::mem::swap(&mut state.rows.storage[0].slots, &mut slots);
    });
    assert!(many.unwrap().storage[0].slots.is_sorted_by_key(|slot| slot.key), "by hash, not by slot");
}

#[test]
fn nodes_are_made_what_a_set_promises() {
    let read =
        |nodes: &[NodeRow]| match read(&encode(&Frame::Trie { hash: B256::ZERO, nodes: nodes.to_vec() })) {
            Ok((Frame::Trie { nodes, .. }, _)) => Ok(nodes),
            Ok((other, _)) => Err(format!("{other:?}")),
            Err(error) => Err(error.to_string()),
        };
    let spoiled = |spoil: fn(&mut Vec<NodeRow>)| {
        let mut rows = nodes();
        spoil(&mut rows);
        read(&rows)
    };
    assert_eq!(spoiled(|rows| rows.reverse()), Ok(nodes()), "sorted");
    assert_eq!(spoiled(|rows| rows[1].after = rows[1].before.clone()).unwrap().len(), 2, "unchanged");
    assert!(spoiled(|rows| rows.push(rows[0].clone())).unwrap_err().contains("twice"));
    assert!(spoiled(|rows| rows[1].path = Bytes::from_static(&[16])).unwrap_err().contains("path"));
    assert!(spoiled(|rows| rows[1].path = vec![1; 65].into()).unwrap_err().contains("path"));
    assert!(spoiled(|rows| rows[1].before = value(&[0xc2, 1, 2])).unwrap_err().contains("node"), "too short");
}

#[test]
fn a_torn_tail_is_told_from_damage() {
    let bytes: Vec<u8> = all().iter().flat_map(encode).collect();
    let (_, first) = read(&bytes).unwrap();
    let rest = &bytes[first..];
    assert!(is_torn_tail(&[]));
    assert!(is_torn_tail(&[0; 5000]));
    assert!(is_torn_tail(&encode(&all()[4])[..60]));
    let mut damaged = rest.to_vec();
    damaged[12] ^= 1;
    assert!(!is_torn_tail(&damaged), "a good frame follows");
    damaged[2] = 0xff;
    assert!(!is_torn_tail(&damaged), "a length beyond the end does not hide it");
}

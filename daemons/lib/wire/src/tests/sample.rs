//! Sample records: one of each kind that stays as it is, and any number of random ones.

mod private;

pub(super) use private::{
    bundle, bundle_cancels, bundle_fates, bundle_for_the_mempool, bundles, relay_beat, sealed,
};

use crate::record::{Advance, Final, Genesis, Heartbeat, Open, Part, Record, Stamp, Stamped, Start, Undo};
use crate::rows::{AccountRow, CodeRow, Rows, SlotRow, StorageRows};
use crate::{
    Fate, Filter, FilterCriteria, FilterMoved, NodePart, NodeRow, NodeSet, Outcome, PoolChange, PoolStep,
    Pooled, Refusal, Transaction,
};
use maidenlane_chain::{Address, B256, BlockRef, Bytes, keccak256};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

const HASH: B256 = B256::repeat_byte(0xab);

fn fixed_rows() -> Rows {
    let slot = B256::with_last_byte(3);
    let code = Bytes::from_static(&[0x60, 0x01]);
    let bytes = |text: &'static [u8]| Some(Bytes::from_static(text));
    Rows {
        accounts: vec![
            AccountRow {
                address: Address::repeat_byte(1),
                before: None,
                after: bytes(&[0xc4, 1, 2, 0x80, 0x80]),
            },
            AccountRow {
                address: Address::repeat_byte(2),
                before: bytes(&[0xc4, 1, 2, 0x80, 0x80]),
                after: None,
            },
        ],
        storage: vec![StorageRows {
            address: Address::repeat_byte(1),
            slots: vec![
                SlotRow { key: B256::repeat_byte(9), plain: None, before: bytes(&[5]), after: None },
                SlotRow { key: keccak256(slot), plain: Some(slot), before: None, after: bytes(&[1, 0]) },
            ],
        }],
        codes: vec![CodeRow { hash: keccak256(&code), code }],
    }
}

/// A transaction on its way; its bytes are golden.
pub(super) fn transaction() -> Transaction {
    Transaction {
        hash: HASH,
        sender: Address::repeat_byte(0x33),
        raw: Bytes::from_static(&[0x02, 0xc0]),
        taken_ms: 1_700_000_000_123,
        tag: None,
        identity: None,
    }
}

/// A transaction of the second schema; its bytes are golden.
pub(super) fn tagged_transaction() -> Transaction {
    Transaction { tag: Some("private".to_owned()), ..transaction() }
}

/// A refusal at a door; its bytes are golden.
pub(super) fn refusal() -> Refusal {
    let Transaction { hash, sender, raw, .. } = transaction();
    let (reason, at_ms) = ("insufficient funds".to_owned(), 1_700_000_000_456);
    Refusal { hash, sender, reason, raw, identity: None, omitted: 0, at_ms }
}

/// One of a known caller's, after others that were not told; its bytes are golden.
pub(super) fn refusal_of_somebody() -> Refusal {
    Refusal { identity: Some("wallet".to_owned()), omitted: 7, ..refusal() }
}

/// Every fate, with a name for its file; the bytes are golden.
pub(super) fn outcomes() -> Vec<(&'static str, Outcome)> {
    let (block, by) = (BlockRef::new(65, HASH), B256::repeat_byte(0xcd));
    let text = str::to_owned;
    let fates = [
        ("received", Fate::Received),
        (
            "sent",
            Fate::Sent { upstream: text("own"), class: text("known"), reason: Some(text("already known")) },
        ),
        ("sent-2", Fate::Sent { upstream: text("own"), class: text("accepted"), reason: None }),
        ("accepted", Fate::Accepted),
        ("rejected", Fate::Rejected { class: text("nonceLow"), reason: text("nonce too low") }),
        ("replaced", Fate::Replaced { by, block }),
        ("dropped", Fate::Dropped { reason: text("replaced-txs"), by: Some(by) }),
        ("dropped-2", Fate::Dropped { reason: text("old-txs"), by: None }),
        ("mined", Fate::Mined { block }),
        ("reorged-out", Fate::ReorgedOut { block }),
        ("final", Fate::Final { block }),
        ("expired", Fate::Expired),
    ];
    let outcome = |(name, fate)| {
        let raw = (name == "rejected").then(|| transaction().raw);
        let (sender, at_ms) = (transaction().sender, 1_700_000_000_456);
        (name, Outcome { hash: HASH, sender, round: 1, fate, raw, at_ms })
    };
    fates.into_iter().map(outcome).collect()
}

/// Every change of a pool, with a name for its file; the bytes are golden.
pub(super) fn pool_changes() -> Vec<(&'static str, PoolChange)> {
    let (hash, by, block) = (HASH, B256::repeat_byte(0xcd), BlockRef::new(65, HASH));
    let added = |queued| PoolStep::Added {
        pooled: Pooled { hash, sender: transaction().sender, raw: transaction().raw },
        queued,
    };
    let steps = [
        ("begin", PoolStep::Begin),
        ("pending", added(false)),
        ("queued", added(true)),
        ("promoted", PoolStep::Promoted { hash }),
        ("mined", PoolStep::Mined { hash, block }),
        ("replaced", PoolStep::Replaced { hash, by }),
        ("dropped", PoolStep::Dropped { hash, reason: Some("unpayable-txs".to_owned()) }),
        ("dropped-2", PoolStep::Dropped { hash, reason: None }),
        ("complete", PoolStep::Complete),
        ("alive", PoolStep::Alive),
    ];
    let change = |(seq, (name, step))| (name, PoolChange { epoch: 3, seq, step, at_ms: 1_700_000_000_789 });
    (300..).zip(steps).map(change).collect()
}

/// Entries of filters; their bytes are golden.
pub(super) fn filters() -> [Filter; 2] {
    let moved = FilterMoved {
        filter: HASH,
        created_ms: 1_700_000_000_000,
        step: 2,
        base: BlockRef::new(65, HASH),
        next: Some(BlockRef::new(66, HASH)),
        at_ms: 1_700_000_060_000,
    };
    let criteria = FilterCriteria { criteria: Bytes::from_static(b"{}"), at_ms: 1_700_000_000_000 };
    [Filter::Moved(moved), Filter::Criteria(criteria)]
}

/// Nodes that a block changed; the bytes are golden.
pub(crate) fn node_set() -> NodeSet {
    let parent = B256::repeat_byte(0xcd);
    NodeSet { block: BlockRef::new(65, HASH), parent, nodes: crate::frame::tests::nodes() }
}

/// A slice of such a set; its bytes are golden.
pub(super) fn node_part() -> NodePart {
    let part = Part { index: 1, count: 3, whole_len: 2_000_000, data: Bytes::from_static(&[1, 2, 3]) };
    NodePart { block: BlockRef::new(65, HASH), digest: B256::repeat_byte(0xef), part }
}

/// Any set of nodes, as a set promises them.
pub(crate) fn node_sets() -> impl Strategy<Value = NodeSet> {
    let node = || vec(any::<u8>(), 32..100).prop_map(Bytes::from);
    let key = (option::of(hash()), vec(0..16_u8, 0..=64));
    let rows = btree_map(key, (option::of(node()), option::of(node())), 0..20);
    (block(), hash(), rows).prop_map(|(block, parent, rows)| {
        let rows = rows.into_iter().map(|((owner, path), (before, after))| NodeRow {
            owner,
            path: path.into(),
            before,
            after,
        });
        NodeSet { block, parent, nodes: rows.filter(|row| row.before != row.after).collect() }
    })
}

/// Any transaction.
pub(super) fn transactions() -> impl Strategy<Value = Transaction> {
    let word = || option::of("[a-zé]{0,9}");
    let parts = (any::<[u8; 32]>(), any::<[u8; 20]>(), vec(any::<u8>(), 0..300), 0..=i64::MAX.unsigned_abs());
    (parts, word(), word()).prop_map(|((hash, sender, raw, taken_ms), tag, identity)| Transaction {
        hash: hash.into(),
        sender: sender.into(),
        raw: raw.into(),
        taken_ms,
        tag,
        identity,
    })
}

/// Records, one of each schema and in the order of those; their bytes are golden.
pub(super) fn all() -> Vec<Stamped> {
    let stamp = Stamp { feed: [0x11; 16], epoch: 3, writer: [0x22; 16], seq: 300, finalized: 64, more: true };
    let block = BlockRef::new(65, HASH);
    let parent = B256::repeat_byte(0xcd);
    let (header, body, receipts) = (
        Bytes::from_static(&[0xc1, 0x80]),
        Bytes::from_static(&[0xc2, 0xc0, 0xc0]),
        Bytes::from_static(&[0xc0]),
    );
    let records = [
        Record::Open(Open {
            chain_id: 1,
            genesis: HASH,
            chain_config: "{\"chainId\":1}".to_owned(),
            client_version: "Geth/v1.17.5".to_owned(),
            network_id: None,
        }),
        Record::Open(Open { chain_id: 1, network_id: Some(7_000), ..Open::default() }),
        Record::Genesis(Genesis {
            block: BlockRef::new(0, HASH),
            header: header.clone(),
            body: body.clone(),
            rows: fixed_rows(),
        }),
        Record::Start(Start {
            block,
            header: header.clone(),
            ancestors: vec![header.clone(), header.clone()],
        }),
        Record::Advance(Advance {
            block,
            parent,
            header: header.clone(),
            body: body.clone(),
            receipts: receipts.clone(),
            rows: fixed_rows(),
            proofs: Some(B256::repeat_byte(0xef)),
            senders: None,
        }),
        Record::Advance(Advance {
            block,
            parent,
            header: header.clone(),
            body,
            receipts: receipts.clone(),
            rows: Rows::default(),
            proofs: None,
            senders: Some(vec![Address::repeat_byte(3), Address::repeat_byte(4)]),
        }),
        Record::Undo(Undo {
            block,
            parent,
            header,
            transactions: vec![B256::repeat_byte(1), B256::repeat_byte(2)],
            receipts,
            rows: fixed_rows().reversed(),
        }),
        Record::Final(Final { safe: Some(block), finalized: None }),
        Record::Heartbeat(Heartbeat {
            published: block,
            master: BlockRef::new(66, parent),
            resuming: false,
            master_seen_ms: 1_700_000_000_123,
        }),
        Record::Part(Part { index: 1, count: 3, whole_len: 2_000_000, data: Bytes::from_static(&[1, 2, 3]) }),
    ];
    records.into_iter().map(|record| Stamped { stamp, record }).collect()
}

fn long() -> impl Strategy<Value = u64> {
    prop_oneof![0..200_u64, 0..=i64::MAX.unsigned_abs()]
}

fn hash() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::new)
}

fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address::new)
}

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..150).prop_map(Bytes::from)
}

fn block() -> impl Strategy<Value = BlockRef> {
    (long(), hash()).prop_map(|(number, hash)| BlockRef { number, hash })
}

pub(super) fn rows() -> impl Strategy<Value = Rows> {
    let value = || option::of(bytes());
    let account = (address(), value(), value()).prop_map(|(address, before, after)| AccountRow {
        address,
        before,
        after,
    });
    let slot = (hash(), option::of(hash()), value(), value())
        .prop_map(|(key, plain, before, after)| SlotRow { key, plain, before, after });
    let storage = (address(), vec(slot, 0..4)).prop_map(|(address, slots)| StorageRows { address, slots });
    let code = (hash(), bytes()).prop_map(|(hash, code)| CodeRow { hash, code });
    (vec(account, 0..4), vec(storage, 0..4), vec(code, 0..3)).prop_map(|(accounts, storage, codes)| Rows {
        accounts,
        storage,
        codes,
    })
}

fn senders() -> impl Strategy<Value = Option<Vec<Address>>> {
    option::of(vec(address(), 0..4))
}

fn record() -> impl Strategy<Value = Record> {
    prop_oneof![
        (long(), hash(), any::<String>(), any::<String>(), option::of(long())).prop_map(
            |(chain_id, genesis, chain_config, client_version, network_id)| {
                Record::Open(Open { chain_id, genesis, chain_config, client_version, network_id })
            }
        ),
        (block(), bytes(), bytes(), rows())
            .prop_map(|(block, header, body, rows)| Record::Genesis(Genesis { block, header, body, rows })),
        (block(), bytes(), vec(bytes(), 0..5)).prop_map(|(block, header, ancestors)| Record::Start(Start {
            block,
            header,
            ancestors
        })),
        (block(), hash(), bytes(), bytes(), bytes(), rows(), option::of(hash()), senders()).prop_map(
            |(block, parent, header, body, receipts, rows, proofs, senders)| {
                Record::Advance(Advance { block, parent, header, body, receipts, rows, proofs, senders })
            }
        ),
        (block(), hash(), bytes(), vec(hash(), 0..5), bytes(), rows()).prop_map(
            |(block, parent, header, transactions, receipts, rows)| {
                Record::Undo(Undo { block, parent, header, transactions, receipts, rows })
            }
        ),
        (option::of(block()), option::of(block()))
            .prop_map(|(safe, finalized)| Record::Final(Final { safe, finalized })),
        (block(), block(), any::<bool>(), long()).prop_map(
            |(published, master, resuming, master_seen_ms)| {
                Record::Heartbeat(Heartbeat { published, master, resuming, master_seen_ms })
            }
        ),
        (0..1000_u32, 0..1000_u32, long(), bytes())
            .prop_map(|(index, count, whole_len, data)| Record::Part(Part { index, count, whole_len, data })),
    ]
}

pub(super) fn stamped() -> impl Strategy<Value = Stamped> {
    let stamp = (any::<[u8; 16]>(), long(), any::<[u8; 16]>(), long(), long(), any::<bool>()).prop_map(
        |(feed, epoch, writer, seq, finalized, more)| Stamp { feed, epoch, writer, seq, finalized, more },
    );
    (stamp, record()).prop_map(|(stamp, record)| Stamped { stamp, record })
}

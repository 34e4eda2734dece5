//! Samples of private orders.

use super::{HASH, address, bytes, hash, long};
use crate::{
    Bundle, BundleCancel, BundleFate, BundleKind, BundleTarget, BundleVersion, Cancelled, ContentId,
    Delivery, Refund, RelayBeat, Sealed, SealedHeader, SealedKind, Taken,
};
use maidenlane_chain::{Address, B256, BlockRef, Bytes};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

const SIGNER: Address = Address::repeat_byte(0x33);
const NAME: &str = "d9a3ae52-79a2-4ce9-a687-e2aa4183d5c6";

fn taken() -> Taken {
    Taken { relay: [0x44; 16], identity: Some("searcher".to_owned()), at_ms: 1_700_000_000_123 }
}

/// A bundle with everything; its bytes and its id are golden.
pub(in super::super) fn bundle() -> Bundle {
    Bundle {
        taken: taken(),
        signer: SIGNER,
        kind: BundleKind::EndOfBlock,
        version: BundleVersion::V2,
        txs: vec![Bytes::from_static(&[0x02, 0xc0]), Bytes::from_static(&[0xc0])],
        blocks: (65, 66),
        min_timestamp: Some(1_700_000_000),
        max_timestamp: Some(1_700_000_012),
        reverting: vec![HASH],
        dropping: vec![B256::repeat_byte(1), B256::repeat_byte(2)],
        replacement: Some(NAME.to_owned()),
        nonce: Some(7),
        refund: Some(Refund { percent: 90, recipient: Address::repeat_byte(5), tx: HASH, delayed: true }),
        refund_identity: Some(Address::repeat_byte(6)),
        targets: vec![BundleTarget {
            address: Address::repeat_byte(7),
            slots: vec![B256::with_last_byte(3)],
        }],
        builders: vec!["one".to_owned(), "two".to_owned()],
        mempool: false,
    }
}

/// A private transaction that may become public; its bytes and its id are golden.
pub(in super::super) fn bundle_for_the_mempool() -> Bundle {
    Bundle { kind: BundleKind::Private, mempool: true, ..bundle() }
}

/// Cancels of both kinds; their bytes and their ids are golden.
pub(in super::super) fn bundle_cancels() -> [BundleCancel; 2] {
    let named = Cancelled::Replacement { name: NAME.to_owned(), nonce: Some(8) };
    [named, Cancelled::Transaction(HASH)].map(|of| BundleCancel { taken: taken(), signer: SIGNER, of })
}

/// Every fate, with a name for its file; the bytes are golden.
pub(in super::super) fn bundle_fates() -> Vec<(&'static str, BundleFate)> {
    let (block, by) = (BlockRef::new(65, HASH), ContentId::new(B256::repeat_byte(0xcd)));
    let builder = || "one".to_owned();
    let fates = [
        ("sent", Delivery::Sent { builder: builder() }),
        ("refused", Delivery::Refused { builder: builder(), reason: "bundle too large".to_owned() }),
        ("cancelled", Delivery::Cancelled),
        ("replaced", Delivery::Replaced { by }),
        ("landed", Delivery::Landed { block }),
        ("missed", Delivery::Missed { block }),
        ("uncled", Delivery::Uncled { block }),
        ("final", Delivery::Final { block }),
        ("expired", Delivery::Expired),
    ];
    let fate = |(name, fate)| {
        let (relay, at_ms) = ([0x44; 16], 1_700_000_000_456);
        (name, BundleFate { content: ContentId::new(HASH), signer: SIGNER, relay, round: 1, fate, at_ms })
    };
    fates.into_iter().map(fate).collect()
}

/// A beat; its bytes are golden.
pub(in super::super) fn relay_beat() -> RelayBeat {
    RelayBeat { relay: [0x77; 16], read: vec![0, 1, 300, 70_000], ends: true, at_ms: 1_700_000_000_000 }
}

/// A sealed part; its bytes are golden.
pub(in super::super) fn sealed() -> Sealed {
    let header = SealedHeader {
        key: [0x55; 8],
        kind: SealedKind::Fate,
        content: HASH,
        nonce: [0x66; 24],
        index: 1,
        count: 3,
        whole_len: 2_000_000,
    };
    Sealed { header, data: Bytes::from_static(&[1, 2, 3]) }
}

fn takens() -> impl Strategy<Value = Taken> {
    let parts = (any::<[u8; 16]>(), option::of("[a-zé]{0,9}"), long());
    parts.prop_map(|(relay, identity, at_ms)| Taken { relay, identity, at_ms })
}

fn refunds() -> impl Strategy<Value = Refund> {
    let parts = (1..100_u32, address(), hash(), any::<bool>());
    parts.prop_map(|(percent, recipient, tx, delayed)| Refund { percent, recipient, tx, delayed })
}

fn targets() -> impl Strategy<Value = BundleTarget> {
    (address(), vec(hash(), 0..3)).prop_map(|(address, slots)| BundleTarget { address, slots })
}

/// Any bundle.
pub(in super::super) fn bundles() -> impl Strategy<Value = Bundle> {
    let kinds = select(vec![BundleKind::Bundle, BundleKind::EndOfBlock, BundleKind::Private]);
    let versions = select(vec![BundleVersion::V1, BundleVersion::V2]);
    let head = (takens(), address(), kinds, versions);
    let times = ((long(), long()), option::of(long()), option::of(long()));
    let hashes = (vec(bytes(), 0..3), vec(hash(), 0..3), vec(hash(), 0..3));
    let name = (option::of("[a-z0-9-]{1,36}"), option::of(long()));
    let rest = (option::of(refunds()), option::of(address()), vec(targets(), 0..3), vec("[a-z]{1,9}", 0..3));
    let rest = (rest, any::<bool>());
    (head, times, hashes, name, rest).prop_map(|(head, times, hashes, name, rest)| {
        let ((taken, signer, kind, version), (blocks, min_timestamp, max_timestamp)) = (head, times);
        let ((txs, reverting, dropping), (replacement, nonce)) = (hashes, name);
        let ((refund, refund_identity, targets, builders), mempool) = rest;
        Bundle {
            taken,
            signer,
            kind,
            version,
            txs,
            blocks,
            min_timestamp,
            max_timestamp,
            reverting,
            dropping,
            replacement,
            nonce,
            refund,
            refund_identity,
            targets,
            builders,
            mempool,
        }
    })
}

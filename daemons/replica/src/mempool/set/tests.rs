//! Tests of a set of transactions.

use super::{Held, MINED_KEPT, Set, split};
use crate::mempool::tests::tx;
use maidenlane_chain::Address;
use std::collections::BTreeSet;
use std::time::Instant;

/// Transaction of a sender, at a price; no two senders have the same one.
fn held(sender: u8, nonce: u64, price: u128) -> Held {
    Held::new(tx(nonce, price * 100 + u128::from(sender)), Address::repeat_byte(sender), 200)
}

/// Nonces of all senders, short.
fn short(set: &Set) -> String {
    let of = |(sender, held): (Address, Vec<_>)| {
        let nonces = held.iter().map(|held: &std::sync::Arc<Held>| held.nonce().to_string());
        format!("{}:{}", sender.0[0], nonces.collect::<Vec<_>>().join(","))
    };
    set.all().into_iter().map(of).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_follows_on_the_nonce_of_a_state_is_pending_and_what_it_has_passed_is_not_there() {
    let check = |nonces: &[u64], nonce, expect: (&[u64], &[u64])| {
        let held: Vec<_> = nonces.iter().map(|nonce| std::sync::Arc::new(held(1, *nonce, 1))).collect();
        let (pending, queued) = split(&held, nonce);
        let nonces = |held: &[std::sync::Arc<Held>]| held.iter().map(|held| held.nonce()).collect::<Vec<_>>();
        assert_eq!((nonces(pending), nonces(queued)), (expect.0.to_vec(), expect.1.to_vec()));
    };
    check(&[], 0, (&[], &[]));
    check(&[0, 1, 3], 0, (&[0, 1], &[3]));
    check(&[0, 1, 3], 1, (&[1], &[3]));
    check(&[0, 1, 3], 2, (&[], &[3]));
    check(&[0, 1, 3], 3, (&[3], &[]));
    check(&[0, 1, 3], 4, (&[], &[]));
    check(&[u64::MAX - 1, u64::MAX], u64::MAX - 1, (&[u64::MAX - 1, u64::MAX], &[]));
}

#[test]
fn a_sender_has_one_transaction_for_each_nonce() {
    let mut set = Set::new(1 << 20);
    assert!(set.add(held(1, 0, 1)) && set.add(held(1, 1, 1)) && set.add(held(2, 0, 1)));
    let old = held(1, 1, 1).hash();
    assert!(!set.add(held(1, 1, 1)), "told again");
    assert!(set.add(held(1, 1, 2)), "another one");
    assert_eq!((short(&set).as_str(), set.get(&old).is_none()), ("1:0,1 2:0", true));
    assert_eq!((set.len(), set.bytes()), (3, 3_000));
    let told = BTreeSet::from([held(2, 0, 1).hash()]);
    assert_eq!(set.retain(&told).len(), 2);
    assert_eq!((short(&set).as_str(), set.bytes()), ("2:0", 1_000));
}

#[test]
fn the_cheapest_are_evicted_where_there_is_no_room() {
    let mut set = Set::new(3_000);
    for (sender, nonce, price) in [(1, 0, 5), (1, 1, 3), (2, 0, 4), (2, 1, 9)] {
        set.add(held(sender, nonce, price));
    }
    assert_eq!((short(&set).as_str(), set.evicted()), ("1:0 2:0,1", 1));
    // Cheaper than all others, it does not stay itself.
    set.add(held(3, 0, 1));
    assert_eq!((short(&set).as_str(), set.evicted(), set.bytes()), ("1:0 2:0,1", 2, 3_000));
}

#[test]
fn what_a_block_holds_stays_for_a_while_and_longer_if_it_comes_back() {
    let (mut set, now) = (Set::new(1 << 20), Instant::now());
    for nonce in 0..3 {
        set.add(held(1, nonce, 1));
        set.mine(held(1, nonce, 1).hash(), now);
    }
    assert_eq!(set.retain(&BTreeSet::new()).len(), 0, "a block holds them");
    set.purge(now + MINED_KEPT / 2);
    assert!(set.add(held(1, 1, 1)), "its block has left the chain");
    set.add(held(1, 2, 1));
    set.mine(held(1, 2, 1).hash(), now + MINED_KEPT / 2);
    set.purge(now + MINED_KEPT);
    assert_eq!(short(&set), "1:1,2");
    set.purge(now + MINED_KEPT * 2);
    assert_eq!(short(&set), "1:1");
}

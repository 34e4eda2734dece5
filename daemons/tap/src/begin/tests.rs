//! Tests of the GENESIS record: made from an allocation.

use super::genesis;
use crate::spool;
use maidenlane_chain::Bytes;
use maidenlane_testkit::spool::{Sample, allocation};
use maidenlane_wire::frame::Allocation;

fn check(change: impl FnOnce(&mut Allocation), expect: Result<(usize, usize), &str>) {
    let sample = Sample::genesis();
    let mut one = allocation();
    change(&mut one);
    let record = genesis(sample.block.hash, spool::Genesis { block: sample.raw, alloc: vec![one] });
    match (record, expect) {
        (Ok(record), Ok((slots, codes))) => {
            assert_eq!(record.block, sample.block);
            assert_eq!(record.rows.storage.iter().map(|account| account.slots.len()).sum::<usize>(), slots);
            assert_eq!(record.rows.codes.len(), codes);
            assert!(record.rows.accounts.iter().all(|row| row.before.is_none() && row.after.is_some()));
        }
        (Err(error), Err(text)) => assert!(error.contains(text), "{error}"),
        (got, expect) => panic!("{got:?} instead of {expect:?}"),
    }
}

#[test]
fn the_allocation_becomes_rows() {
    check(|_| {}, Ok((1, 1)));
}

#[test]
fn an_allocation_with_another_root_is_refused() {
    check(|one| one.nonce = 2, Err("state root"));
    check(|one| one.balance = Bytes::from(vec![1; 33]), Err("33 bytes"));
}

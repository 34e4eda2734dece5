//! GENESIS from an allocation.

use super::{account, genesis};
use crate::sample::{Sample, list, rlp};
use crate::spool;
use alloy::primitives::address;
use alloy_trie::root::state_root_unhashed;
use maidenlane_chain::{B256, Bytes};
use maidenlane_wire::frame::{Allocation, wrap};

pub(crate) fn allocation() -> Allocation {
    Allocation {
        address: address!("00000000000000000000000000000000000000aa"),
        nonce: 1,
        balance: Bytes::from_static(&[0x0d, 0xe0]),
        code: Bytes::from_static(&[0x60, 0x00]),
        storage: vec![
            (B256::with_last_byte(1), Bytes::from_static(&[7])),
            (B256::with_last_byte(2), Bytes::new()),
        ],
    }
}

pub(crate) fn state_root() -> B256 {
    state_root_unhashed([(allocation().address, account(&allocation()).unwrap())])
}

/// GENESIS frame of [`Sample::genesis`].
pub(crate) fn frame() -> Vec<u8> {
    let Allocation { address, nonce, balance, code, storage } = allocation();
    let slots: Vec<Vec<u8>> = storage.iter().map(|(slot, value)| list(&[rlp(slot), rlp(value)])).collect();
    let account = list(&[rlp(&address), rlp(&nonce), rlp(&balance), rlp(&code), list(&slots)]);
    wrap(2, &list(&[Sample::genesis().raw.to_vec(), list(&[account])]))
}

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

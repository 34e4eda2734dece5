//! Tests of what blocks decide.

use super::{Case, Chain, later};
use crate::book::Head;
use crate::told::{End, History};
use crate::window::Window;
use maidenlane_chain::{Address, B256, BlockRef};
use maidenlane_wire::Delivery;
use std::convert::Infallible;

/// Blocks 1 to …, each with its hash and the transactions that it holds.
struct Blocks(Vec<(u8, Vec<u8>)>);

impl Chain for Blocks {
    type Error = Infallible;

    fn hash_of(&self, number: u64) -> Result<Option<B256>, Infallible> {
        let at = usize::try_from(number).unwrap().checked_sub(1);
        Ok(at.and_then(|at| self.0.get(at)).map(|(hash, _)| B256::repeat_byte(*hash)))
    }

    fn place_of(&self, transaction: B256) -> Result<Option<(BlockRef, usize)>, Infallible> {
        Ok((1..).zip(&self.0).find_map(|(number, (hash, held))| {
            let place = held.iter().position(|held| B256::repeat_byte(*held) == transaction)?;
            Some((block(number, *hash), place))
        }))
    }
}

fn block(number: u64, hash: u8) -> BlockRef {
    BlockRef { number, hash: B256::repeat_byte(hash) }
}

fn case(blocks: (u64, u64), needed: &[u8], any_of: &[u8]) -> Case {
    let hashes = |of: &[u8]| of.iter().map(|byte| B256::repeat_byte(*byte)).collect();
    let window = Window::new(blocks, None, Some(100));
    Case { window, needed: hashes(needed), any_of: hashes(any_of) }
}

fn judged(case: &Case, blocks: &[(u8, Vec<u8>)], timestamp_s: u64) -> Option<Delivery> {
    let number = u64::try_from(blocks.len()).unwrap();
    let head = Head { number, timestamp_s, finalized: None };
    case.judge(head, &Blocks(blocks.to_vec())).unwrap()
}

#[test]
fn a_block_of_the_window_must_hold_all_in_their_order() {
    let landed = Some(Delivery::Landed { block: block(2, 12) });
    let missed = Some(Delivery::Missed { block: block(2, 12) });
    let of_two = case((2, 2), &[1, 2], &[]);
    for (held, expect) in [
        (vec![1, 2], landed.clone()),
        (vec![9, 1, 9, 2], landed.clone()),
        (vec![2, 1], missed.clone()),
        (vec![1], missed.clone()),
        (vec![], missed.clone()),
    ] {
        assert_eq!(judged(&of_two, &[(11, vec![]), (12, held.clone())], 24), expect, "{held:?}");
    }
    assert_eq!(judged(&of_two, &[(11, vec![1]), (12, vec![2])], 24), missed, "one in the block before");
    assert_eq!(judged(&of_two, &[(11, vec![1, 2]), (12, vec![])], 24), missed, "not a block of its window");
    assert_eq!(judged(&of_two, &[(11, vec![])], 12), None, "its block may yet come");
    let any = case((2, 2), &[], &[1, 2]);
    assert_eq!(judged(&any, &[(11, vec![]), (12, vec![2])], 24), landed, "each of them could be left out");
    assert_eq!(judged(&any, &[(11, vec![]), (12, vec![])], 24), missed);
}

#[test]
fn an_order_for_several_blocks_is_open_until_the_last() {
    let private = case((1, 3), &[1], &[]);
    assert_eq!(judged(&private, &[(11, vec![]), (12, vec![])], 24), None);
    assert_eq!(
        judged(&private, &[(11, vec![]), (12, vec![])], 100),
        Some(Delivery::Expired),
        "its time is over"
    );
    let all = [(11, vec![]), (12, vec![]), (13, vec![1])];
    assert_eq!(judged(&private, &all, 100), Some(Delivery::Landed { block: block(3, 13) }));
}

#[test]
fn an_end_becomes_final_or_is_taken_back() {
    let chain = Blocks(vec![(11, vec![]), (12, vec![1])]);
    let told = |end| History { end: Some(end), ..History::of(Address::ZERO) };
    let head = |number, finalized| Head { number, timestamp_s: 0, finalized };
    let held = End::Landed(block(2, 12));
    assert_eq!(later(&told(held), head(2, Some(1)), &chain), Ok(None));
    assert_eq!(
        later(&told(held), head(2, Some(2)), &chain),
        Ok(Some(Delivery::Final { block: block(2, 12) }))
    );
    let is_final = History { is_final: true, ..told(held) };
    assert_eq!(later(&is_final, head(2, Some(2)), &chain), Ok(None));
    let uncled = Ok(Some(Delivery::Uncled { block: block(2, 22) }));
    assert_eq!(later(&told(End::Landed(block(2, 22))), head(2, Some(1)), &chain), uncled);
    assert_eq!(
        later(&told(End::Missed(block(2, 22))), head(1, Some(1)), &chain),
        uncled,
        "the chain is shorter"
    );
    assert_eq!(later(&told(End::Expired), head(2, Some(2)), &chain), Ok(None));
}

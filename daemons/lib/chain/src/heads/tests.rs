use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

fn named(number: u64, name: u8) -> BlockRef {
    BlockRef::new(number, B256::repeat_byte(name))
}

/// Two branches of `old` and `new` blocks on a shared trunk that ends at `fork`.
fn check(fork: u64, old: u8, new: u8) {
    let trunk: Vec<_> = (0..=fork)
        .map(|number| BlockRef::new(number, B256::left_padding_from(&number.to_be_bytes())))
        .collect();
    let branch = |mark: u8, len: u8| {
        let mut blocks = vec![trunk[usize::try_from(fork).unwrap()]];
        blocks.extend(
            (1..=len).map(|at| BlockRef::new(fork + u64::from(at), B256::left_padding_from(&[mark, at]))),
        );
        blocks
    };
    let (left, right) = (branch(0xbb, old), branch(0xcc, new));
    let mut parents = HashMap::new();
    for chain in [&trunk, &left, &right] {
        parents.extend(chain.windows(2).map(|pair| (pair[1].hash, pair[0].hash)));
    }
    let (from, to) = (*left.last().unwrap(), *right.last().unwrap());
    let steps = steps(from, to, 1000, |block| parents.get(&block.hash).copied()).unwrap();

    // Walk it: every step joins on, and no block is touched twice.
    let mut head = from;
    for step in &steps {
        match *step {
            Step::Undo(block) => {
                assert_eq!(block, head);
                head = BlockRef::new(block.number - 1, parents[&block.hash]);
            }
            Step::Advance(block) => {
                assert_eq!(parents[&block.hash], head.hash);
                head = block;
            }
        }
    }
    assert_eq!(head, to);
    assert_eq!(steps.len(), usize::from(old) + usize::from(new));
    assert!(
        steps.windows(2).all(|pair| !matches!(pair, [Step::Advance(_), Step::Undo(_)])),
        "undo comes first"
    );
}

proptest! {
    #[test]
    fn the_way_is_shortest_and_joins(fork in 0_u64..50, old in 0_u8..40, new in 0_u8..40) {
        check(fork, old, new);
    }
}

#[test]
fn the_same_head_takes_no_step() {
    assert_eq!(steps(named(3, 1), named(3, 1), 0, |_| None), Ok(vec![]));
}

#[test]
fn what_cannot_be_walked_is_said() {
    let (a, b) = (named(5, 1), named(4, 2));
    assert_eq!(steps(a, b, 10, |_| None), Err(NoWay::Unknown(a)));
    assert_eq!(steps(named(0, 1), named(0, 2), 10, |_| None), Err(NoWay::Strangers));
    assert_eq!(steps(a, b, 1, |_| Some(B256::repeat_byte(3))), Err(NoWay::TooFar { steps_max: 1 }));
}

//! Tests of the index against one that walks over all it has, as the original did.

use super::{Full, Index};
use crate::window::{Place, Window};
use maidenlane_chain::B256;
use maidenlane_wire::ContentId;
use proptest::prelude::*;

fn content(id: u8) -> ContentId {
    ContentId::new(B256::with_last_byte(id))
}

/// The original's rules, line by line.
#[derive(Default)]
struct Walk(Vec<(ContentId, Window)>);

impl Walk {
    fn mev_bundles(&mut self, block: u64, timestamp: u64) -> Vec<ContentId> {
        let (mut answer, mut kept) = (Vec::new(), Vec::new());
        for (id, window) in std::mem::take(&mut self.0) {
            if timestamp > window.times.1 || block > window.blocks.1 {
                continue;
            }
            if timestamp >= window.times.0 && block >= window.blocks.0 {
                answer.push(id);
            }
            kept.push((id, window));
        }
        self.0 = kept;
        answer
    }
}

#[derive(Clone, Debug)]
enum Step {
    Add(u8, (u64, u64), Option<u64>, Option<u64>),
    Remove(u8),
    Ask(u64, u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let time = || prop::option::of(0..12_u64);
    let add = (any::<u8>(), 0..12_u64, 0..4_u64, time(), time());
    let add = add.prop_map(|(id, first, more, min, max)| Step::Add(id % 32, (first, first + more), min, max));
    let ask = (0..16_u64, 0..16_u64).prop_map(|(block, time)| Step::Ask(block, time));
    let step = prop_oneof![3 => add, 1 => any::<u8>().prop_map(|id| Step::Remove(id % 32)), 3 => ask];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn answers_are_those_of_a_walk_over_all(steps in steps()) {
        let (mut index, mut walk) = (Index::new(usize::MAX), Walk::default());
        for step in steps {
            match step {
                Step::Add(id, blocks, min, max) => {
                    let (id, window) = (content(id), Window::new(blocks, min, max));
                    let known = walk.0.iter().any(|(other, _)| *other == id);
                    prop_assert_eq!(index.add(id, window, id), Ok(!known));
                    if !known {
                        walk.0.push((id, window));
                    }
                }
                Step::Remove(id) => {
                    let id = content(id);
                    let known = walk.0.iter().any(|(other, _)| *other == id);
                    prop_assert_eq!(index.remove(&id), known.then_some(id));
                    walk.0.retain(|(other, _)| *other != id);
                }
                Step::Ask(block, timestamp) => {
                    let answer: Vec<ContentId> = index.mev_bundles(block, timestamp).into_iter().copied().collect();
                    prop_assert_eq!(&answer, &walk.mev_bundles(block, timestamp));
                    let again: Vec<ContentId> = index.open(block, timestamp).into_iter().copied().collect();
                    prop_assert_eq!(again, answer);
                }
            }
            prop_assert_eq!(index.len(), walk.0.len());
            let sets = [index.by_block.len() + index.by_time.len() + index.ripe.len(), index.last_block.len(),
                index.last_time.len()];
            prop_assert_eq!(sets, [index.len(); 3], "every order waits once");
        }
    }
}

#[test]
fn what_is_early_is_rolled_over_and_what_is_past_goes() {
    let mut index = Index::new(3);
    let windows = [Window::new((5, 5), None, None), Window::new((6, 6), Some(70), None)];
    for (id, window) in windows.into_iter().enumerate() {
        index.add(content(u8::try_from(id).unwrap()), window, id).unwrap();
    }
    assert_eq!(index.mev_bundles(5, 50), [&0], "its block");
    assert_eq!(index.mev_bundles(5, 50), [&0], "and kept");
    assert_eq!(index.mev_bundles(6, 60), [&1; 0], "too early by its timestamp");
    assert_eq!(index.mev_bundles(6, 72), [&1]);
    assert_eq!(index.mev_bundles(5, 50), [&1; 0], "dropped with its block; the other is early again");
    assert_eq!(index.len(), 1);
    assert!(windows[0].place(6, 60) == Place::Late);
}

#[test]
fn an_index_that_is_full_says_so() {
    let mut index = Index::new(1);
    let window = Window::new((5, 5), None, None);
    assert_eq!(index.add(content(0), window, ()), Ok(true));
    assert_eq!(index.add(content(0), window, ()), Ok(false));
    assert_eq!(index.add(content(1), window, ()), Err(Full { most: 1 }));
    assert!(index.mev_bundles(6, 0).is_empty() && index.is_empty());
    assert_eq!(index.add(content(1), window, ()), Ok(true));
}

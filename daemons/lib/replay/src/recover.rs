//! Recovery of the senders of blocks, on some threads.

use maidenlane_chain::Block;
use std::num::NonZero;
use std::thread::{self, Builder};

/// Most threads that recover; half of the processors are left to others anyway.
const THREADS_MAX: usize = 4;

/// Recovers the senders of all blocks, each of which keeps its own.
pub fn recover(blocks: &[Block]) {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).div_ceil(2).min(THREADS_MAX);
    let share = |first: usize| {
        for block in blocks {
            for index in (first..block.transactions.len()).step_by(threads) {
                let _known = block.sender(index);
            }
        }
    };
    thread::scope(|scope| {
        for first in 1..threads {
            // Without that thread the senders are recovered when they are collected.
            drop(Builder::new().name("senders".to_owned()).spawn_scoped(scope, move || share(first)));
        }
        share(0);
    });
}

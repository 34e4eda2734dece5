//! Any sequence of parts of node sets: the input is cut into length-prefixed slices, each with its own numbers. And
//! any bytes as what sound parts hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use maidenlane_chain::{B256, BlockRef, Bytes};
use maidenlane_wire::{Gatherer, NodePart, NodeSet, Part};

fuzz_target!(|bytes: &[u8]| {
    numbers(bytes);
    if let Ok(set) = NodeSet::decode(bytes) {
        assert_eq!(NodeSet::decode(&set.encode()).as_ref(), Ok(&set));
        let (digest, entries) = set.entries().expect("it is small");
        let mut gatherer = Gatherer::default();
        let mut whole = None;
        for entry in entries {
            let part = NodePart::decode(&entry).expect("we wrote it");
            assert_eq!(part.digest, digest);
            whole = gatherer.push(&part).expect("its own parts");
        }
        assert_eq!(whole, Some(set));
    }
});

fn numbers(bytes: &[u8]) {
    let mut gatherer = Gatherer::default();
    let mut rest = bytes;
    while let [numbers, whole_len, len, tail @ ..] = rest {
        let (data, after) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = after;
        // Some of them compressed as they should be.
        let data = if numbers >> 7 == 0 { data.to_vec() } else { zstd::bulk::compress(data, 1).expect("memory") };
        let part = Part {
            index: u32::from(numbers & 3),
            count: u32::from(numbers >> 2 & 3),
            whole_len: u64::from(*whole_len) << (numbers >> 4 & 7),
            data: Bytes::from(data),
        };
        let block = BlockRef::new(u64::from(numbers >> 6), B256::ZERO);
        assert!(!matches!(gatherer.push(&NodePart { block, digest: B256::ZERO, part }), Ok(Some(_))));
    }
}

//! Any sequence of parts: the input is cut into length-prefixed slices, each with its own numbers. And any bytes as
//! what sound parts hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use maidenlane_chain::Bytes;
use maidenlane_wire::{Joiner, Kind, Part, Record, Stamp, heading};

const STAMP: Stamp = Stamp { feed: [0; 16], epoch: 1, writer: [0; 16], seq: 0, finalized: 0, more: false };

fuzz_target!(|bytes: &[u8]| {
    numbers(bytes);
    content(bytes);
});

fn content(bytes: &[u8]) {
    let packed = zstd::bulk::compress(bytes, 1).expect("memory is enough");
    let slices: Vec<_> = packed.chunks(packed.len().div_ceil(3)).collect();
    let mut joiner = Joiner::default();
    let mut last = None;
    for (index, slice) in slices.iter().enumerate() {
        let part = Part {
            index: u32::try_from(index).expect("three at most"),
            count: u32::try_from(slices.len()).expect("three at most"),
            whole_len: bytes.len() as u64,
            data: Bytes::copy_from_slice(slice),
        };
        last = Some(joiner.join(&STAMP, &part));
    }
    let plain = maidenlane_wire::decode(bytes).ok().map(|stamped| stamped.record);
    let whole = last.and_then(Result::ok).flatten();
    let joined = whole.and_then(|whole| maidenlane_wire::decode(&whole).ok()).map(|stamped| stamped.record);
    match plain {
        Some(Record::Part(_)) | None => assert_eq!(joined, None),
        plain => assert_eq!(joined, plain),
    }
}

fn numbers(bytes: &[u8]) {
    let mut joiner = Joiner::default();
    let mut rest = bytes;
    while let [numbers, whole_len, len, tail @ ..] = rest {
        let (data, after) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = after;
        let stamp = Stamp { epoch: u64::from(numbers >> 7), ..STAMP };
        let part = Part {
            index: u32::from(numbers & 3),
            count: u32::from(numbers >> 2 & 3),
            whole_len: u64::from(*whole_len) << (numbers >> 4 & 7),
            data: Bytes::copy_from_slice(data),
        };
        if let Ok(Some(whole)) = joiner.join(&stamp, &part) {
            assert!(heading(&whole).is_ok_and(|heading| heading.kind != Kind::Part));
        }
    }
}

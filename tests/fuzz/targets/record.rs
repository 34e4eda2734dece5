//! Any bytes as a record: no panic, and what is read is written as something that reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use maidenlane_wire::{Filter, NodePart, Transaction, decode, encode, entry_to_json, to_json};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(stamped) = decode(bytes) {
        let again = encode(&stamped);
        assert_eq!(decode(&again).as_ref(), Ok(&stamped));
        let _ = to_json(&stamped);
    }
    if let Ok(filter) = Filter::decode(bytes) {
        assert_eq!(Filter::decode(&filter.encode()), Ok(filter));
    }
    if let Ok(part) = NodePart::decode(bytes) {
        assert_eq!(NodePart::decode(&part.encode()), Ok(part));
    }
    let _ = entry_to_json(bytes);
    if let Ok(transaction) = Transaction::decode(bytes) {
        assert_eq!(Transaction::decode(&transaction.encode()), Ok(transaction));
    }
});

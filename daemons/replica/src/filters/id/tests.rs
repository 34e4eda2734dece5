//! Ids written, read, and tampered with.

use super::*;

fn signer(secret: u8, chain: u8) -> Signer {
    Signer { secret: vec![secret; 32], realm: format!("m.{chain}.filters") }
}

fn id(kind: Kind) -> Id {
    Id { kind, created: 1_700_000_000_000, start: BlockRef::new(54, B256::repeat_byte(9)), nonce: [3; 16] }
}

#[test]
fn every_kind_comes_back_as_it_was_written() {
    let longest = "x".repeat(CRITERIA_MAX_BYTES);
    let kinds = [Kind::Blocks, Kind::PendingTransactions, Kind::logs("{}".into()), Kind::logs(longest)];
    for kind in kinds.into_iter().chain([Kind::logs("x".repeat(CRITERIA_MAX_BYTES + 1))]) {
        let made = id(kind);
        let text = made.write(&signer(1, 1)).expect("any key will do");
        assert_eq!(Id::read(&text, &signer(1, 1)), Some(made));
    }
    assert!(matches!(Kind::logs("x".repeat(CRITERIA_MAX_BYTES)), Kind::Logs(_)));
    assert!(matches!(Kind::logs("x".repeat(CRITERIA_MAX_BYTES + 1)), Kind::LogsByHash(_)));
}

#[test]
fn only_what_this_deployment_made_is_a_filter() {
    let text = id(Kind::logs("{}".into())).write(&signer(1, 1)).expect("any key will do");
    assert_eq!(Id::read(&text, &signer(2, 1)), None, "another key");
    assert_eq!(Id::read(&text, &signer(1, 2)), None, "another chain");
    for at in 2..text.len() {
        let mut other = text.clone().into_bytes();
        let digit = other.get_mut(at).expect("within");
        *digit = if *digit == b'0' { b'1' } else { b'0' };
        let other = String::from_utf8(other).expect("digits");
        assert_eq!(Id::read(&other, &signer(1, 1)), None, "digit {at}");
        assert_eq!(Id::read(text.get(..at).expect("digits"), &signer(1, 1)), None, "cut at {at}");
    }
    assert_eq!(Id::read(&format!("0x{}", "0".repeat(1 << 16)), &signer(1, 1)), None, "too long");
    assert_eq!(Id::read("", &signer(1, 1)), None);
}

#[test]
fn one_filter_has_one_key_however_its_id_is_spelt() {
    let text = id(Kind::Blocks).write(&signer(1, 1)).expect("any key will do");
    let loud = format!("0x{}", text.trim_start_matches("0x").to_uppercase());
    let read = Id::read(&loud, &signer(1, 1)).expect("hex has two cases");
    assert_eq!(read.made(&signer(1, 1)), id(Kind::Blocks).made(&signer(1, 1)));
    let other = Id { nonce: [4; 16], ..id(Kind::Blocks) };
    assert_ne!(read.made(&signer(1, 1)), other.made(&signer(1, 1)), "two filters alike but for the nonce");
}

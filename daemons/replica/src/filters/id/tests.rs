//! Descriptions written, read, and tampered with.

use super::*;

fn signer(secret: u8, chain: u8) -> Signer {
    Signer { secret: vec![secret; 32], realm: format!("m.{chain}.filters") }
}

fn described(kind: Kind) -> Description {
    let start = BlockRef::new(54, B256::repeat_byte(9));
    Description { kind, owner: 5, created: 1_700_000_000_000, start, nonce: [3; 16] }
}

/// Description with the first nonce that will do, its id and its bytes.
fn written(kind: Kind) -> (Description, Id, Vec<u8>) {
    (0..=u8::MAX)
        .find_map(|nonce| {
            let made = Description { nonce: [nonce; 16], ..described(kind.clone()) };
            made.write(&signer(1, 1)).map(|(id, bytes)| (made, id, bytes))
        })
        .expect("one nonce in sixteen is refused")
}

#[test]
fn every_kind_comes_back_as_it_was_written() {
    for kind in
        [Kind::Blocks, Kind::PendingTransactions, Kind::Logs("{}".into()), Kind::Logs("x".repeat(9_999))]
    {
        let (made, id, bytes) = written(kind);
        assert_eq!(id, hash(&bytes));
        assert_eq!(Description::read(&bytes, &signer(1, 1)), Some(made));
    }
}

#[test]
fn only_what_this_deployment_made_is_a_filter() {
    let (_, _, bytes) = written(Kind::Logs("{}".into()));
    assert_eq!(Description::read(&bytes, &signer(2, 1)), None, "another key");
    assert_eq!(Description::read(&bytes, &signer(1, 2)), None, "another chain");
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        *other.get_mut(at).expect("within") ^= 1;
        assert_eq!(Description::read(&other, &signer(1, 1)), None, "byte {at}");
        assert_eq!(Description::read(bytes.get(..at).expect("bytes"), &signer(1, 1)), None, "cut at {at}");
    }
}

#[test]
fn an_id_survives_a_client_that_takes_it_for_a_number() {
    let refused = (0..=u8::MAX).filter(|nonce| {
        let made = Description { nonce: [*nonce; 16], ..described(Kind::Blocks) };
        match made.write(&signer(1, 1)) {
            Some((id, _)) => {
                assert!(!format!("{id}").starts_with("0x0"), "{id}");
                false
            }
            None => true,
        }
    });
    assert!((4..40).contains(&refused.count()), "one in sixteen begins with a zero");
}

//! Tests of seals: golden bytes, rotation and loss of keys, and everything that others could do to the log.

use super::{Error, OPEN_MAX, Opener, Place, seal};
use crate::keyring::Keyring;
use maidenlane_chain::B256;
use maidenlane_wire::sealed::{PART_BYTES, WHOLE_MAX_BYTES};
use maidenlane_wire::{ContentId, Sealed, SealedKind};
use proptest::prelude::*;

const ORDER: (SealedKind, ContentId) = (SealedKind::Order, ContentId::new(B256::repeat_byte(0xab)));

/// A keyring of the key of hashes 1 and these keys that seal.
fn keys(seals: &[u8]) -> Keyring {
    let line = |kind: &str, byte: u8| format!("{kind} {}\n", format!("{byte:02x}").repeat(32));
    let seals: String = seals.iter().map(|byte| line("seal", *byte)).collect();
    Keyring::parse(&(line("hash", 1) + &seals)).unwrap()
}

fn place() -> Place {
    Place { topic: "maidenlane.mainnet.bundles".to_owned(), chain_id: 1 }
}

fn opener(seals: &[u8]) -> Opener {
    Opener::new(keys(seals), place())
}

fn sealed(whole: &[u8], nonce: u8) -> Vec<Vec<u8>> {
    seal(&keys(&[2]), &place(), ORDER, whole, [nonce; 24]).unwrap()
}

/// A whole of three parts.
fn large() -> Vec<u8> {
    (0..=255).cycle().take(2 * PART_BYTES + 5).collect()
}

#[test]
fn the_bytes_are_golden() {
    let [entry] = &sealed(b"an order", 0x66)[..] else { panic!("one part") };
    let golden = include_str!("../../golden/sealed.txt").trim_end();
    assert_eq!(const_hex::encode(entry), golden, "a change needs a new schema, see FORMAT.md");
    let opened = opener(&[2]).take(entry).unwrap().unwrap();
    assert_eq!(
        (opened.kind, opened.nonce, &opened.whole[..]),
        (SealedKind::Order, [0x66; 24], &b"an order"[..])
    );
    let entry_key = keys(&[2]).entry_key(&maidenlane_chain::Address::repeat_byte(0x33));
    assert_eq!(const_hex::encode(entry_key), include_str!("../../golden/entry-key.txt").trim_end());
}

#[test]
fn wholes_of_any_size_come_out_again() {
    for bytes in [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 5] {
        let whole = large().get(..bytes).unwrap().to_vec();
        let entries = sealed(&whole, 7);
        assert_eq!(entries.len(), bytes.div_ceil(PART_BYTES).max(1));
        assert!(entries.iter().all(|entry| entry.len() < 900_000));
        let mut opener = opener(&[2]);
        let mut opened: Vec<_> = entries.iter().map(|entry| opener.take(entry).unwrap()).collect();
        assert!(opened.pop().flatten().unwrap().whole == whole);
        assert!(opened.iter().all(Option::is_none) && opener.open.is_empty());
    }
    let bytes = usize::try_from(WHOLE_MAX_BYTES).unwrap() + 1;
    let refused = seal(&keys(&[2]), &place(), ORDER, &vec![0; bytes], [7; 24]);
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
}

#[test]
fn keys_rotate_and_a_lost_one_is_named() {
    let old = sealed(b"old", 1);
    let new = seal(&keys(&[3, 2]), &place(), ORDER, b"new", [2; 24]).unwrap();
    let mut both = opener(&[3, 2]);
    assert_eq!(both.take(&old[0]).unwrap().unwrap().whole, b"old");
    assert_eq!(both.take(&new[0]).unwrap().unwrap().whole, b"new");
    let lost = opener(&[3]).take(&old[0]).unwrap_err();
    let id = keys(&[2]).ids().next().unwrap().to_string();
    assert!(matches!(lost, Error::UnknownKey { .. }) && lost.to_string().contains(&id), "{lost}");
    assert_eq!(opener(&[3]).take(&new[0]).unwrap().unwrap().whole, b"new");
}

#[test]
fn entries_open_where_they_were_sealed_and_nowhere_else() {
    let entry = &sealed(b"an order", 1)[0];
    let places = [("maidenlane.mainnet.bundle-fates", 1), ("maidenlane.mainnet.bundles", 2)];
    for (topic, chain_id) in places {
        let place = Place { topic: topic.to_owned(), chain_id };
        let opened = Opener::new(keys(&[2]), place).take(entry);
        assert!(matches!(opened, Err(Error::Forged)), "{topic} of {chain_id}");
    }
}

#[test]
fn parts_of_several_wholes_may_stand_between_each_other() {
    let (one, mut other) = (large(), large());
    other.reverse();
    let (ones, others) = (sealed(&one, 1), sealed(&other, 2));
    let mut opener = opener(&[2]);
    let order = [&ones[0], &others[0], &others[1], &ones[1], &ones[1], &others[2], &ones[2]];
    let opened: Vec<_> =
        order.iter().filter_map(|entry| opener.take(entry).unwrap()).map(|opened| opened.whole).collect();
    assert!(opened == [other, one.clone()]);
    // A writer was killed and another reader begins behind the first part; then it is appended anew.
    let rest = [&ones[1], &ones[2], &ones[0], &ones[0], &ones[1], &ones[2]];
    let opened: Vec<_> =
        rest.iter().filter_map(|entry| opener.take(entry).unwrap()).map(|opened| opened.whole).collect();
    assert!(opened == [one]);
}

#[test]
fn wholes_without_an_end_take_a_bounded_room() {
    let mut opener = opener(&[2]);
    for nonce in 0..=u8::try_from(OPEN_MAX).unwrap() {
        assert_eq!(opener.take(&sealed(&large(), nonce)[0]).unwrap(), None);
    }
    assert_eq!(opener.open.len(), OPEN_MAX);
}

#[test]
fn a_part_that_is_missing_is_told() {
    let mut opener = opener(&[2]);
    let entries = sealed(&large(), 1);
    opener.take(&entries[0]).unwrap();
    assert!(matches!(opener.take(&entries[2]), Err(Error::Parts { .. })));
}

proptest! {
    /// However an entry is changed, nothing comes out of it.
    #[test]
    fn a_changed_entry_is_no_entry(at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let mut entry = sealed(b"an order", 1).remove(0);
        let index = at.index(entry.len());
        entry[index] ^= 1 << bit;
        prop_assert!(opener(&[2]).take(&entry).is_err(), "byte {} of {}", index, entry.len());
    }

    /// A header that says something else than what was sealed, in bytes that are well-formed.
    #[test]
    fn a_changed_header_is_no_header(which in 0..6_u8, to in any::<u8>()) {
        let mut entry = Sealed::decode(&sealed(b"an order", 1)[0]).unwrap();
        let header = &mut entry.header;
        let before = *header;
        match which {
            0 => header.kind = SealedKind::Fate,
            1 => header.content = B256::repeat_byte(to),
            2 => header.nonce[usize::from(to) % 24] ^= 1,
            3 => header.count = u32::from(to) + 2,
            4 => header.whole_len = u64::from(to) + 9,
            _ => header.key[usize::from(to) % 8] ^= 1,
        }
        prop_assert!(*header == before || opener(&[2]).take(&entry.encode()).is_err());
    }

    #[test]
    fn anything_else_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(opener(&[2]).take(&bytes).is_err());
    }
}

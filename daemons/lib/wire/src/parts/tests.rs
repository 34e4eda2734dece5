use super::*;
use crate::decode;
use crate::record::{Final, Open};

const STAMP: Stamp = Stamp { feed: [1; 16], epoch: 3, writer: [2; 16], seq: 40, finalized: 9, more: false };

/// A record that does not compress: a thousand hashes.
fn long() -> Record {
    let chain_config =
        (0..1000_u32).map(|at| maidenlane_chain::keccak256(at.to_be_bytes()).to_string()).collect();
    Record::Open(Open { chain_id: 1, chain_config, ..Open::default() })
}

fn short() -> Record {
    Record::Final(Final { safe: None, finalized: None })
}

fn parts(stamp: Stamp) -> Vec<Stamped> {
    let (entries, next) = entries_of(stamp, long(), 5_000).unwrap();
    assert!(entries.len() > 5 && entries.iter().all(|entry| entry.len() <= 5_000));
    assert_eq!(next, stamp.seq + entries.len() as u64);
    entries.iter().map(|entry| decode(entry).unwrap()).collect()
}

/// Takes one entry that counts; returns the record once it is whole, with the stamp of its last part.
fn push(joiner: &mut Joiner, entry: Stamped) -> Result<Option<Stamped>, DecodeError> {
    let Record::Part(part) = &entry.record else {
        return joiner.interrupt(&entry.stamp).map(|()| Some(entry));
    };
    let whole = joiner.join(&entry.stamp, part)?.map(|whole| decode(&whole)).transpose()?;
    Ok(whole.map(|Stamped { stamp: Stamp { more, .. }, record }| Stamped {
        stamp: Stamp { more, ..entry.stamp },
        record,
    }))
}

/// Pushes all entries; returns the last result.
fn join(
    joiner: &mut Joiner,
    entries: impl IntoIterator<Item = Stamped>,
) -> Result<Option<Stamped>, DecodeError> {
    entries.into_iter().map(|entry| push(joiner, entry)).last().unwrap()
}

#[test]
fn parts_make_the_record_again_with_the_last_stamp() {
    for more in [false, true] {
        let parts = parts(Stamp { more, ..STAMP });
        let last = parts.last().unwrap().stamp;
        assert!(parts.iter().rev().skip(1).all(|part| part.stamp.more), "no head between parts");
        assert_eq!(last.more, more);
        let whole = join(&mut Joiner::default(), parts).unwrap().unwrap();
        assert_eq!(whole, Stamped { stamp: last, record: long() });
    }
}

#[test]
fn a_short_record_is_one_entry() {
    let (entries, next) = entries(STAMP, short()).unwrap();
    assert_eq!((entries.len(), next), (1, 41));
    assert_eq!(decode(&entries[0]).unwrap(), Stamped { stamp: STAMP, record: short() });
}

#[test]
fn a_dead_writers_set_is_dropped() {
    let mut joiner = Joiner::default();
    let mut old = parts(STAMP);
    old.pop();
    assert_eq!(join(&mut joiner, old.clone()), Ok(None));
    assert!(joiner.open.is_some());
    let next = Stamped { stamp: Stamp { epoch: 4, writer: [9; 16], seq: 0, ..STAMP }, record: short() };
    assert_eq!(push(&mut joiner, next.clone()), Ok(Some(next)));
    assert!(joiner.open.is_none());

    let mut joiner = Joiner::default();
    join(&mut joiner, old).unwrap();
    assert!(join(&mut joiner, parts(Stamp { epoch: 4, ..STAMP })).unwrap().is_some(), "as do its own parts");
}

#[test]
fn reading_may_begin_in_the_middle_of_a_set_and_only_there() {
    let mut joiner = Joiner::default();
    assert_eq!(join(&mut joiner, parts(STAMP).into_iter().skip(2)), Ok(None));
    assert!(push(&mut joiner, Stamped { stamp: STAMP, record: short() }).unwrap().is_some());
    assert!(push(&mut joiner, parts(STAMP).remove(2)).is_err());
}

#[test]
fn a_set_with_a_gap_is_refused() {
    let check = |spoil: fn(&mut Vec<Stamped>), what: &str| {
        let mut parts = parts(STAMP);
        spoil(&mut parts);
        let mut joiner = Joiner::default();
        let refused = parts.into_iter().find_map(|part| push(&mut joiner, part).err());
        assert!(refused.expect(what).to_string().starts_with("parts do not make a record"), "{what}");
        assert!(joiner.open.is_none(), "{what}");
    };
    check(|parts| drop(parts.remove(2)), "a missing part");
    check(|parts| parts.swap(1, 2), "swapped parts");
    check(|parts| parts.insert(2, Stamped { stamp: STAMP, record: short() }), "a record in between");
    check(|parts| each(parts, |part| part.whole_len -= 1), "shorter than announced");
    check(|parts| each(parts, |part| part.whole_len += 1), "longer than announced");
    check(|parts| each(parts, |part| part.whole_len = u64::MAX / 4), "absurd length");
    check(|parts| each(parts, |part| part.data = Bytes::from_static(&[0x55; 40])), "not zstd");
    check(|parts| each(parts, |part| part.count = 0), "no parts");
}

fn each(parts: &mut [Stamped], mut spoil: impl FnMut(&mut Part)) {
    for stamped in parts {
        if let Record::Part(part) = &mut stamped.record {
            spoil(part);
        }
    }
}

/// Result of one part, made by hand.
fn single(whole: &[u8], whole_len: u64) -> Result<Option<Stamped>, DecodeError> {
    let data = Bytes::from(zstd::bulk::compress(whole, 3).unwrap());
    let part = Part { index: 0, count: 1, whole_len, data };
    push(&mut Joiner::default(), Stamped { stamp: STAMP, record: Record::Part(part) })
}

#[test]
fn a_bomb_stops_at_what_it_announced() {
    assert!(single(&vec![0; 64 << 20], 100).is_err());
}

#[test]
fn parts_do_not_nest() {
    let inner = encode(&parts(STAMP)[0]);
    let refused = single(&inner, inner.len() as u64).unwrap_err();
    assert!(refused.to_string().contains("holds a part"), "{refused}");
}

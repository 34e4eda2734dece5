use super::{File, Id, Kind, Manifest, Unusable};
use crate::digest::Digest;
use maidenlane_chain::{B256, BlockRef};
use maidenlane_store::{Position, Proofs, SetPosition};

/// A manifest with every field.
pub(crate) fn sample() -> Manifest {
    let file = |name: &str, bytes: &[u8]| File {
        name: name.to_owned(),
        bytes: bytes.len() as u64,
        sha256: Digest::of(bytes),
    };
    let position =
        Position { feed: [1; 16], epoch: 2, writer: [3; 16], seq: 4, offset: 5, crc32c: 6, more: false };
    Manifest {
        format: 1,
        build: "0.1.0".to_owned(),
        made_ms: 1_700_000_000_000,
        chain_id: 1,
        genesis: B256::repeat_byte(0xd4),
        head: BlockRef::new(23_456_789, B256::repeat_byte(0xab)),
        finalized: Some(BlockRef::new(23_456_700, B256::repeat_byte(0xcd))),
        base: 0,
        state_floor: 7,
        position: Some(position),
        proofs: Some(Proofs { floor: 8, position: Some(SetPosition { offset: 9, crc32c: 10 }) }),
        store_format: 2,
        files: vec![file("000012.sst", b"table"), file("CURRENT", b"MANIFEST-000013\n")],
    }
}

/// Manifest of format 1, byte for byte.
const GOLDEN: &str = include_str!("golden.json");

#[test]
fn its_bytes_are_pinned() {
    let (id, bytes) = sample().encode().unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), GOLDEN.trim_end());
    assert_eq!(id.to_string(), "00000000000023456789-1700000000000-2a7276edb659b9a1");
    assert_eq!(Manifest::decode(&id, GOLDEN.trim_end().as_bytes()).unwrap(), sample());
}

/// Encodes a manifest after `edit` of its JSON, and decodes it under its own name.
fn decode(edit: impl FnOnce(&mut serde_json::Value)) -> Result<Manifest, Unusable> {
    let mut json = serde_json::to_value(sample()).unwrap();
    edit(&mut json);
    let bytes = json.to_string().into_bytes();
    Manifest::decode(&Id::new(23_456_789, 1_700_000_000_000, &bytes), &bytes)
}

#[test]
fn what_is_of_no_use_is_told_apart() {
    let (id, mut bytes) = sample().encode().unwrap();
    bytes[20] ^= 1;
    assert!(matches!(Manifest::decode(&id, &bytes), Err(Unusable::Damaged)));
    let other = Id::new(7, 1_700_000_000_000, GOLDEN.trim_end().as_bytes());
    assert!(matches!(Manifest::decode(&other, GOLDEN.trim_end().as_bytes()), Err(Unusable::Damaged)));
    assert!(matches!(Manifest::decode(&Id::new(1, 1, b"{"), b"{"), Err(Unusable::Malformed(_))));
    let future = decode(|json| {
        json["format"] = 2.into();
        json["more"] = true.into();
    });
    assert!(matches!(future, Err(Unusable::Format { found: 2 })), "{future:?}");
    assert!(matches!(decode(|json| json["more"] = true.into()), Err(Unusable::Malformed(_))));
}

#[test]
fn no_file_leads_out_of_a_database() {
    for name in
        ["../CURRENT", "/etc/passwd", "filter.key", "1.sst/x", "", "x.sst", "MANIFEST-", "LOCK", "1.SST"]
    {
        let refused = decode(|json| json["files"][0]["name"] = name.into());
        assert!(matches!(&refused, Err(Unusable::Files(text)) if text.contains(name)), "{name}: {refused:?}");
        assert_eq!(Kind::of(name), None, "{name}");
    }
    let twice = decode(|json| json["files"][0]["name"] = "CURRENT".into());
    assert!(matches!(twice, Err(Unusable::Files(_))));
    let none = decode(|json| json["files"] = serde_json::json!([]));
    assert!(matches!(none, Err(Unusable::Files(_))));
    decode(|_| {}).unwrap();
}

#[test]
fn names_sort_by_block_and_time() {
    let (nine, later, ten) = (Id::new(9, 100, b"9"), Id::new(9, 1_000, b"0"), Id::new(10, 1, b"1"));
    assert!(nine < later && later < ten);
    assert_eq!(ten.to_string().parse::<Id>().unwrap(), ten);
    for bad in ["", "x", "9-1-00", &ten.to_string().to_uppercase()[1..], &format!("{ten}/..")] {
        assert!(bad.parse::<Id>().is_err(), "{bad}");
    }
}

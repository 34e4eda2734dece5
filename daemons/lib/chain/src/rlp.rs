//! RLP items read and written as they stand, without copies and without a type.

use alloy::rlp::{Error, Header, Result};

/// The RLP list of items that are RLP themselves.
pub(crate) fn as_list(parts: &[&[u8]]) -> Vec<u8> {
    let payload_length = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(payload_length + 9);
    Header { list: true, payload_length }.encode(&mut out);
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// Takes the next item with its RLP header.
pub(crate) fn raw_item<'a>(list: &mut &'a [u8]) -> Result<&'a [u8]> {
    let start = *list;
    let mut rest = start;
    let header = Header::decode(&mut rest)?;
    let len = (start.len() - rest.len()).saturating_add(header.payload_length);
    let (item, after) = start.split_at_checked(len).ok_or(Error::InputTooShort)?;
    *list = after;
    Ok(item)
}

/// Takes the next item as EIP-2718 has it: a list with its RLP header, a byte string without.
pub(crate) fn unwrapped<'a>(list: &mut &'a [u8]) -> Result<&'a [u8]> {
    let item = raw_item(list)?;
    match item.first() {
        Some(0xc0..) => Ok(item),
        _ => Header::decode_bytes(&mut &*item, false),
    }
}

/// Takes the next item, a list, and from it all of its items with `read`.
pub(crate) fn items<'a>(
    list: &mut &'a [u8],
    read: impl Fn(&mut &'a [u8]) -> Result<&'a [u8]>,
) -> Result<Vec<&'a [u8]>> {
    let mut rest = Header::decode_bytes(list, true)?;
    let mut items = Vec::new();
    while !rest.is_empty() {
        items.push(read(&mut rest)?);
    }
    Ok(items)
}

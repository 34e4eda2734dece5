//! Slim receipts, as `ere` archives have them: `[type, status or state root, cumulative gas, logs]`, without bloom.

use crate::Bytes;
use crate::receipts::{ReceiptsError, list_of};
use crate::rlp::{as_list, raw_item};
use alloy::primitives::{Log, logs_bloom};
use alloy::rlp::{self, Decodable as _};

/// Makes consensus receipts of slim ones: the bloom is that of the logs.
///
/// # Errors
/// Naming the receipt that cannot be read.
pub fn whole(mut slim: &[u8]) -> Result<Bytes, ReceiptsError> {
    let mut rest = rlp::Header::decode_bytes(&mut slim, true).map_err(ReceiptsError::Rlp)?;
    if !slim.is_empty() {
        return Err(ReceiptsError::Rlp(rlp::Error::UnexpectedLength));
    }
    let mut all = Vec::new();
    while !rest.is_empty() {
        let index = all.len();
        let one = one(&mut rest);
        all.push(one.map_err(|error| ReceiptsError::Receipt { index, reason: error.to_string() })?);
    }
    Ok(list_of(&all))
}

/// Takes the next receipt, in its consensus form.
fn one(list: &mut &[u8]) -> rlp::Result<Bytes> {
    let mut fields = rlp::Header::decode_bytes(list, true)?;
    let ty = u8::decode(&mut fields)?;
    let [outcome, gas, logs] = [raw_item(&mut fields)?, raw_item(&mut fields)?, raw_item(&mut fields)?];
    if !fields.is_empty() {
        return Err(rlp::Error::UnexpectedLength);
    }
    let bloom = rlp::encode(logs_bloom(&Vec::<Log>::decode(&mut &*logs)?));
    let receipt = as_list(&[outcome, gas, &bloom, logs]);
    Ok(if ty == 0 { receipt.into() } else { [&[ty], &*receipt].concat().into() })
}

#[cfg(test)]
mod tests {
    use super::whole;
    use crate::receipts::tests::{encode, log, receipt};
    use crate::rlp::{as_list, items, raw_item, unwrapped};
    use alloy::consensus::{Eip658Value, TxType};
    use alloy::primitives::B256;

    /// The slim form of consensus receipts: what the other direction leaves out.
    fn slim(receipts: &[u8]) -> Vec<u8> {
        let all = items(&mut &*receipts, unwrapped).unwrap().into_iter().map(|item| {
            let (ty, list) = if item[0] < 0xc0 { (item[0], &item[1..]) } else { (0x80, item) };
            let fields = items(&mut &*list, raw_item).unwrap();
            as_list(&[&[ty], fields[0], fields[1], fields[3]])
        });
        as_list(&all.collect::<Vec<_>>().iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    #[test]
    fn they_become_the_receipts_that_they_were() {
        let bytes = encode(&[
            receipt(TxType::Legacy, Eip658Value::PostState(B256::repeat_byte(5)), 21_000, vec![log(1)]),
            receipt(TxType::Legacy, Eip658Value::Eip658(false), 50_000, vec![]),
            receipt(TxType::Eip4844, Eip658Value::Eip658(true), 90_000, vec![log(2), log(3)]),
        ]);
        assert_eq!(whole(&slim(&bytes)).unwrap()[..], bytes);
        assert_eq!(whole(&[0xc0]).unwrap()[..], [0xc0]);
    }

    #[test]
    fn what_is_torn_is_refused_with_its_place() {
        let good = encode(&[receipt(TxType::Legacy, Eip658Value::Eip658(true), 1, vec![log(1)])]);
        let slim = slim(&good);
        for len in 0..slim.len() {
            assert!(whole(&slim[..len]).is_err(), "{len}");
        }
        let five = as_list(&[&as_list(&[&[0x80], &[1], &[1], &[0xc0], &[1]])]);
        assert!(whole(&five).unwrap_err().to_string().starts_with("receipt 0 cannot be read"));
    }
}

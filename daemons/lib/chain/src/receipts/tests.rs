use super::*;
use crate::Address;
use alloy::consensus::{Eip658Value, Receipt as Plain, ReceiptWithBloom};
use alloy::primitives::bytes;
use alloy::rlp::Encodable;

pub(crate) fn log(mark: u8) -> Log {
    Log::new_unchecked(Address::repeat_byte(mark), vec![B256::repeat_byte(mark)], bytes!("01"))
}

pub(crate) fn receipt(ty: TxType, status: Eip658Value, total: u64, logs: Vec<Log>) -> ReceiptEnvelope {
    let logs_bloom = logs_bloom(&logs);
    ReceiptEnvelope::from_typed(
        ty,
        ReceiptWithBloom { receipt: Plain { status, cumulative_gas_used: total, logs }, logs_bloom },
    )
}

pub(crate) fn encode(receipts: &[ReceiptEnvelope]) -> Vec<u8> {
    let mut out = Vec::new();
    receipts.to_vec().encode(&mut out);
    out
}

#[test]
fn receipts_of_all_kinds_decode_with_what_their_place_says() {
    let all = [
        receipt(TxType::Legacy, Eip658Value::PostState(B256::repeat_byte(5)), 21_000, vec![]),
        receipt(TxType::Eip1559, Eip658Value::Eip658(true), 50_000, vec![log(1), log(2)]),
        receipt(TxType::Eip7702, Eip658Value::Eip658(false), 50_000, vec![]),
        receipt(TxType::Eip4844, Eip658Value::Eip658(true), 90_000, vec![log(3)]),
    ];
    let bytes = encode(&all);
    let decoded = Receipts::decode(&bytes).unwrap();
    let spans = spans(&bytes).unwrap();
    for ((index, span), item) in spans.iter().enumerate().zip(decoded.items()) {
        assert_eq!(decode_one(index, &bytes[span.at.clone()]).unwrap(), item.envelope);
        assert_eq!((span.gas_used, span.first_log), (item.gas_used, item.first_log));
    }
    assert_eq!(spans.len(), all.len());
    assert_eq!(
        decoded.items().iter().map(|item| &item.envelope).collect::<Vec<_>>(),
        all.iter().collect::<Vec<_>>()
    );
    assert_eq!(
        decoded.items().iter().map(|item| item.gas_used).collect::<Vec<_>>(),
        [21_000, 29_000, 0, 40_000]
    );
    assert_eq!(decoded.items().iter().map(|item| item.first_log).collect::<Vec<_>>(), [0, 0, 2, 2]);
    assert_eq!(decoded.gas_used(), 90_000);
    assert_eq!(root(&encode(&all)).unwrap(), alloy::consensus::proofs::calculate_receipt_root(&all));
    assert_eq!(decoded.bloom().unwrap(), logs_bloom(&[log(1), log(2), log(3)]));
}

#[test]
fn what_is_wrong_is_named() {
    let ok = Eip658Value::Eip658(true);
    let falling = [receipt(TxType::Legacy, ok, 10, vec![]), receipt(TxType::Legacy, ok, 9, vec![])];
    assert_eq!(Receipts::decode(&encode(&falling)), Err(ReceiptsError::Gas { index: 1 }));
    assert_eq!(spans(&encode(&falling)), Err(ReceiptsError::Gas { index: 1 }));
    let mut bloom = receipt(TxType::Legacy, ok, 10, vec![log(1)]);
    if let ReceiptEnvelope::Legacy(inner) = &mut bloom {
        inner.logs_bloom = Bloom::ZERO;
    }
    assert_eq!(Receipts::decode(&encode(&[bloom])).unwrap().bloom(), Err(ReceiptsError::Bloom { index: 0 }));
    assert_eq!(
        Receipts::decode(&[0xc3, 0x82, 0x7e, 0]),
        Err(ReceiptsError::UnknownType { index: 0, ty: 0x7e })
    );
    assert!(matches!(Receipts::decode(&[0xc1, 0x80]), Err(ReceiptsError::Receipt { index: 0, .. })));
    assert!(matches!(Receipts::decode(&[0xc0, 0xc0]), Err(ReceiptsError::Rlp(_))));
    assert!(matches!(Receipts::decode(&[]), Err(ReceiptsError::Rlp(_))));
}

//! Execution-layer requests of a block (EIP-7685): deposits from its logs, the rest from system contracts.

use alloy::primitives::{Address, B256, Bytes, Log, b256};
use maidenlane_jsonrpc::Error;

/// `DepositEvent(bytes,bytes,bytes,bytes,bytes)`.
const DEPOSIT: B256 = b256!("649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5");
/// A deposit's log data: five offsets, then five lengths with their padded bytes.
const DEPOSIT_LOG_BYTES: usize = 576;
/// Offset and length of key, credentials, amount, signature and index in a deposit's log data.
const DEPOSIT_PARTS: [(usize, usize); 5] = [(192, 48), (288, 32), (352, 8), (416, 96), (544, 8)];

/// The request that holds all deposits, if there are any.
pub(super) fn deposits<'l>(
    logs: impl Iterator<Item = &'l Log>,
    contract: Option<Address>,
) -> Result<Option<Bytes>, Error> {
    let mut request = vec![0];
    let ours = logs.filter(|log| log.address == contract.unwrap_or_default());
    for log in ours.filter(|log| log.topics().first() == Some(&DEPOSIT)) {
        let data = &log.data.data;
        if data.len() != DEPOSIT_LOG_BYTES {
            let have = data.len();
            let text = format!("unable to parse deposit data: deposit wrong length: want 576, have {have}");
            return Err(Error::server(format!("failed to parse deposit logs: {text}")));
        }
        for (from, len) in DEPOSIT_PARTS {
            request.extend_from_slice(data.get(from..from + len).unwrap_or_default());
        }
    }
    Ok((request.len() > 1).then(|| request.into()))
}

/// Request from a queue contract's answer; `None` where that is empty.
pub(super) fn request(kind: u8, answer: &[u8]) -> Option<Bytes> {
    (!answer.is_empty()).then(|| [&[kind], answer].concat().into())
}

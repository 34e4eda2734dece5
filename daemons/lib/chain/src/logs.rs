//! Logs read straight out of consensus receipts: nothing is copied, and blooms are stepped over.

use crate::receipts::{self, ReceiptsError};
use crate::{Address, B256};
use alloy::rlp::{self, Header};

/// A topic as it stands in a receipt: one byte that says how long it is, and its 32 bytes.
const TOPIC_BYTES: usize = 33;
const TOPIC_HEAD: u8 = 0x80 + 32;

/// Log of a transaction, borrowed from its receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRef<'a> {
    /// Index of its transaction in the block.
    pub transaction: usize,
    /// Contract that emitted the log.
    pub address: &'a Address,
    topics: &'a [[u8; TOPIC_BYTES]],
    /// Bytes that no topic holds.
    pub data: &'a [u8],
}

impl<'a> LogRef<'a> {
    /// Topics, in order.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &'a B256> + use<'a> {
        self.topics.iter().map(|[_, topic @ ..]| topic.into())
    }

    /// Takes the next log of a list of them.
    fn take(logs: &mut &'a [u8], transaction: usize) -> rlp::Result<Self> {
        let mut log = Header::decode_bytes(logs, true)?;
        let address = Header::decode_bytes(&mut log, false)?;
        let address: &[u8; 20] = address.try_into().map_err(|_| rlp::Error::UnexpectedLength)?;
        let (topics, rest) = Header::decode_bytes(&mut log, true)?.as_chunks::<TOPIC_BYTES>();
        if !rest.is_empty() || topics.iter().any(|[head, ..]| *head != TOPIC_HEAD) {
            return Err(rlp::Error::UnexpectedLength);
        }
        let data = Header::decode_bytes(&mut log, false)?;
        if !log.is_empty() {
            return Err(rlp::Error::UnexpectedLength);
        }
        Ok(Self { transaction, address: address.into(), topics, data })
    }
}

/// The logs of one block, in order. Ends with the first that cannot be read.
#[derive(Clone, Debug)]
pub struct Logs<'a> {
    receipts: &'a [u8],
    /// Logs that are left of the receipt before `next`.
    logs: &'a [u8],
    next: usize,
}

impl<'a> Logs<'a> {
    /// Logs in an RLP list of receipts.
    ///
    /// # Errors
    /// When it is none.
    pub fn of(mut receipts: &'a [u8]) -> Result<Self, ReceiptsError> {
        let list = Header::decode_bytes(&mut receipts, true).map_err(ReceiptsError::Rlp)?;
        if receipts.is_empty() {
            return Ok(Self { receipts: list, logs: &[], next: 0 });
        }
        Err(ReceiptsError::Rlp(rlp::Error::UnexpectedLength))
    }

    fn step(&mut self) -> rlp::Result<Option<LogRef<'a>>> {
        while self.logs.is_empty() {
            if self.receipts.is_empty() {
                return Ok(None);
            }
            self.next += 1;
            self.logs = receipts::step(&mut self.receipts)?.logs;
        }
        LogRef::take(&mut self.logs, self.next - 1).map(Some)
    }
}

impl<'a> Iterator for Logs<'a> {
    type Item = Result<LogRef<'a>, ReceiptsError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose().map(|log| {
            log.map_err(|error| {
                (self.receipts, self.logs) = (&[], &[]);
                ReceiptsError::Receipt { index: self.next.saturating_sub(1), reason: error.to_string() }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Receipts;
    use crate::receipts::tests::{encode, log, receipt};
    use alloy::consensus::{Eip658Value, TxType};
    use alloy::primitives::{Log, bytes};

    fn all() -> Vec<u8> {
        let topics = |count: u8| (0..count).map(B256::repeat_byte).collect();
        let many = |count| Log::new_unchecked(Address::repeat_byte(9), topics(count), bytes!("0badbeef"));
        let long = Log::new_unchecked(Address::ZERO, vec![], vec![7; 300].into());
        encode(&[
            receipt(TxType::Legacy, Eip658Value::PostState(B256::repeat_byte(5)), 21_000, vec![]),
            receipt(TxType::Legacy, Eip658Value::Eip658(true), 50_000, vec![log(1), long]),
            receipt(TxType::Eip1559, Eip658Value::Eip658(false), 50_000, vec![]),
            receipt(TxType::Eip4844, Eip658Value::Eip658(true), 90_000, (0..=4).map(many).collect()),
        ])
    }

    #[test]
    fn they_are_those_that_decoding_gives() {
        let bytes = all();
        let decoded = Receipts::decode(&bytes).unwrap();
        let items = decoded.items().iter().enumerate();
        let expect: Vec<_> =
            items.flat_map(|(at, item)| item.logs().iter().map(move |log| (at, log.clone()))).collect();
        let plain = |log: LogRef<'_>| {
            let topics = log.topics().copied().collect();
            (log.transaction, Log::new_unchecked(*log.address, topics, log.data.to_vec().into()))
        };
        let found: Vec<_> = Logs::of(&bytes).unwrap().map(|log| plain(log.unwrap())).collect();
        assert_eq!(found.len(), 7);
        assert_eq!(found, expect);
        assert_eq!(Logs::of(&[0xc0]).unwrap().count(), 0);
    }

    #[test]
    fn what_is_torn_or_bent_ends_with_an_error() {
        let bytes = all();
        for len in 0..bytes.len() {
            assert!(matches!(Logs::of(&bytes[..len]), Err(ReceiptsError::Rlp(_))), "{len}");
        }
        // Whatever else a byte becomes: never a panic, and nothing after an error.
        let mut refused = 0;
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= 0xff;
            let Ok(logs) = Logs::of(&bent) else { continue };
            let found: Vec<_> = logs.collect();
            let errors = found.iter().filter(|log| log.is_err()).count();
            assert!(errors <= 1 && found.iter().take(found.len() - errors).all(Result::is_ok));
            refused += errors;
        }
        assert!(refused > 30, "{refused}");
    }
}

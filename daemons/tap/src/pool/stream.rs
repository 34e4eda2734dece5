//! The topic of the pool: its entries, numbered, and what the last tap left there.

use crate::error::Error;
use alloy::eips::eip2718::Decodable2718 as _;
use maidenlane_chain::{B256, Transaction};
use maidenlane_feed::{PoolReader, Scanner};
use maidenlane_log::{Append, Backend, LogProducer, TopicNeeds};
use maidenlane_service::clock::now_ms;
use maidenlane_wire::pool::ENTRY_MAX_BYTES;
use maidenlane_wire::{PoolChange, PoolStep};
use std::collections::BTreeSet;
use std::time::Duration;

/// Age of entries that are read at the start: twice the time between two tellings of the whole pool.
const LOOK_BACK: Duration = Duration::from_secs(600);
/// Entries appended at a time.
const APPEND_ENTRIES: usize = 256;

/// Requirements for the topic: a reader that begins must find the whole pool.
fn needs() -> TopicNeeds {
    TopicNeeds {
        partitions: Some(1),
        entry_bytes: ENTRY_MAX_BYTES,
        retention_min_age: Duration::from_secs(1_800),
        retention_min_bytes: 0,
    }
}

/// Writer of the topic.
pub(super) struct Stream {
    producer: Box<dyn LogProducer>,
    epoch: u64,
    next_seq: u64,
}

impl Stream {
    /// Opens the topic; also the transactions with blobs that the last tap had told of.
    pub(super) fn open(log: &Backend, topic: &str) -> Result<(Self, Vec<B256>), Error> {
        let problems = log.check(topic, &needs())?;
        if !problems.is_empty() {
            return Err(Error::Unfit { topic: topic.to_owned(), problems });
        }
        let remembered = blobs(&mut Scanner::new(log.consumer(topic, 0)?))?;
        Ok((Self { producer: log.producer(topic)?, epoch: 0, next_seq: 0 }, remembered))
    }

    pub(super) const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Writes in this epoch from now on.
    pub(super) fn enter(&mut self, epoch: u64) {
        if self.epoch != epoch {
            (self.epoch, self.next_seq) = (epoch, 0);
        }
    }

    /// Appends changes. After a failure their numbers are used up: some of them may stand there, or come yet.
    pub(super) fn append(&mut self, steps: &[PoolStep]) -> Result<(), Error> {
        let (first, count) = (self.next_seq, u64::try_from(steps.len()).unwrap_or(u64::MAX));
        self.next_seq = first.saturating_add(count);
        let at_ms = now_ms();
        for (chunk, seq) in steps.chunks(APPEND_ENTRIES).zip((first..).step_by(APPEND_ENTRIES)) {
            let change = |(seq, step): (u64, &PoolStep)| {
                PoolChange { epoch: self.epoch, seq, step: step.clone(), at_ms }.encode()
            };
            let payloads: Vec<_> = (seq..).zip(chunk).map(change).collect();
            let entries: Vec<_> = payloads.iter().map(|payload| Append { key: None, payload }).collect();
            self.producer.append(&entries)?;
        }
        Ok(())
    }
}

/// Transactions with blobs that were in the pool by the newest entries.
fn blobs(scanner: &mut Scanner) -> Result<Vec<B256>, Error> {
    let since = now_ms().saturating_sub(u64::try_from(LOOK_BACK.as_millis()).unwrap_or(u64::MAX));
    let from = scanner
        .first_since(since, |entry| PoolChange::decode(&entry.payload).ok().map(|change| change.at_ms))?;
    let end = scanner.end()?;
    let (mut reader, mut blobs) = (PoolReader::default(), BTreeSet::new());
    scanner.each(from, end, |entry| {
        let step = PoolChange::decode(&entry.payload).ok().and_then(|change| reader.read(change));
        match step {
            Some(PoolStep::Begin) => blobs.clear(),
            Some(PoolStep::Added { pooled, .. }) => {
                let decoded = Transaction::decode_2718_exact(&pooled.raw);
                if decoded.is_ok_and(|tx| tx.is_eip4844()) {
                    blobs.insert(pooled.hash);
                }
            }
            Some(
                PoolStep::Mined { hash, .. }
                | PoolStep::Replaced { hash, .. }
                | PoolStep::Dropped { hash, .. },
            ) => {
                blobs.remove(&hash);
            }
            Some(PoolStep::Promoted { .. } | PoolStep::Complete | PoolStep::Alive) | None => {}
        }
        Ok::<_, maidenlane_log::Error>(())
    })?;
    Ok(blobs.into_iter().collect())
}

//! Places in the two topics from which a replica reads: that of outcomes from where it stood, that of transactions as far back as
//! what is told of them is kept, for what it counts is in no database.

use super::error::Error;
use super::kept::{Outcomes, Settings};
use maidenlane_feed::Scanner;
use maidenlane_log::{Backend, Entry, Error as LogError, Offset, Place};
use maidenlane_service::clock::{millis, now_ms};
use maidenlane_store::fates::Reached;
use maidenlane_wire::{Outcome, Transaction};
use std::collections::BTreeMap;

/// Time by which clocks of emitters and replicas may differ, in milliseconds.
const CLOCKS_MS: u64 = 600_000;

/// Topic of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Transactions,
    Outcomes,
}

/// A partition, as far as it was read.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) of: Of,
    pub(super) number: u32,
    pub(super) reached: Reached,
    /// End of the partition when it was opened: what comes behind that is news.
    end: u64,
}

impl Partition {
    /// True once all was read that was there when it was opened.
    pub(super) const fn is_read(&self) -> bool {
        self.reached.next >= self.end
    }

    pub(super) fn place(&self, settings: &Settings, transactions: &str) -> Place {
        let topic = match self.of {
            Of::Transactions => transactions.to_owned(),
            Of::Outcomes => settings.topic.clone(),
        };
        Place { topic, partition: self.number, next: Offset(self.reached.next) }
    }
}

/// All partitions of both topics, those of transactions first; where none are counted, of one. A partition of transactions is read
/// from where it stands, if it was read before.
pub(super) fn open(
    log: &Backend,
    settings: &Settings,
    transactions: Option<(&str, &BTreeMap<u32, u64>)>,
    outcomes: &Outcomes,
) -> Result<Vec<Partition>, Error> {
    let mut found = Vec::new();
    if let Some((topic, stands)) = transactions {
        for number in 0..log.partitions(topic)? {
            found.push(transactions_of(log, settings, (topic, number), stands.get(&number).copied())?);
        }
    }
    for number in 0..log.partitions(&settings.topic)? {
        found.push(outcomes_of(log, settings, outcomes, number)?);
    }
    Ok(found)
}

/// Time from which on entries are looked at.
fn since_ms(settings: &Settings) -> u64 {
    now_ms().saturating_sub(millis(settings.keep)).saturating_sub(CLOCKS_MS)
}

fn transactions_of(
    log: &Backend,
    settings: &Settings,
    (topic, number): (&str, u32),
    stood: Option<u64>,
) -> Result<Partition, Error> {
    let mut scanner = Scanner::new(log.consumer(topic, number)?);
    let at_ms = |entry: &Entry| Transaction::decode(&entry.payload).ok().map(|stated| stated.taken_ms);
    let (earliest, end) = (scanner.earliest()?.0, scanner.end()?.0);
    let next = match stood.filter(|next| (earliest..=end).contains(next)) {
        Some(next) => next,
        None => scanner.first_since(since_ms(settings), at_ms)?.0,
    };
    Ok(Partition { of: Of::Transactions, number, reached: Reached { next, since_ms: 0 }, end })
}

/// A partition from where it stood, or where that is gone or unknown from the first entry that is kept.
fn outcomes_of(
    log: &Backend,
    settings: &Settings,
    outcomes: &Outcomes,
    number: u32,
) -> Result<Partition, Error> {
    let mut scanner = Scanner::new(log.consumer(&settings.topic, number)?);
    let (earliest, end) = (scanner.earliest()?, scanner.end()?);
    let known = outcomes.inner.fates.reached(number)?;
    let reached = match known.filter(|known| (earliest.0..=end.0).contains(&known.next)) {
        Some(reached) => reached,
        None => {
            let at_ms = |entry: &Entry| Outcome::decode(&entry.payload).ok().map(|told| told.at_ms);
            let oldest = scanner.find(earliest, end, |entry| Ok::<_, LogError>(at_ms(entry)))?;
            // Nothing is missing of a log that has dropped nothing.
            let oldest_ms = if earliest.0 == 0 { 0 } else { oldest.unwrap_or_else(now_ms) };
            Reached { next: scanner.first_since(since_ms(settings), at_ms)?.0, since_ms: oldest_ms }
        }
    };
    Ok(Partition { of: Of::Outcomes, number, reached, end: end.0 })
}

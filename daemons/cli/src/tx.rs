//! `maidenlane tx …`: transactions that replicas took, and what became of them, as the log tells it.

use std::collections::BTreeSet;

use alloy::primitives::B256;
use clap::{Args, Subcommand};
use maidenlane_feed::Scanner;
use maidenlane_log::{Backend, Entry};
use maidenlane_wire::{Outcome, Refusal, Transaction};
use serde_json::{Value, json};

use crate::{carrier::Carrier, error::Error, output::Output};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Print the whole history of a transaction, oldest first, one line of JSON for each entry of the log that speaks of
    /// it. Reads both topics as far back as they go: a replica with `outcomes` answers faster
    Status(Status),
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    carrier: Carrier,
    /// First part of every topic's name
    #[arg(long, default_value = "maidenlane")]
    prefix: String,
    /// Name of the chain
    #[arg(long)]
    chain: String,
    /// Hash of the transaction
    hash: B256,
}

/// An entry that speaks of the transaction.
struct Found {
    at_ms: u64,
    topic: String,
    partition: u32,
    offset: u64,
    entry: Value,
}

pub(crate) fn run(verb: Verb, output: &mut Output) -> Result<(), Error> {
    let Verb::Status(Status { carrier, prefix, chain, hash }) = verb;
    let log = carrier.backend()?;
    let taken = |entry: &Entry| {
        let transaction = Transaction::decode(&entry.payload).ok()?;
        (transaction.hash == hash).then_some(transaction.taken_ms)
    };
    let mut found = search(&log, format!("{prefix}.{chain}.transactions"), taken)?;
    let mut told = BTreeSet::new();
    let became = |entry: &Entry| {
        if let Ok(refusal) = Refusal::decode(&entry.payload) {
            return (refusal.hash == hash).then_some(refusal.at_ms);
        }
        let outcome = Outcome::decode(&entry.payload).ok()?;
        // The topic is at-least-once: the first of several with one id counts.
        (outcome.hash == hash && told.insert(outcome.id())).then_some(outcome.at_ms)
    };
    found.extend(search(&log, format!("{prefix}.{chain}.outcomes"), became)?);
    if found.is_empty() {
        return Err(Error::Usage(format!(
            "the log of chain `{chain}` says nothing of {hash}: it was not taken here, or is older than what the log keeps"
        )));
    }
    // Clocks differ a little; within a partition the offset tells what was first.
    found.sort_by_key(|found| found.at_ms);
    found.into_iter().try_for_each(|Found { at_ms, topic, partition, offset, entry }| {
        output.json(&json!({
            "atMs": at_ms, "topic": topic, "partition": partition, "offset": offset, "entry": entry,
        }))
    })
}

/// All entries of a topic for which `time_of` has a time.
fn search(
    log: &Backend,
    topic: String,
    mut time_of: impl FnMut(&Entry) -> Option<u64>,
) -> Result<Vec<Found>, Error> {
    let mut found = Vec::new();
    for partition in 0..log.partitions(&topic)? {
        let mut scanner = Scanner::new(log.consumer(&topic, partition)?);
        let (earliest, end) = (scanner.earliest()?, scanner.end()?);
        scanner.each(earliest, end, |entry| {
            if let Some(at_ms) = time_of(entry) {
                let (topic, offset) = (topic.clone(), entry.offset.0);
                found.push(Found { at_ms, topic, partition, offset, entry: without_bytes(&entry.payload)? });
            }
            Ok::<(), Error>(())
        })?;
    }
    Ok(found)
}

/// JSON of an entry, without the transaction's own bytes: those are nobody's terminal's.
fn without_bytes(payload: &[u8]) -> Result<Value, Error> {
    let json = maidenlane_wire::entry_to_json(payload);
    let mut json = json.map_err(|error| Error::Undecodable(error.to_string()))?;
    if let Some(fields) = json.as_object_mut() {
        fields.remove("raw");
    }
    Ok(json)
}

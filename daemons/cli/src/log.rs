//! `maidenlane log …`: make topics, look into them, check them.

use std::{io::Write, path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use maidenlane_log::{Backend, Entry, From, LogConsumer, Offset, TopicOptions, segment};
use serde_json::{Value, json};

use crate::{acls, carrier::Carrier, error::Error, output::Output};

/// How much of a log is read at a time.
const READ_BYTES_MAX: usize = 4 << 20;
/// How long a tail waits for news before it looks whether it should go on.
const WAIT: Duration = Duration::from_secs(1);
/// Topics with senders or signers as keys have this many partitions from the start: it cannot change without losing their
/// order. Emitters of one group share them.
const KAFKA_KEYED_PARTITIONS: u32 = 8;
/// A segment log has one active emitter, and an append is a write and a sync for each partition that it touches.
const SEGMENT_KEYED_PARTITIONS: u32 = 1;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Create the topics of a chain and of one feed
    Init(Init),
    /// List what a topic holds, one line of JSON per partition or segment
    Inspect(Topic),
    /// Print the newest entries, one line of JSON each
    Tail(Tail),
    /// Read a whole topic of a segment log and check every checksum
    Verify(Partitions),
    /// Cut the newest entries off a segment log, such as damaged ones (`verify` tells how many): they are lost, a tap
    /// publishes their blocks anew
    Cut(Cut),
}

#[derive(Debug, Args)]
pub(crate) struct Topic {
    #[command(flatten)]
    carrier: Carrier,
    /// Whole name of the topic: `<prefix>.<chain>.<feed>.blocks`
    #[arg(long)]
    topic: String,
}

/// Topic of a segment log: brokers keep their own files.
#[derive(Debug, Args)]
pub(crate) struct Partitions {
    /// Directory of the segment log
    #[arg(long)]
    dir: PathBuf,
    /// Whole name of the topic: `<prefix>.<chain>.<feed>.blocks`
    #[arg(long)]
    topic: String,
}

#[derive(Debug, Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    topic: Topic,
    /// Partition
    #[arg(long, default_value_t = 0)]
    partition: u32,
    /// Begin so many entries before the end
    #[arg(long, default_value_t = 10)]
    entries: u64,
    /// Go on with what is appended, until interrupted
    #[arg(long)]
    follow: bool,
    /// The bytes of each entry behind their length (32 bits, little-endian) instead of JSON, for programs that decode
    /// with the published schemas
    #[arg(long)]
    raw: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Cut {
    #[command(flatten)]
    of: Partitions,
    /// Partition
    #[arg(long, default_value_t = 0)]
    partition: u32,
    /// How many entries
    #[arg(long)]
    entries: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    #[command(flatten)]
    carrier: Carrier,
    /// First part of every topic's name
    #[arg(long, default_value = "maidenlane")]
    prefix: String,
    /// Name of the chain
    #[arg(long)]
    chain: String,
    /// Name of the feed: one per master
    #[arg(long)]
    feed: String,
    /// Keep the entries of the feed so long; without it they are kept forever
    #[arg(long, value_name = "HOURS")]
    retention_h: Option<u64>,
    /// Keep transactions and their outcomes so long
    #[arg(long, value_name = "HOURS", default_value_t = TRANSACTIONS_H)]
    transactions_retention_h: u64,
    /// Keep private orders and their fates so long
    #[arg(long, value_name = "HOURS", default_value_t = BUNDLES_H)]
    bundles_retention_h: u64,
    /// Keep changes of the master's pool so long, also in a topic that exists and keeps them longer
    #[arg(long, value_name = "HOURS", default_value_t = POOL_H)]
    pool_retention_h: u64,
    /// Keep the stands of filters so long
    #[arg(long, value_name = "HOURS", default_value_t = FILTERS_H)]
    filters_retention_h: u64,
    /// Kafka: copies of each partition
    #[arg(long)]
    replicas: Option<u16>,
    /// Kafka: copies that must have an entry before it counts
    #[arg(long)]
    in_sync_min: Option<u16>,
    /// Kafka: create nothing, print the `kafka-acls.sh` commands that let each daemon do its part and no more
    #[arg(long, conflicts_with = "dir")]
    acls: bool,
}

/// A transaction that nobody delivered within a week has expired with every sender.
const TRANSACTIONS_H: u64 = 168;
/// The last block that may hold an order is final within half of it. What is private is kept no longer than it is needed.
const BUNDLES_H: u64 = 1;
/// A filter that nobody polls is forgotten after minutes.
const FILTERS_H: u64 = 24;
/// All that is in the pool is told every few minutes.
const POOL_H: u64 = 2;

pub(crate) fn run(verb: Verb, output: &mut Output) -> Result<(), Error> {
    match verb {
        Verb::Init(init) => self::init(init, output),
        Verb::Inspect(Topic { carrier, topic }) => match carrier.backend()? {
            Backend::Segment(options) => segments(&options, &topic, segment::inspect, output),
            kafka @ Backend::Kafka(_) => ends(&kafka, &topic, output),
        },
        Verb::Verify(Partitions { dir, topic }) => {
            segments(&segment::Options::new(dir), &topic, segment::verify, output)
        }
        Verb::Tail(tail) => self::tail(tail, output),
        Verb::Cut(cut) => self::cut(cut, output),
    }
}

fn init(init: Init, output: &mut Output) -> Result<(), Error> {
    let Init { prefix, chain, feed, replicas, in_sync_min, carrier, acls, .. } = init;
    if acls {
        return acls::commands(&carrier.brokers(), &format!("{prefix}.{chain}"), &feed)
            .iter()
            .try_for_each(|command| output.line(command));
    }
    let backend = carrier.backend()?;
    let options = |partitions, hours: Option<u64>| TopicOptions {
        partitions,
        retention_max_age: hours.map(|hours| Duration::from_secs(hours.saturating_mul(3600))),
        replicas,
        in_sync_min,
        ..TopicOptions::default()
    };
    let feed_topics = ["blocks", "proofs"]
        .map(|kind| (format!("{prefix}.{chain}.{feed}.{kind}"), options(1, init.retention_h)));
    let pool = (format!("{prefix}.{chain}.{feed}.pool"), options(1, Some(init.pool_retention_h)));
    // What clients cause lies beside the feed, and must not fill its disk.
    let keyed = |kind: &str| keyed_partitions(&backend, &format!("{prefix}.{chain}.{kind}"));
    let by_sender = options(keyed("transactions")?, Some(init.transactions_retention_h));
    let by_signer = options(keyed("bundles")?, Some(init.bundles_retention_h));
    let filters = options(1, Some(init.filters_retention_h));
    let chain_topics = [
        ("transactions", by_sender.clone()),
        ("outcomes", by_sender),
        ("filters", filters),
        ("bundles", by_signer.clone()),
        ("bundle-fates", by_signer),
    ]
    .map(|(kind, options)| (format!("{prefix}.{chain}.{kind}"), options));
    for (topic, options) in feed_topics.into_iter().chain([pool.clone()]).chain(chain_topics) {
        let created = backend.create(&topic, &options)?;
        output.json(&json!({"topic": topic, "partitions": options.partitions, "created": created}))?;
    }
    // Made by an older version, it keeps as much as the feed.
    if let (topic, TopicOptions { retention_max_age: Some(age), .. }) = pool
        && backend.shorten(&topic, age)?
    {
        output.json(&json!({"topic": topic, "retention_h": init.pool_retention_h}))?;
    }
    Ok(())
}

/// Partitions of topics with senders or signers as keys: as many as `first` has, where an older version made it, for an entry
/// and what is told of it have the same number.
fn keyed_partitions(backend: &Backend, first: &str) -> Result<u32, Error> {
    let new = match backend {
        Backend::Segment(_) => SEGMENT_KEYED_PARTITIONS,
        Backend::Kafka(_) => KAFKA_KEYED_PARTITIONS,
    };
    match backend.partitions(first) {
        Err(maidenlane_log::Error::NoTopic { .. }) => Ok(new),
        there => Ok(there?),
    }
}

type Look = fn(&segment::Options, &str, u32) -> Result<segment::PartitionInfo, maidenlane_log::Error>;

fn segments(options: &segment::Options, topic: &str, look: Look, output: &mut Output) -> Result<(), Error> {
    for partition in 0..segment::partitions(options, topic)? {
        let info = look(options, topic, partition)?;
        for segment in &info.segments {
            output.json(&json!({
                "partition": partition,
                "segment": segment.path,
                "base": segment.base.0,
                "entries": segment.entries,
                "bytes": segment.bytes,
                "created_ms": segment.created_ms,
                "first_ms": segment.first_ms,
                "last_ms": segment.last_ms,
            }))?;
        }
        let (end, unpublished) = (info.end.0, info.unpublished_bytes);
        output.json(&json!({"partition": partition, "end": end, "unpublished_bytes": unpublished}))?;
    }
    Ok(())
}

fn cut(cut: Cut, output: &mut Output) -> Result<(), Error> {
    let Cut { of: Partitions { dir, topic }, partition, entries } = cut;
    let options = segment::Options::new(dir);
    let end = segment::end(&options, &topic, partition)?.0;
    let Some(end) = end.checked_sub(entries) else {
        return Err(Error::Usage(format!("{topic} has {end} entries, --entries {entries} is more")));
    };
    segment::cut(&options, &topic, partition, Offset(end))?;
    output.json(&json!({"partition": partition, "end": end}))
}

fn ends(backend: &Backend, topic: &str, output: &mut Output) -> Result<(), Error> {
    for partition in 0..backend.partitions(topic)? {
        let mut consumer = backend.consumer(topic, partition)?;
        let (earliest, end) = (consumer.earliest()?.0, consumer.end()?.0);
        output.json(&json!({"partition": partition, "earliest": earliest, "end": end}))?;
    }
    Ok(())
}

fn tail(tail: Tail, output: &mut Output) -> Result<(), Error> {
    let Tail { topic: Topic { carrier, topic }, partition, entries, follow, raw } = tail;
    let mut consumer = carrier.backend()?.consumer(&topic, partition)?;
    let (earliest, end) = (consumer.earliest()?, consumer.end()?);
    consumer.seek(From::At(earliest.max(Offset(end.0.saturating_sub(entries)))))?;
    let until = (!follow).then_some(end);
    let mut show = |entry: &Entry| match raw {
        true => framed(entry, output),
        false => output.json(&described(entry)),
    };
    print(consumer.as_mut(), until, &mut show)
}

/// An entry's bytes behind their length.
fn framed(entry: &Entry, output: &mut Output) -> Result<(), Error> {
    let length = u32::try_from(entry.payload.len())
        .map_err(|_| Error::Undecodable(format!("entry {} is longer than 4 GiB", entry.offset.0)))?;
    let written = output.write_all(&length.to_le_bytes()).and_then(|()| output.write_all(&entry.payload));
    written.and_then(|()| output.flush()).map_err(Error::Output)
}

/// Place and meaning of an entry. What is no record is still shown for what it is.
fn described(entry: &Entry) -> Value {
    let meaning = match maidenlane_wire::entry_to_json(&entry.payload) {
        Ok(record) => ("entry", record),
        Err(error) => ("undecodable", error.to_string().into()),
    };
    let mut line = json!({"offset": entry.offset.0, "bytes": entry.payload.len()});
    if let Some(fields) = line.as_object_mut() {
        fields.insert(meaning.0.to_owned(), meaning.1);
    }
    line
}

/// Shows entries up to `until`, or for ever.
fn print(
    consumer: &mut dyn LogConsumer,
    until: Option<Offset>,
    show: &mut dyn FnMut(&Entry) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut next = Offset(0);
    while until.is_none_or(|end| next < end) {
        let batch = consumer.read(READ_BYTES_MAX, WAIT)?;
        if batch.is_empty() && until.is_some() {
            break;
        }
        for entry in batch {
            if until.is_some_and(|end| entry.offset >= end) {
                return Ok(());
            }
            next = Offset(entry.offset.0 + 1);
            show(&entry)?;
        }
    }
    Ok(())
}

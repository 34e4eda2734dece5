//! Backlog of a consumer group, seen from outside the group.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;

use super::complaint::{Complaints, refusal};
use super::consumer::{READING, entry};
use super::{Options, admin, failed, is_transient, late, signed};
use crate::{Entry, Error};

/// Timeout of a wait for one message; the broker answers in less.
const POLL: Duration = Duration::from_millis(100);

/// The oldest entry that `group` has not committed, of each partition that has one.
///
/// # Errors
/// [`Error::NoTopic`], or when no broker answers.
pub fn unconsumed(options: &Options, topic: &str, group: &str) -> Result<Vec<(u32, Entry)>, Error> {
    let failed = |what: &str, error: KafkaError| failed(options, topic, what, error);
    let partitions = admin::shape(options, topic)?.partitions;
    let mut config = options.client(&READING);
    // Group whose positions are queried; without a subscription this client never joins.
    config.set("group.id", group);
    let client: BaseConsumer<Complaints> =
        config.create_with_context(options.complaints.clone()).map_err(|error| failed("opening", error))?;
    let behind = behind(&client, options, topic, partitions)
        .map_err(|error| failed("positions", refusal(&client, error)))?;
    let wanted = behind.count();
    if wanted == 0 {
        return Ok(Vec::new());
    }
    client.assign(&behind).map_err(|error| failed("assignment", error))?;
    let deadline = Instant::now() + options.timeout;
    let mut oldest = BTreeMap::new();
    while oldest.len() < wanted {
        if Instant::now() > deadline {
            return Err(late(options, &format!("reading of {topic}")));
        }
        match client.poll(POLL) {
            Some(Ok(message)) => {
                let partition = u32::try_from(message.partition()).unwrap_or_default();
                if let Some(entry) = entry(&message) {
                    oldest.entry(partition).or_insert(entry);
                }
            }
            Some(Err(error)) if !is_transient(&error) => return Err(failed("reading", error)),
            Some(Err(_)) | None => {}
        }
    }
    Ok(oldest.into_iter().collect())
}

/// Positions at which the group goes on, in the partitions whose end it has not reached.
fn behind(
    client: &BaseConsumer<Complaints>,
    options: &Options,
    topic: &str,
    partitions: u32,
) -> Result<TopicPartitionList, KafkaError> {
    let mut all = TopicPartitionList::new();
    all.add_partition_range(topic, 0, signed(partitions) - 1);
    let committed = client.committed_offsets(all, options.timeout)?;
    let mut behind = TopicPartitionList::new();
    for one in committed.elements() {
        let (low, high) = client.fetch_watermarks(topic, one.partition(), options.timeout)?;
        // Entries that retention has taken are nobody's to consume any more.
        let next = match one.offset() {
            rdkafka::Offset::Offset(next) => next.max(low),
            _ => low,
        };
        if next < high {
            behind.add_partition_offset(topic, one.partition(), rdkafka::Offset::Offset(next))?;
        }
    }
    Ok(behind)
}

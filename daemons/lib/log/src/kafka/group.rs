//! Member of a Kafka consumer group, with positions committed by hand.
//!
//! # Correctness
//! A member commits only what it was handed since its partitions were last assigned: a commit for a partition that
//! meanwhile belonged to another would move that member's position back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{ClientContext, TopicPartitionList};

use super::complaint::{Complaints, refusal};
use super::consumer::{READING, entry};
use super::ends::refuse_outside;
use super::gather::{Rest, gather};
use super::{Options, admin, failed, is_transient, signed, unsigned};
use crate::{Entry, Error, GroupConsumer, Offset, Share};

/// A member of a consumer group.
pub struct Group {
    options: Options,
    topic: String,
    client: BaseConsumer<Rebalances>,
    /// Number of rebalances as of the last poll.
    rebalances: u64,
    /// First offset handed out of each partition since the last rebalance.
    handed: BTreeMap<u32, u64>,
    rest: Rest<(u32, Entry)>,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Group")
            .field("topic", &self.topic)
            .field("handed", &self.handed)
            .finish_non_exhaustive()
    }
}

/// Counter of the changes of this member's share.
#[derive(Default)]
struct Rebalances {
    count: AtomicU64,
    complaints: Complaints,
}

impl ClientContext for Rebalances {
    fn error(&self, error: KafkaError, reason: &str) {
        self.complaints.error(error, reason);
    }
}

impl ConsumerContext for Rebalances {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, _: &Rebalance<'_>) {
        self.count.fetch_add(1, Ordering::SeqCst);
    }
}

impl Group {
    /// Joins `group`.
    ///
    /// # Errors
    /// [`Error::NoTopic`], or when no broker answers.
    pub fn open(options: &Options, topic: &str, group: &str) -> Result<Self, Error> {
        let partitions = admin::shape(options, topic)?.partitions;
        let session_ms = options.session_timeout.as_millis().max(1);
        let mut config = options.client(&READING);
        config.set("group.id", group);
        config.set("session.timeout.ms", session_ms.to_string());
        config.set("heartbeat.interval.ms", (session_ms / 4).max(1).to_string());
        config.set("max.poll.interval.ms", session_ms.max(300_000).to_string());
        let client: BaseConsumer<Rebalances> = config
            .create_with_context(Rebalances {
                complaints: options.complaints.clone(),
                ..Rebalances::default()
            })
            .map_err(|error| failed(options, topic, "opening", error))?;
        let (options, topic) = (options.clone(), topic.to_owned());
        let (handed, rest) = (BTreeMap::new(), Rest::default());
        let this = Self { options, topic, client, rebalances: 0, handed, rest };
        this.write_first_positions(partitions)?;
        this.client.subscribe(&[&this.topic]).map_err(|error| this.failed("subscription", error))?;
        Ok(this)
    }

    /// Commits the earliest offset where nothing is committed yet: from then on retention is noticed, not skipped.
    /// The broker refuses this while the group has members, who have then done it.
    fn write_first_positions(&self, partitions: u32) -> Result<(), Error> {
        let deadline = Instant::now() + self.options.timeout;
        loop {
            let mut missing = TopicPartitionList::new();
            for partition in self.without_position(partitions)? {
                let (low, _) = self.watermarks(partition)?;
                missing
                    .add_partition_offset(&self.topic, partition, rdkafka::Offset::Offset(low))
                    .map_err(|error| self.failed("commit", error))?;
            }
            if missing.count() == 0 {
                return Ok(());
            }
            match self.client.commit(&missing, CommitMode::Sync) {
                Ok(()) => return Ok(()),
                Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(50)),
                Err(error) => return Err(self.failed("commit", error)),
            }
        }
    }

    fn without_position(&self, partitions: u32) -> Result<Vec<i32>, Error> {
        let mut all = TopicPartitionList::new();
        all.add_partition_range(&self.topic, 0, signed(partitions) - 1);
        let committed = self
            .client
            .committed_offsets(all, self.options.timeout)
            .map_err(|error| self.failed("positions", refusal(&self.client, error)))?;
        let elements = committed.elements();
        let without = elements.iter().filter(|one| !matches!(one.offset(), rdkafka::Offset::Offset(_)));
        Ok(without.map(rdkafka::topic_partition_list::TopicPartitionListElem::partition).collect())
    }

    fn watermarks(&self, partition: i32) -> Result<(i64, i64), Error> {
        self.client
            .fetch_watermarks(&self.topic, partition, self.options.timeout)
            .map_err(|error| self.failed("watermarks", error))
    }

    fn failed(&self, what: &str, error: KafkaError) -> Error {
        failed(&self.options, &self.topic, what, error)
    }

    /// Polls for the next entry within `wait`, once share and positions are known to be the latest.
    fn poll(&mut self, wait: Duration) -> Result<Option<(u32, Entry)>, Error> {
        let polled = match self.client.poll(wait) {
            None => Ok(None),
            Some(Ok(message)) => {
                let partition = u32::try_from(message.partition()).unwrap_or_default();
                Ok(entry(&message).map(|entry| (partition, entry)))
            }
            Some(Err(error)) => Err(error),
        };
        let rebalances = self.client.context().count.load(Ordering::SeqCst);
        if rebalances != self.rebalances {
            self.rebalances = rebalances;
            self.handed.clear();
        }
        match polled {
            Ok(entry) => {
                if let Some((partition, entry)) = &entry {
                    self.handed.entry(*partition).or_insert(entry.offset.0);
                }
                Ok(entry)
            }
            Err(error) if is_transient(&error) => Ok(None),
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => {
                self.refuse_outside()?;
                Err(self.failed("reading", error))
            }
            Err(error) => Err(self.failed("reading", error)),
        }
    }

    /// Refuses a committed position that is no longer, or not yet, in the log. One whose entry is gone is moved to the
    /// oldest there is.
    fn refuse_outside(&self) -> Result<(), Error> {
        let assigned = self.client.assignment().map_err(|error| self.failed("assignment", error))?;
        let committed = self
            .client
            .committed_offsets(assigned, self.options.timeout)
            .map_err(|error| self.failed("positions", refusal(&self.client, error)))?;
        for one in committed.elements() {
            let rdkafka::Offset::Offset(wanted) = one.offset() else { continue };
            let ask = || self.watermarks(one.partition()).map(|(low, high)| (unsigned(low), unsigned(high)));
            let refused = refuse_outside(&self.topic, unsigned(wanted), self.options.timeout, ask);
            if let Err(Error::RetentionGap { earliest, .. }) = &refused {
                let next = rdkafka::Offset::Offset(i64::try_from(*earliest).unwrap_or(i64::MAX));
                self.commit_next(one.partition(), next)?;
            }
            refused?;
        }
        Ok(())
    }

    fn commit_next(&self, partition: i32, next: rdkafka::Offset) -> Result<(), Error> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, partition, next)
            .and_then(|()| self.client.commit(&list, CommitMode::Sync))
            .map_err(|error| self.failed("commit", error))
    }
}

impl GroupConsumer for Group {
    fn read(&mut self, max_bytes: usize, wait: Duration) -> Result<Vec<(u32, Entry)>, Error> {
        gather(self, |this| &mut this.rest, Self::poll, |(_, entry)| entry.payload.len(), (max_bytes, wait))
    }

    fn share(&mut self) -> Result<Share, Error> {
        let assigned = self.client.assignment().map_err(|error| self.failed("assignment", error))?;
        let assigned = assigned.elements();
        let mut partitions: Vec<u32> =
            assigned.iter().filter_map(|one| u32::try_from(one.partition()).ok()).collect();
        partitions.sort_unstable();
        Ok(Share { turn: self.rebalances, partitions })
    }

    fn commit(&mut self, partition: u32, offset: Offset) -> Result<(), Error> {
        if self.handed.get(&partition).is_none_or(|first| offset.0 < *first) {
            let what =
                format!("{offset:?} of partition {partition} of {} is no longer this member's", self.topic);
            return Err(Error::Refused { what });
        }
        let next = i64::try_from(offset.0.saturating_add(1)).unwrap_or(i64::MAX);
        self.commit_next(signed(partition), rdkafka::Offset::Offset(next))
    }
}

//! Consumer of one partition of a Kafka topic.

use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{BorrowedMessage, Message};

use super::complaint::Complaints;
use super::ends::{refuse_outside, settled};
use super::gather::{Rest, gather};
use super::{Options, admin, failed, is_transient, signed, unsigned};
use crate::{Entry, Error, From, LogConsumer, Offset};

/// Settings of all clients that read.
pub(super) const READING: [(&str, &str); 11] = [
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // Never skip silently: a position that is gone is an error.
    ("auto.offset.reset", "error"),
    ("enable.partition.eof", "false"),
    ("check.crcs", "true"),
    // The broker answers as soon as there is one byte, and waits for it at most so long; so long a seek waits too.
    ("fetch.min.bytes", "1"),
    ("fetch.wait.max.ms", "100"),
    ("fetch.message.max.bytes", "8388608"),
    // A slow reader's queue: bounded, and asked to be filled again at once when there is room.
    ("queued.max.messages.kbytes", "32768"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.error.backoff.ms", "20"),
];

/// Timeout of a query for the two ends of a partition. A query that was under way when a broker died is never answered,
/// and a loop that waits for it gives no sign of life: ask again well before that counts as silence.
const WATERMARKS_WAIT: Duration = Duration::from_secs(3);

/// Consumer of one partition; in no group, its position is its own.
pub struct Consumer {
    options: Options,
    topic: String,
    partition: u32,
    client: BaseConsumer<Complaints>,
    /// Client for queries of the partition's ends. A broker answers the requests of one connection in order, so a query
    /// on the reader's own would wait behind its fetch, for as long as there is nothing to read.
    asker: BaseConsumer<Complaints>,
    next: u64,
    /// One after the newest entry that was ever read, or the end if that was less when last queried.
    reached: u64,
    fetching: Fetching,
    rest: Rest<Entry>,
}

/// State of fetching inside librdkafka.
///
/// # Correctness
/// A partition is assigned once per client: assigning it again while its first fetcher is being stopped fails an
/// assertion inside librdkafka (2.12.1), which ends the process. Moving is a seek, and where that is refused, a new
/// client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fetching {
    /// Fetching has not begun.
    Not,
    /// Fetching goes on from `next`.
    Does,
    /// Fetching goes on from elsewhere.
    Elsewhere,
    /// Fetching has given up on the partition.
    Stopped,
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = out.debug_struct("Consumer");
        out.field("topic", &self.topic).field("partition", &self.partition).field("next", &self.next);
        out.finish_non_exhaustive()
    }
}

impl Consumer {
    /// Opens a partition, positioned at its earliest entry.
    ///
    /// # Errors
    /// [`Error::NoTopic`], or when no broker answers.
    pub fn open(options: &Options, topic: &str, partition: u32) -> Result<Self, Error> {
        let shape = admin::shape(options, topic)?;
        if partition >= shape.partitions {
            let count = shape.partitions;
            let what = format!("{topic} has no partition {partition}, only {count} of them from 0 on");
            return Err(Error::Refused { what });
        }
        let (client, asker) = (connect(options, topic)?, connect(options, topic)?);
        let (options, topic, fetching) = (options.clone(), topic.to_owned(), Fetching::Not);
        let (rest, next, reached) = (Rest::default(), 0, 0);
        let mut consumer = Self { options, topic, partition, client, asker, next, reached, fetching, rest };
        consumer.next = consumer.watermarks()?.0;
        Ok(consumer)
    }

    /// Offsets of the earliest entry and of the end.
    fn watermarks(&self) -> Result<(u64, u64), Error> {
        let wait = self.options.timeout.min(WATERMARKS_WAIT);
        let marks = self.asker.fetch_watermarks(&self.topic, signed(self.partition), wait);
        let (low, high) = marks.map_err(|error| {
            self.options.complaints.gather(&self.asker);
            failed(&self.options, &self.topic, "watermarks", error)
        })?;
        Ok((unsigned(low), unsigned(high)))
    }

    fn refuse_outside(&self, wanted: u64) -> Result<(), Error> {
        refuse_outside(&self.topic, wanted, self.options.timeout, || self.watermarks())
    }

    fn move_to(&mut self, next: u64) {
        self.next = next;
        if self.fetching == Fetching::Does {
            self.fetching = Fetching::Elsewhere;
        }
        self.rest = Rest::default();
    }

    /// Has librdkafka fetch from `next` on.
    fn fetch(&mut self) -> Result<(), Error> {
        let offset = rdkafka::Offset::Offset(i64::try_from(self.next).unwrap_or(i64::MAX));
        let partition = signed(self.partition);
        match self.fetching {
            Fetching::Does => return Ok(()),
            Fetching::Elsewhere
                if self.client.seek(&self.topic, partition, offset, self.options.timeout).is_ok() =>
            {
                self.fetching = Fetching::Does;
                return Ok(());
            }
            Fetching::Elsewhere | Fetching::Stopped => {
                self.client = connect(&self.options, &self.topic)?;
                self.fetching = Fetching::Not;
            }
            Fetching::Not => {}
        }
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, partition, offset)
            .and_then(|()| self.client.assign(&list))
            .map_err(|error| failed(&self.options, &self.topic, "assignment", error))?;
        self.fetching = Fetching::Does;
        Ok(())
    }

    /// Polls for the next entry within `wait`.
    fn poll(&mut self, wait: Duration) -> Result<Option<Entry>, Error> {
        self.fetch()?;
        let (next, error) = match self.client.poll(wait) {
            None => return Ok(None),
            Some(Ok(message)) => {
                let entry = entry(&message).filter(|entry| entry.offset.0 >= self.next);
                self.next = entry.as_ref().map_or(self.next, |entry| entry.offset.0.saturating_add(1));
                self.reached = self.reached.max(self.next);
                return Ok(entry);
            }
            // The group that librdkafka wants named is never joined, and no right to it is needed.
            Some(Err(error))
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed) =>
            {
                return Ok(None);
            }
            Some(Err(error)) => (self.next, error),
        };
        if is_transient(&error) {
            return Ok(None);
        }
        self.fetching = Fetching::Stopped;
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) {
            self.refuse_outside(next)?;
            // The answer changed meanwhile, as when a broker was still reading its log: fetched again from there.
            return Ok(None);
        }
        Err(failed(&self.options, &self.topic, "reading", error))
    }
}

pub(super) fn connect(options: &Options, topic: &str) -> Result<BaseConsumer<Complaints>, Error> {
    let mut config = options.client(&READING);
    // librdkafka reads only with a group's name, even where no group is joined.
    config.set("group.id", format!("{}-reader", options.client_id));
    config
        .create_with_context(options.complaints.clone())
        .map_err(|error| failed(options, topic, "opening", error))
}

/// The entry of a message: a tombstone has an empty payload.
pub(super) fn entry(message: &BorrowedMessage<'_>) -> Option<Entry> {
    let offset = Offset(u64::try_from(message.offset()).ok()?);
    let payload = message.payload().unwrap_or_default().to_vec();
    Some(Entry { offset, key: message.key().map(<[u8]>::to_vec), payload })
}

impl LogConsumer for Consumer {
    fn seek(&mut self, from: From) -> Result<(), Error> {
        let next = match from {
            From::Earliest => self.watermarks()?.0,
            From::End => self.end()?.0,
            From::At(Offset(wanted)) => {
                self.refuse_outside(wanted)?;
                wanted
            }
        };
        self.move_to(next);
        Ok(())
    }

    fn read(&mut self, max_bytes: usize, wait: Duration) -> Result<Vec<Entry>, Error> {
        gather(self, |this| &mut this.rest, Self::poll, |entry| entry.payload.len(), (max_bytes, wait))
    }

    fn earliest(&mut self) -> Result<Offset, Error> {
        self.watermarks().map(|(earliest, _)| Offset(earliest))
    }

    fn end(&mut self) -> Result<Offset, Error> {
        let (_, end) = settled(self.reached, self.options.timeout, || self.watermarks())?;
        self.reached = self.reached.min(end);
        Ok(Offset(end))
    }
}

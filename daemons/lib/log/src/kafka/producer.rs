//! Producer of a Kafka topic.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer};

use super::complaint::Complaints;
use super::{Options, admin, failed, late, unsigned};
use crate::{Append, Error, LogProducer, Offset};

/// Time after an append's own deadline at which librdkafka would give up an entry by itself. It never may: it lets later
/// entries through when earlier ones expire, which leaves a hole in the log. At our deadline all of them are purged.
const NEVER_ALONE: Duration = Duration::from_secs(300);

/// Producer of one topic: appends are acknowledged by all in-sync copies, in order, without duplicates.
pub struct Producer {
    options: Options,
    topic: String,
    partitions: u32,
    batch_max_bytes: usize,
    /// Client; `None` after an error: appends that a failed client may still have under way die with it.
    client: Option<ThreadedProducer<Deliveries>>,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Producer").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// Context that hands every outcome to the append that waits for it.
struct Deliveries(Complaints);

/// Index of an entry within its append.
struct Ticket {
    index: usize,
    outcomes: SyncSender<Outcome>,
}

type Outcome = (usize, Result<i64, KafkaError>);

impl ClientContext for Deliveries {
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let outcome = match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.clone()),
        };
        // Never blocks: the channel holds an outcome for every entry. No one waits if the append gave up.
        drop(ticket.outcomes.try_send((ticket.index, outcome)));
    }
}

impl Producer {
    /// Opens `topic`.
    ///
    /// # Errors
    /// [`Error::NoTopic`], or when no broker answers.
    pub fn open(options: &Options, topic: &str) -> Result<Self, Error> {
        let partitions = admin::shape(options, topic)?.partitions;
        let batch_max_bytes = admin::max_message_bytes(options, topic)?;
        let (options, topic) = (options.clone(), topic.to_owned());
        let mut producer = Self { options, topic, partitions, batch_max_bytes, client: None };
        producer.client = Some(producer.connect()?);
        Ok(producer)
    }

    fn connect(&self) -> Result<ThreadedProducer<Deliveries>, Error> {
        let timeout_ms = (self.options.timeout + NEVER_ALONE).as_millis().to_string();
        let settings = [
            ("acks", "all"),
            ("enable.idempotence", "true"),
            // An entry that a broker refuses ends the client: nothing behind it goes in.
            ("enable.gapless.guarantee", "true"),
            ("compression.codec", "zstd"),
            // Blocks come out one or two parts in a hundred larger than at librdkafka's own level, in half the time.
            ("compression.level", "1"),
            ("linger.ms", "0"),
            // As Java clients choose; a key stays in its partition whoever appends it.
            ("partitioner", "murmur2_random"),
            ("message.timeout.ms", &timeout_ms),
            // The topic's own limit is what counts, and it counts after compression.
            ("message.max.bytes", "1000000000"),
            ("queue.buffering.max.kbytes", "1048576"),
        ];
        let config = self.options.client(&settings);
        config
            .create_with_context(Deliveries(self.options.complaints.clone()))
            .map_err(|error| failed(&self.options, &self.topic, "opening", error))
    }

    fn refuse_too_large(&self, entries: &[Append<'_>]) -> Result<(), Error> {
        let max_bytes = admin::entry_bytes(self.batch_max_bytes);
        let size = |entry: &Append<'_>| entry.payload.len() + entry.key.map_or(0, <[u8]>::len);
        match entries.iter().map(size).find(|bytes| *bytes > max_bytes) {
            Some(bytes) => Err(Error::TooLarge { topic: self.topic.clone(), bytes, max_bytes }),
            None => Ok(()),
        }
    }

    fn send_all(
        &self,
        client: &ThreadedProducer<Deliveries>,
        entries: &[Append<'_>],
        deadline: Instant,
    ) -> Result<Vec<Offset>, Error> {
        let (outcomes, arrived) = sync_channel(entries.len());
        let mut inbox = Inbox { arrived, offsets: vec![Offset(0); entries.len()], waiting: 0, failure: None };
        for (index, entry) in entries.iter().enumerate() {
            let ticket = Box::new(Ticket { index, outcomes: outcomes.clone() });
            let mut record: BaseRecord<'_, [u8], [u8], _> =
                BaseRecord::with_opaque_to(&self.topic, ticket).payload(entry.payload);
            match entry.key {
                Some(key) => record = record.key(key),
                None if self.partitions == 1 => {}
                None => record = record.partition(0),
            }
            while let Err((error, refused)) = client.send(record) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) || inbox.waiting == 0 {
                    return Err(failed(&self.options, &self.topic, "append", error));
                }
                // Room comes with the next outcome.
                self.receive(&mut inbox, deadline)?;
                record = refused;
            }
            inbox.waiting += 1;
        }
        while inbox.waiting > 0 {
            self.receive(&mut inbox, deadline)?;
        }
        match inbox.failure {
            None => Ok(inbox.offsets),
            Some(error) => {
                // Where the queue was purged, the cause is what ended the client.
                let purged = error.rdkafka_error_code() == Some(RDKafkaErrorCode::PurgeQueue);
                let ended = client.client().fatal_error().filter(|_| purged);
                let cause = ended.map(|(code, _)| KafkaError::MessageProduction(code));
                Err(failed(&self.options, &self.topic, "append", cause.unwrap_or(error)))
            }
        }
    }

    fn receive(&self, inbox: &mut Inbox, deadline: Instant) -> Result<(), Error> {
        match inbox.arrived.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((index, Ok(offset))) => {
                if let Some(place) = inbox.offsets.get_mut(index) {
                    *place = Offset(unsigned(offset));
                }
            }
            Ok((_, Err(error))) => inbox.failure = inbox.failure.take().or(Some(error)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return Err(late(&self.options, &format!("append of {}", self.topic)));
            }
        }
        inbox.waiting -= 1;
        Ok(())
    }
}

/// Outcomes of one append.
struct Inbox {
    arrived: Receiver<Outcome>,
    offsets: Vec<Offset>,
    waiting: usize,
    failure: Option<KafkaError>,
}

impl LogProducer for Producer {
    fn append(&mut self, entries: &[Append<'_>]) -> Result<Vec<Offset>, Error> {
        self.refuse_too_large(entries)?;
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let client = match self.client.take() {
            Some(client) => client,
            None => self.connect()?,
        };
        let done = self.send_all(&client, entries, Instant::now() + self.options.timeout);
        if done.is_ok() {
            self.client = Some(client);
        } else {
            client.purge(PurgeConfig::default().queue().inflight());
        }
        done
    }
}

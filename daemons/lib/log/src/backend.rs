//! Backend of the log, chosen once at start: everything after it goes through the traits.

use std::time::Duration;

use crate::{Entry, Error, GroupConsumer, LogConsumer, LogProducer, Place, PlacesConsumer, kafka, segment};

/// Kind of a log, and its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Files on this machine.
    Segment(segment::Options),
    /// A Kafka cluster.
    Kafka(kafka::Options),
}

/// Settings of a new topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicOptions {
    /// Number of partitions; a feed has exactly one.
    pub partitions: u32,
    /// Largest entry.
    pub entry_max_bytes: usize,
    /// Size at which a segment is closed. Retention deletes whole segments.
    pub segment_max_bytes: u64,
    /// Size of a partition above which its oldest segments are deleted; `None` keeps everything.
    pub retention_max_bytes: Option<u64>,
    /// Age of their newest entry at which segments are deleted; `None` keeps everything.
    pub retention_max_age: Option<Duration>,
    /// Kafka: copies of each partition; `None` leaves it to the broker. The segment log has one.
    pub replicas: Option<u16>,
    /// Kafka: copies that must have an entry before it is acknowledged; `None` leaves it to the broker.
    pub in_sync_min: Option<u16>,
}

impl Default for TopicOptions {
    fn default() -> Self {
        Self {
            partitions: 1,
            entry_max_bytes: 1_000_000,
            segment_max_bytes: 64 << 20,
            retention_max_bytes: None,
            retention_max_age: None,
            replicas: None,
            in_sync_min: None,
        }
    }
}

/// Needs of a daemon, to be checked against the live settings of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicNeeds {
    /// Exact number of partitions, if given.
    pub partitions: Option<u32>,
    /// Size of entries that must be accepted.
    pub entry_bytes: usize,
    /// Time that entries must be kept at least: the snapshot interval and a margin.
    pub retention_min_age: Duration,
    /// Bytes of a partition that a retention by size must keep at least; 0 = do not judge it,
    /// [`Self::NEVER_BY_SIZE`] = there may be none.
    pub retention_min_bytes: u64,
}

impl TopicNeeds {
    /// For `retention_min_bytes`: of a topic whose entries are work to be done, none may go before its time.
    pub const NEVER_BY_SIZE: u64 = u64::MAX;

    /// Minimum age of a feed's entries. Kept shorter, replicas restored from last night's snapshot would find a gap.
    const FEED_MIN_AGE: Duration = Duration::from_secs(24 * 60 * 60);

    /// Words for the bytes that must be kept.
    pub(crate) fn wanted_bytes(&self) -> String {
        match self.retention_min_bytes {
            Self::NEVER_BY_SIZE => "no such bound may be set: what nobody has read would be lost".to_owned(),
            bytes => format!("{bytes} are needed"),
        }
    }

    /// Needs of a feed, whether it is written or read: one order, and room for its longest entry.
    #[must_use]
    pub const fn of_feed(entry_bytes: usize) -> Self {
        Self {
            partitions: Some(1),
            entry_bytes,
            retention_min_age: Self::FEED_MIN_AGE,
            retention_min_bytes: 0,
        }
    }
}

impl Backend {
    /// Opens `topic` for appending.
    ///
    /// # Errors
    /// [`Error::NoTopic`], or when the log cannot be reached.
    pub fn producer(&self, topic: &str) -> Result<Box<dyn LogProducer>, Error> {
        Ok(match self {
            Self::Segment(options) => Box::new(segment::Producer::open(options, topic)?),
            Self::Kafka(options) => Box::new(kafka::Producer::open(options, topic)?),
        })
    }

    /// Opens one partition for reading, positioned at the earliest entry.
    ///
    /// # Errors
    /// [`Error::NoTopic`], or when the log cannot be reached.
    pub fn consumer(&self, topic: &str, partition: u32) -> Result<Box<dyn LogConsumer>, Error> {
        Ok(match self {
            Self::Segment(options) => Box::new(segment::Consumer::open(options, topic, partition)?),
            Self::Kafka(options) => Box::new(kafka::Consumer::open(options, topic, partition)?),
        })
    }

    /// Opens several partitions for reading, each where its place says. Those of one topic stand together.
    ///
    /// # Errors
    /// [`Error::NoTopic`], a place that is not in its log, or when the log cannot be reached.
    pub fn places(&self, places: &[Place]) -> Result<Box<dyn PlacesConsumer>, Error> {
        Ok(match self {
            Self::Segment(options) => Box::new(segment::Turns::open(options, places)?),
            Self::Kafka(options) => Box::new(kafka::Places::open(options, places)?),
        })
    }

    /// Joins `group` on `topic`. A group without a committed position begins at the earliest entry.
    ///
    /// # Errors
    /// [`Error::NoTopic`], or when the log cannot be reached.
    pub fn group(&self, topic: &str, group: &str) -> Result<Box<dyn GroupConsumer>, Error> {
        Ok(match self {
            Self::Segment(options) => Box::new(segment::Group::open(options, topic, group)?),
            Self::Kafka(options) => Box::new(kafka::Group::open(options, topic, group)?),
        })
    }

    /// The oldest entry that `group` has not committed, of each partition that has one; all entries of a group that
    /// does not exist. Does not join the group. `(partition, entry)`.
    ///
    /// # Errors
    /// [`Error::NoTopic`], or when the log cannot be reached.
    pub fn unconsumed(&self, topic: &str, group: &str) -> Result<Vec<(u32, Entry)>, Error> {
        match self {
            Self::Segment(options) => segment::unconsumed(options, topic, group),
            Self::Kafka(options) => kafka::unconsumed(options, topic, group),
        }
    }

    /// Creates `topic`; false if it already exists, whose settings then stay as they are.
    ///
    /// # Errors
    /// When the log cannot be reached or refuses the options.
    pub fn create(&self, topic: &str, with: &TopicOptions) -> Result<bool, Error> {
        match self {
            Self::Segment(options) => segment::create(options, topic, with),
            Self::Kafka(options) => kafka::create(options, topic, with),
        }
    }

    /// Has `topic` keep entries for `age` at most; false if it keeps none longer.
    ///
    /// # Errors
    /// [`Error::NoTopic`], or when the log cannot be reached or refuses.
    pub fn shorten(&self, topic: &str, age: Duration) -> Result<bool, Error> {
        match self {
            Self::Segment(options) => segment::shorten(options, topic, age),
            Self::Kafka(options) => kafka::shorten(options, topic, age),
        }
    }

    /// Number of partitions of `topic`.
    ///
    /// # Errors
    /// [`Error::NoTopic`], or when the log cannot be reached.
    pub fn partitions(&self, topic: &str) -> Result<u32, Error> {
        match self {
            Self::Segment(options) => segment::partitions(options, topic),
            Self::Kafka(options) => kafka::partitions(options, topic),
        }
    }

    /// Live settings of `topic` that would lose data, one sentence each. Empty = fit.
    ///
    /// # Errors
    /// [`Error::NoTopic`], or when the log cannot be reached.
    pub fn check(&self, topic: &str, needs: &TopicNeeds) -> Result<Vec<String>, Error> {
        match self {
            Self::Segment(options) => segment::check(options, topic, needs),
            Self::Kafka(options) => kafka::check(options, topic, needs),
        }
    }
}

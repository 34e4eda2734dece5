//! Log of ordered, durable entries of bytes, whose meaning is none of its business.
//!
//! Two backends behind two traits, held to one conformance suite: Kafka ([`kafka`]) for many machines and the
//! segment log ([`segment`]) for one. Both traits are synchronous with explicit deadlines: every user runs its log
//! on a thread of its own, where an abandoned future cannot lose an entry.

mod backend;
pub mod kafka;
mod reopening;
pub mod segment;
mod watch;

use std::time::Duration;

pub use backend::{Backend, TopicNeeds, TopicOptions};
pub use reopening::Reopening;
pub use segment::partition_of;
pub use watch::Watch;

/// Position of an entry in its topic partition. Grows; gaps are allowed (Kafka has them).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Offset(pub u64);

/// One entry as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Place in the partition.
    pub offset: Offset,
    /// The partitioning key, where the topic has one.
    pub key: Option<Vec<u8>>,
    /// The bytes that were appended.
    pub payload: Vec<u8>,
}

/// Place in a log: the entry from which on a partition is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the topic.
    pub topic: String,
    /// Number of the partition.
    pub partition: u32,
    /// Offset of the entry, which may come yet.
    pub next: Offset,
}

/// One entry to append.
#[derive(Clone, Copy, Debug)]
pub struct Append<'a> {
    /// Key that chooses the partition where the topic has several.
    pub key: Option<&'a [u8]>,
    /// The bytes.
    pub payload: &'a [u8],
}

/// Position to read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The oldest retained entry.
    Earliest,
    /// Position after the newest entry.
    End,
    /// The entry at this offset, or the first one after it that exists; [`Error::RetentionGap`] if it has been deleted.
    At(Offset),
}

/// Failure of a log, with the cure.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "fields are named in the texts")]
pub enum Error {
    /// The wanted entry was deleted by retention.
    #[error(
        "offset {wanted} of {topic} is gone, the oldest retained is {earliest}; restore a newer snapshot or raise the retention"
    )]
    RetentionGap { topic: String, wanted: u64, earliest: u64 },
    /// The position lies beyond the end: the log was cut.
    #[error("offset {wanted} of {topic} lies beyond its end {end}: the log was cut")]
    BeyondEnd {
        topic: String,
        wanted: u64,
        /// Offset after the newest entry.
        end: u64,
    },
    /// The log was cut since the last append; nothing was appended.
    #[error("{topic} was cut, it ends at {end} now: read its tail before going on")]
    Cut {
        topic: String,
        /// Offset after the newest entry.
        end: u64,
    },
    /// Bytes on disk are not what was written.
    #[error("{place} is corrupt: {what}; {cure}")]
    Corrupt { place: String, what: String, cure: String },
    /// The disk is full; nothing of the append is visible and a later append may succeed.
    #[error("no space left in {place}; free some, then appends go on")]
    Full { place: String },
    /// The topic does not exist; of a segment log, its directory.
    #[error("topic {topic} does not exist; create it with `maidenlane log init`")]
    NoTopic { topic: String },
    /// No answer in time. Retry; for an append the outcome is unknown.
    #[error("{what} did not finish within {waited_ms} ms")]
    Timeout { what: String, waited_ms: u64 },
    /// An entry is larger than its topic allows; nothing was appended.
    #[error(
        "an entry of {bytes} bytes is larger than the {max_bytes} that {topic} allows; split it into parts"
    )]
    TooLarge { topic: String, bytes: usize, max_bytes: usize },
    /// The request makes no sense, such as an impossible topic name.
    #[error("{what}")]
    Refused { what: String },
    /// Operating system error.
    #[error("{what}")]
    Io {
        what: String,
        #[source]
        source: std::io::Error,
    },
    /// Brokers refuse the client, or one of its requests.
    #[error("kafka: {what}; {cure}")]
    Forbidden { what: String, cure: &'static str },
    /// Kafka client error.
    #[error("kafka: {what}")]
    Kafka {
        what: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// True if waiting may help where the log was never reached: brokers and topics may come later, a disk that is full or
    /// fails may take writes again.
    #[must_use]
    pub fn may_come(&self) -> bool {
        match self {
            Self::Kafka { .. } | Self::NoTopic { .. } | Self::Timeout { .. } | Self::Full { .. } => true,
            Self::Io { source, .. } => !is_misplaced(source.kind()),
            _ => false,
        }
    }
}

/// True for a file or directory that is not there, not ours or of another kind, which takes a person: waiting does not
/// mend it, as it may a disk that is full or fails.
#[must_use]
pub const fn is_misplaced(error: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{
        AlreadyExists, IsADirectory, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem,
    };
    matches!(
        error,
        AlreadyExists | IsADirectory | NotADirectory | NotFound | PermissionDenied | ReadOnlyFilesystem
    )
}

/// Producer of one topic.
pub trait LogProducer: Send {
    /// Appends all entries in order and returns their offsets once they are *durable* (fdatasync, or acks=all).
    ///
    /// # Errors
    /// On [`Error::Timeout`] the outcome is unknown: read the tail before going on. On [`Error::Cut`] too.
    fn append(&mut self, entries: &[Append<'_>]) -> Result<Vec<Offset>, Error>;
}

/// Consumer of one partition of one topic. Not a member of any group: the reader keeps its own position.
pub trait LogConsumer: Send {
    /// Moves to `from`; the next [`LogConsumer::read`] starts there.
    ///
    /// # Errors
    /// [`Error::RetentionGap`] or [`Error::BeyondEnd`] (`At(end)` itself is allowed).
    fn seek(&mut self, from: From) -> Result<(), Error>;

    /// Waits up to `wait` for at least one entry, then returns what is there, at most `max_bytes` of payload (but
    /// always at least one entry if any is there). Empty after `wait` without news.
    ///
    /// # Errors
    /// [`Error::Corrupt`] and the like; the position stays where it was.
    fn read(&mut self, max_bytes: usize, wait: Duration) -> Result<Vec<Entry>, Error>;

    /// Offset of the oldest retained entry, or the end if there is none.
    ///
    /// # Errors
    /// When the log cannot be reached.
    fn earliest(&mut self) -> Result<Offset, Error>;

    /// Offset after the newest durable entry.
    ///
    /// # Errors
    /// When the log cannot be reached.
    fn end(&mut self) -> Result<Offset, Error>;
}

/// Consumer of several partitions at once, of one topic or of several. In no group: the reader keeps its own places.
pub trait PlacesConsumer: Send {
    /// Reads as [`LogConsumer::read`], from any of the partitions, whose entries come in their order; each with the index
    /// of its place among those that were named.
    ///
    /// # Errors
    /// As [`LogConsumer::seek`] and [`LogConsumer::read`]. The reader opens its places anew then.
    fn read(&mut self, max_bytes: usize, wait: Duration) -> Result<Vec<(usize, Entry)>, Error>;
}

/// Share of a group's partitions that a member holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Number that changes with the share, also where the same partitions come back: meanwhile another member may have
    /// had them.
    pub turn: u64,
    /// The partitions, ascending.
    pub partitions: Vec<u32>,
}

/// A member of a consumer group on one topic. Committed positions survive; a dead member's share is taken over.
pub trait GroupConsumer: Send {
    /// Waits for entries and returns them as [`LogConsumer::read`], from the committed position of the partitions this
    /// member holds. Empty while it holds none. `(partition, entry)`.
    ///
    /// # Errors
    /// As [`LogConsumer::read`]. [`Error::RetentionGap`] is told once for each partition: its committed position then is
    /// that of the oldest retained entry, with which a member that joins anew goes on. What is gone cannot be read later
    /// either, and whoever ends over it must not end at each start.
    fn read(&mut self, max_bytes: usize, wait: Duration) -> Result<Vec<(u32, Entry)>, Error>;

    /// The member's share as of its last [`GroupConsumer::read`]; empty while it holds nothing.
    ///
    /// # Errors
    /// When the log's client has failed.
    fn share(&mut self) -> Result<Share, Error>;

    /// Durably commits: everything up to and including `offset` of `partition` is done.
    ///
    /// # Errors
    /// [`Error::Refused`] or [`Error::Kafka`] when the member has lost the partition, which another then has.
    fn commit(&mut self, partition: u32, offset: Offset) -> Result<(), Error>;
}

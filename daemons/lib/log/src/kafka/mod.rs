//! placeholder module doc
use std::time::Duration;

use crate::{
    Append, Entry, Error, From, GroupConsumer, LogConsumer, LogProducer, Offset, TopicNeeds, TopicOptions,
};

/// How to reach a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `host:port`, any of them suffices to find the others.
    pub brokers: Vec<String>,
    /// Name in the brokers' logs and quotas.
    pub client_id: String,
    /// How long one request, such as an append, may take.
    pub timeout: Duration,
    /// How long a silent group member keeps its partitions (brokers allow no less than 6 s by default).
    pub session_timeout: Duration,
    /// Further librdkafka settings, such as those of TLS and SASL. Those that guard data cannot be overridden.
    pub properties: Vec<(String, String)>,
}

impl Options {
    /// The cluster at `brokers`, everything else by default.
    #[must_use]
    pub fn new(brokers: Vec<String>) -> Self {
        Self {
            brokers,
            client_id: "maidenlane".to_owned(),
            timeout: Duration::from_secs(30),
            session_timeout: Duration::from_secs(6),
            properties: Vec::new(),
        }
    }
}

/// Appends to one topic.
#[derive(Debug)]
pub struct Producer(());
impl Producer {
    /// Opens `topic`.
    ///
    /// # Errors
    /// [`Error::NoTopic`].
    pub fn open(_options: &Options, topic: &str) -> Result<Self, Error> {
        Err(Error::Refused { what: format!("the kafka log cannot open {topic} yet") })
    }
}
impl LogProducer for Producer {
    fn append(&mut self, _entries: &[Append<'_>]) -> Result<Vec<Offset>, Error> {
        Ok(Vec::new())
    }
}
/// Reads one partition.
#[derive(Debug)]
pub struct Consumer(());
impl Consumer {
    /// Opens `topic`.
    ///
    /// # Errors
    /// [`Error::NoTopic`].
    pub fn open(_options: &Options, topic: &str, _partition: u32) -> Result<Self, Error> {
        Err(Error::Refused { what: format!("the kafka log cannot open {topic} yet") })
    }
}
impl LogConsumer for Consumer {
    fn seek(&mut self, _from: From) -> Result<(), Error> {
        Ok(())
    }
    fn read(&mut self, _max_bytes: usize, _wait: Duration) -> Result<Vec<Entry>, Error> {
        Ok(Vec::new())
    }
    fn earliest(&mut self) -> Result<Offset, Error> {
        Ok(Offset(0))
    }
    fn end(&mut self) -> Result<Offset, Error> {
        Ok(Offset(0))
    }
}
/// Member of a group.
#[derive(Debug)]
pub struct Group(());
impl Group {
    /// Joins.
    ///
    /// # Errors
    /// [`Error::NoTopic`].
    pub fn open(_options: &Options, topic: &str, _group: &str) -> Result<Self, Error> {
        Err(Error::Refused { what: format!("the kafka log cannot open {topic} yet") })
    }
}
impl GroupConsumer for Group {
    fn read(&mut self, _max_bytes: usize, _wait: Duration) -> Result<Vec<(u32, Entry)>, Error> {
        Ok(Vec::new())
    }
    fn commit(&mut self, _partition: u32, _offset: Offset) -> Result<(), Error> {
        Ok(())
    }
}
/// Creates `topic`.
///
/// # Errors
/// When refused.
pub fn create(_options: &Options, topic: &str, _with: &TopicOptions) -> Result<bool, Error> {
    Err(Error::Refused { what: format!("the kafka log cannot open {topic} yet") })
}
/// Checks `topic`.
///
/// # Errors
/// [`Error::NoTopic`].
pub fn check(_options: &Options, topic: &str, _needs: &TopicNeeds) -> Result<Vec<String>, Error> {
    Err(Error::Refused { what: format!("the kafka log cannot open {topic} yet") })
}

//! Kafka backend, for feeds that leave the machine. The only place that knows librdkafka.
//!
//! Its durability is replication, not fsync: `check` names every setting of a topic that would lose what was
//! acknowledged. Everything is synchronous; librdkafka keeps threads of its own.

mod admin;
mod complaint;
mod consumer;
mod ends;
mod gather;
mod group;
mod places;
mod producer;
mod security;
mod unconsumed;

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

pub use admin::{check, create, delete, partitions, shorten};
pub use consumer::Consumer;
pub use group::Group;
pub use places::Places;
pub use producer::Producer;
pub use security::{Identity, Login, Mechanism, Security, Tls};
pub use unconsumed::unconsumed;

use crate::Error;
use complaint::{Complaint, Complaints};

/// Address of a cluster, and options of its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Addresses of brokers, `host:port`; any of them suffices to find the others.
    pub brokers: Vec<String>,
    /// Name in the brokers' logs and quotas.
    pub client_id: String,
    /// Timeout of one request, such as an append.
    pub timeout: Duration,
    /// Time that a silent group member keeps its partitions (brokers allow no less than 6 s by default).
    pub session_timeout: Duration,
    /// Encryption and login.
    pub security: Security,
    /// Reason for which brokers are out of reach.
    complaints: Complaints,
}

impl Options {
    /// The cluster at `brokers`, everything else by default.
    #[must_use]
    pub fn new(brokers: Vec<String>) -> Self {
        Self {
            brokers,
            client_id: "maidenlane".to_owned(),
            // Well within the watchdog's time of every unit.
            timeout: Duration::from_secs(10),
            session_timeout: Duration::from_secs(6),
            security: Security::default(),
            complaints: Complaints::default(),
        }
    }

    /// The same with encryption and login.
    #[must_use]
    pub fn secured(self, security: Security) -> Self {
        Self { security, ..self }
    }

    /// Settings of all clients, and those in `with`.
    fn client(&self, with: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        self.security.apply(&mut config);
        config.set("bootstrap.servers", self.brokers.join(","));
        config.set("client.id", &self.client_id);
        // A topic that springs into being with a broker's defaults has none of the settings that guard data.
        config.set("allow.auto.create.topics", "false");
        // The defaults wait up to 10 s after a broker's restart.
        config.set("reconnect.backoff.ms", "20");
        config.set("reconnect.backoff.max.ms", "500");
        config.set("retry.backoff.ms", "20");
        // What a broker answered while it stopped or started is cached so long; the default is 5 minutes, in which
        // a topic counts as unknown and nobody gives a sign of life.
        config.set("topic.metadata.refresh.interval.ms", "2000");
        // A broker that is stopped keeps its connections and takes new ones. Half of our own wait is for noticing that,
        // half for its successor; the default is a minute.
        let notice_ms = (self.timeout_ms() / 2).max(10).to_string();
        config.set("socket.timeout.ms", &notice_ms);
        config.set("api.version.request.timeout.ms", &notice_ms);
        config.set("socket.connection.setup.timeout.ms", (self.timeout_ms() / 2).max(1_000).to_string());
        config.set("log.connection.close", "false");
        // A record is sent at once, not when the broker has acknowledged the packet before it.
        config.set("socket.nagle.disable", "true");
        for (name, value) in with {
            config.set(*name, *value);
        }
        config
    }

    fn timeout_ms(&self) -> u64 {
        u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Error of the operation `what`.
fn failed(options: &Options, topic: &str, what: &str, error: KafkaError) -> Error {
    use RDKafkaErrorCode as Code;
    let brokers = options.brokers.join(",");
    let code = match &error {
        KafkaError::AdminOp(code) => Some(*code),
        _ => error.rdkafka_error_code(),
    };
    match code {
        // Not `UnknownPartition`: that is our own client, whose metadata lack it while a broker stops or starts.
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition) => {
            Error::NoTopic { topic: topic.to_owned() }
        }
        Some(
            code @ (Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed),
        ) => {
            let who =
                options.security.login.as_ref().map_or("this client".to_owned(), |login| login.user.clone());
            let what = format!("{brokers} grants {who} no {what} of {topic}: {code}");
            Error::Forbidden { what, cure: "give it the rights that `maidenlane log init --acls` prints" }
        }
        Some(Code::MessageTimedOut | Code::OperationTimedOut | Code::RequestTimedOut) => {
            late(options, &format!("{what} of {topic}"))
        }
        _ => {
            let reason = match options.complaints.take() {
                Some(Complaint { reason, refused: true }) => return unwelcome(&brokers, &reason),
                Some(Complaint { reason, .. }) => format!(": {reason}"),
                None => String::new(),
            };
            let what = format!("{what} of {topic} at {brokers} failed{reason}");
            Error::Kafka { what, source: Box::new(error) }
        }
    }
}

/// Error of an operation without an answer in time.
fn late(options: &Options, what: &str) -> Error {
    let brokers = options.brokers.join(",");
    let what = match options.complaints.take() {
        Some(Complaint { reason, refused: true }) => return unwelcome(&brokers, &reason),
        Some(Complaint { reason, .. }) => format!("{what} at {brokers} ({reason})"),
        None => format!("{what} at {brokers}"),
    };
    Error::Timeout { what, waited_ms: options.timeout_ms() }
}

fn unwelcome(brokers: &str, reason: &str) -> Error {
    let what = format!("{brokers} takes no connection: {reason}");
    Error::Forbidden { what, cure: "check `tls` and `sasl` of the log in the settings" }
}

/// True for errors that librdkafka mends by itself: brokers that are down, moving, or restarting.
fn is_transient(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        return false;
    }
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::WaitingForCoordinator
                | Code::CoordinatorLoadInProgress
                | Code::CoordinatorNotAvailable
                | Code::NotCoordinator
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::BrokerNotAvailable
                | Code::ReplicaNotAvailable
                | Code::NetworkException
                | Code::RebalanceInProgress
                | Code::UnknownMemberId
                | Code::IllegalGeneration
                | Code::PollExceeded
        )
    )
}

/// Partition or offset as Kafka counts them, with a sign.
fn signed(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

fn unsigned(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::time::Duration;

    use super::{Consumer, Options};

    #[test]
    fn a_broker_that_is_not_there_is_named() {
        let here = Options::new(vec!["127.0.0.1:1".to_owned()]);
        let error =
            Consumer::open(&Options { timeout: Duration::from_millis(100), ..here }, "x", 0).unwrap_err();
        let cause = error.source().map(ToString::to_string);
        assert!(error.to_string().contains("x at 127.0.0.1:1"), "{error}: {cause:?}");
    }
}

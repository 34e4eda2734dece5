//! The reason for which brokers are out of reach.
//!
//! librdkafka connects in the background and again and again. A request only learns that no broker answered; that a
//! certificate is not trusted or a password is wrong goes to the client's context.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Time for what has happened to reach the context.
const ARRIVES_WITHIN: Duration = Duration::from_millis(50);

/// The last complaint of any client of the same options.
#[derive(Clone, Debug, Default)]
pub(super) struct Complaints(Arc<Mutex<Option<Complaint>>>);

/// Options are the same whatever was said about them.
impl PartialEq for Complaints {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Complaints {}

/// A failed connection.
#[derive(Clone, Debug)]
pub(super) struct Complaint {
    /// Reason in librdkafka's words.
    pub(super) reason: String,
    /// True if it is about encryption or login: trying again is of no use.
    pub(super) refused: bool,
}

impl Complaints {
    /// The last complaint since the last call.
    pub(super) fn take(&self) -> Option<Complaint> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Has a client that nobody polls say what it has to complain of.
    pub(super) fn gather(&self, client: &BaseConsumer<Self>) {
        while let Some(Err(_)) = client.poll(ARRIVES_WITHIN) {}
    }

    fn note(&self, error: &KafkaError, reason: &str) {
        use RDKafkaErrorCode as Code;
        let refused = match error.rdkafka_error_code() {
            Some(Code::Authentication | Code::SSL | Code::SaslAuthenticationFailed) => true,
            // A broker that wants a certificate says so after the handshake, by an alert.
            Some(Code::BrokerTransportFailure) => reason.contains("SSL alert"),
            Some(Code::Resolve) => false,
            // All else goes to the request that it is about, and that all are down follows from what was wrong with each.
            _ => return,
        };
        let complaint = Complaint { reason: reason.to_owned(), refused };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_none_or(|last| !last.refused || refused) {
            *last = Some(complaint);
        }
    }
}

/// The refusal that a group's client was told apart from its request, which only ran out of time; else `error`.
pub(super) fn refusal<C: ConsumerContext>(client: &BaseConsumer<C>, error: KafkaError) -> KafkaError {
    while let Some(Err(told)) = client.poll(ARRIVES_WITHIN) {
        if told.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed) {
            return told;
        }
    }
    error
}

impl ClientContext for Complaints {
    fn error(&self, error: KafkaError, reason: &str) {
        self.note(&error, reason);
        // Of a group that is never joined nobody wants to hear.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::GroupAuthorizationFailed) {
            DefaultClientContext.error(error, reason);
        }
    }
}

impl ConsumerContext for Complaints {}

//! Errors of clients: the operation, its endpoint, and the failure behind it.

use super::endpoint::Endpoint;
use super::options::Options;
use crate::error::Error;
use crate::ipc::ValueError;
use crate::json::Json;
use crate::tls::TlsError;
use jsonrpsee_core::http_helpers::HttpError;
use jsonrpsee_http_client::transport::Error as HttpTransportError;
use std::time::Duration;
use tokio_rustls::rustls;

type Rpsee = jsonrpsee_core::client::Error;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Error of one call or connection.
#[derive(Debug, thiserror::Error)]
#[error("{verb} {subject} at {endpoint}")]
pub struct ClientError {
    verb: &'static str,
    subject: String,
    /// Server of the request.
    pub endpoint: Endpoint,
    /// Failure, with its cause and cure.
    #[source]
    pub failure: Failure,
}

/// Failure behind a [`ClientError`].
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Certificates of ours that cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Connection that was not made.
    #[error(
        "no connection: see that the server runs and listens there, and that tokens and certificates fit"
    )]
    Connect(#[source] BoxError),
    /// Error object in a JSON-RPC answer.
    #[error(transparent)]
    Rpc(#[from] Error),
    /// HTTP status other than success, without an error object.
    #[error("HTTP status {0}: see address and token, and what stands between")]
    Status(u16),
    /// Deadline passed.
    #[error("no answer within {0:?}: try later, ask another server or allow more time")]
    Timeout(Duration),
    /// Request beyond our bound.
    #[error("the request is larger than {bytes_max} bytes: ask for less at once")]
    #[expect(missing_docs, reason = "the text says it")]
    RequestTooLarge { bytes_max: u32 },
    /// Answer beyond our bound.
    #[error("the answer is larger than {bytes_max} bytes: ask for less at once, or allow more")]
    #[expect(missing_docs, reason = "the text says it")]
    AnswerTooLarge { bytes_max: u32 },
    /// Connection that has ended.
    #[error("the connection is lost: connect again")]
    Disconnected(#[source] BoxError),
    /// Parameters that are no JSON, or an answer that is not what was asked for.
    #[error("the other side is not understood: see that it is a JSON-RPC server of a version that fits")]
    Unreadable(#[source] BoxError),
    /// Answer that is no JSON, such as a web page: its content type and beginning.
    #[error("no JSON came, but {0}: see that the address is that of a JSON-RPC server")]
    NoJson(String),
    /// Subscription asked for over HTTP.
    #[error("HTTP carries no subscriptions: use the WebSocket or IPC address")]
    NoSubscriptions,
    /// Notifications that came faster than they were taken.
    #[error("more than {most} notifications wait: take them faster, and subscribe again")]
    #[expect(missing_docs, reason = "the text says it")]
    Lagged { most: usize },
    /// Subscription that the server ended.
    #[error("the server ended the subscription: subscribe again")]
    Ended,
}

impl Failure {
    /// True where the server showed a certificate that nobody here trusts: of another authority, out of date, or of another name.
    #[must_use]
    pub fn is_untrusted(&self) -> bool {
        let Self::Connect(cause) = self else { return false };
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&**cause);
        while let Some(error) = next {
            if matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))) {
                return true;
            }
            // An IO error passes over what it holds.
            let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            next = match held {
                Some(held) => Some(held),
                None => error.source(),
            };
        }
        false
    }
}

/// Answer that is no JSON, such as a web page: jsonrpsee would only say that it is malformed.
#[derive(Debug, thiserror::Error)]
#[error("{kind}, {begins}")]
pub(super) struct NoJson {
    pub(super) kind: String,
    pub(super) begins: String,
}

impl ClientError {
    pub(super) fn new(verb: &'static str, subject: &str, endpoint: &Endpoint, failure: Failure) -> Self {
        Self { verb, subject: subject.to_owned(), endpoint: endpoint.clone(), failure }
    }

    /// Error object of the answer, where there was one.
    #[must_use]
    pub fn rpc(&self) -> Option<&Error> {
        match &self.failure {
            Failure::Rpc(error) => Some(error),
            _ => None,
        }
    }
}

/// Error object in this crate's form.
pub(super) fn rpc_error(object: &jsonrpsee_types::ErrorObject<'_>) -> Error {
    Error {
        code: object.code(),
        message: object.message().to_owned().into(),
        data: object.data().map(|data| Json::Owned(data.get().to_owned())),
    }
}

/// Sorts jsonrpsee's errors, which hide what happened behind boxes.
pub(super) fn failure(error: Rpsee, options: &Options) -> Failure {
    match error {
        Rpsee::Call(object) => Failure::Rpc(rpc_error(&object)),
        Rpsee::RequestTimeout => Failure::Timeout(options.request_timeout),
        Rpsee::RestartNeeded(cause) if is_too_large(&cause) => {
            Failure::AnswerTooLarge { bytes_max: options.answer_bytes_max }
        }
        Rpsee::RestartNeeded(cause) => Failure::Disconnected(cause.into()),
        Rpsee::Transport(cause) => match cause.downcast::<HttpTransportError>() {
            Ok(error) => http_failure(*error, options),
            Err(other) => Failure::Disconnected(other),
        },
        other => Failure::Unreadable(other.into()),
    }
}

fn http_failure(error: HttpTransportError, options: &Options) -> Failure {
    match error {
        HttpTransportError::Rejected { status_code } => Failure::Status(status_code),
        HttpTransportError::RequestTooLarge => {
            Failure::RequestTooLarge { bytes_max: options.request_bytes_max }
        }
        HttpTransportError::Http(HttpError::TooLarge) => {
            Failure::AnswerTooLarge { bytes_max: options.answer_bytes_max }
        }
        HttpTransportError::Http(HttpError::Stream(cause)) => {
            if let Some(page) = cause.downcast_ref::<NoJson>() {
                return Failure::NoJson(page.to_string());
            }
            if cause.is::<http_body_util::LengthLimitError>() {
                return Failure::AnswerTooLarge { bytes_max: options.answer_bytes_max };
            }
            match cause.downcast_ref::<hyper_util::client::legacy::Error>() {
                Some(error) if error.is_connect() => Failure::Connect(cause),
                _ => Failure::Disconnected(cause),
            }
        }
        other => Failure::Unreadable(other.into()),
    }
}

/// True when a WebSocket or IPC connection ended over an answer beyond our bound.
fn is_too_large(cause: &Rpsee) -> bool {
    let Rpsee::Transport(cause) = cause else { return false };
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&**cause);
    while let Some(error) = next {
        let framed = matches!(error.downcast_ref(), Some(ValueError::TooLarge(_)));
        let web = matches!(error.downcast_ref(), Some(soketto::connection::Error::MessageTooLarge { .. }));
        if framed || web {
            return true;
        }
        next = error.source();
    }
    false
}

//! JSON-RPC error object: code, message and data.

use crate::codes;
use crate::json::{Json, Object, push_str};
use std::borrow::Cow;

/// Error object that a client gets when a call fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct Error {
    /// Code from [`codes`].
    pub code: i32,
    /// Message, for people.
    pub message: Cow<'static, str>,
    /// Data, for programs.
    pub data: Option<Json>,
}

impl Error {
    /// Error without data.
    pub fn new(code: i32, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// Adds data.
    #[must_use]
    pub fn with_data(mut self, data: Json) -> Self {
        self.data = Some(data);
        self
    }

    /// Error with geth's code for everything without one of its own.
    pub fn server(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(codes::SERVER, message)
    }

    /// Error for malformed parameters.
    pub fn params(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(codes::INVALID_PARAMS, message)
    }

    /// Error for an internal fault; the cause belongs into the log, the client gets its text.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self::new(codes::INTERNAL, format!("internal error: {cause}"))
    }

    /// Error with geth's text for an unknown method.
    #[must_use]
    pub fn no_method(name: &str) -> Self {
        let name: String = name.chars().take(64).collect();
        Self::new(codes::METHOD_NOT_FOUND, format!("the method {name} does not exist/is not available"))
    }

    /// Error with geth's text for an unknown kind of subscription.
    #[must_use]
    pub fn no_subscription(namespace: &str, kind: &str) -> Self {
        let short = |text: &str| text.chars().take(64).collect::<String>();
        let text = format!("no {:?} subscription in {} namespace", short(kind), short(namespace));
        Self::new(codes::METHOD_NOT_FOUND, text)
    }

    /// Appends `{"code":…,"message":…,"data":…}`.
    pub fn write(&self, out: &mut String) {
        let mut object = Object::new(out);
        object.raw("code", &self.code.to_string());
        push_str(object.value("message"), &self.message);
        if let Some(data) = &self.data {
            object.raw("data", data.as_str());
        }
        object.end();
    }
}

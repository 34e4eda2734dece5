//! The one error of the harness: a sentence for a person, with what led to it.

use std::{error, fmt, io};

/// Why a step failed, outermost cause first.
#[derive(Debug)]
pub struct Failure(String);

/// Result of the harness's functions.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure with nothing behind it.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Self {
        Self(source.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(source: serde_json::Error) -> Self {
        Self(source.to_string())
    }
}

/// Says what was being done when something failed.
pub trait Doing<T> {
    /// Puts `what` in front of the cause.
    ///
    /// # Errors
    /// The same failure, better named.
    fn doing(self, what: impl FnOnce() -> String) -> Outcome<T>;
}

impl<T, E: fmt::Display> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Outcome<T> {
        self.map_err(|cause| Failure(format!("{}: {cause}", what())))
    }
}

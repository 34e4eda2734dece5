//! Batches: several calls in one request, and what of their answers can be read.

use maidenlane_jsonrpc::client::Client;
use maidenlane_service::with_causes;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};

/// Answer to one call: its result, or the error in words.
pub(super) type Answer = Result<Box<RawValue>, String>;

/// Call of a batch: its method and parameters.
pub(super) type Call = (&'static str, Box<RawValue>);

/// A call with these parameters.
pub(super) fn call(method: &'static str, params: &serde_json::Value) -> Call {
    (method, to_raw_value(params).unwrap_or_else(|_| RawValue::NULL.to_owned()))
}

/// Answers in the order of the calls.
///
/// # Errors
/// No answer at all, or none to a batch.
pub(super) async fn batch(client: &Client, calls: Vec<Call>) -> Result<Vec<Answer>, String> {
    let answers =
        Box::pin(client.batch::<Box<RawValue>>(calls)).await.map_err(|error| with_causes(&error))?;
    Ok(answers.into_iter().map(|answer| answer.map_err(|error| error.to_string())).collect())
}

/// Value of an answer.
///
/// # Errors
/// The error that was answered, or what is wrong with the value.
pub(super) fn parsed<T: DeserializeOwned>(answer: &Answer) -> Result<T, String> {
    let text = answer.as_ref().map_err(Clone::clone)?;
    serde_json::from_str(text.get()).map_err(|error| error.to_string())
}

/// Value of an answer; `None` where there is none, or it is something else.
pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Option<T> {
    parsed(answer).ok()
}

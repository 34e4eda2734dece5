//! One message of JSON-RPC, read as geth reads it.

use maidenlane_json::go;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Message<'a> {
    // Raw, so that a message with a method of the wrong type is still answered under its own id.
    #[serde(borrow, default)]
    jsonrpc: Option<&'a RawValue>,
    // Not an `Option`: it would turn an explicit null, which geth answers, into an absent id, which it does not.
    #[serde(borrow, default = "absent")]
    id: &'a RawValue,
    #[serde(borrow, default)]
    method: Option<&'a RawValue>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// Call as most clients write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Usual<'a> {
    #[serde(borrow)]
    jsonrpc: &'a RawValue,
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    method: &'a RawValue,
    #[serde(borrow)]
    params: &'a RawValue,
}

impl<'a> From<Usual<'a>> for Message<'a> {
    fn from(usual: Usual<'a>) -> Self {
        let Usual { jsonrpc, id, method, params } = usual;
        let some = |raw: &'a RawValue| Some(raw).filter(|raw| raw.get() != "null");
        Self {
            jsonrpc: some(jsonrpc),
            id,
            method: some(method),
            params: some(params),
            result: None,
            error: None,
        }
    }
}

/// A member that is there, null or not.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// Value for a missing id: an array is never a valid one.
fn absent<'a>() -> &'a RawValue {
    static ABSENT: std::sync::LazyLock<Option<Box<RawValue>>> =
        std::sync::LazyLock::new(|| RawValue::from_string("[]".to_owned()).ok());
    ABSENT.as_deref().unwrap_or(RawValue::NULL)
}

/// Text of a JSON string.
pub(crate) fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|text| text.0)
}

/// Message, as far as it decides what is done.
pub(crate) enum Parsed<'a> {
    Call {
        id: &'a RawValue,
        method: Cow<'a, str>,
        params: Option<&'a RawValue>,
    },
    /// Notification, or an answer: gets none.
    Silent,
    Invalid {
        id: Option<&'a RawValue>,
    },
}

/// Parses one message.
pub(crate) fn parse(text: &str) -> Parsed<'_> {
    // Members in another case, twice, or besides these: seldom, and read by another look at the message.
    let usual = serde_json::from_str::<Usual<'_>>(text).ok().map(Message::from);
    let Some(message) = usual.or_else(|| go::read(text).ok()) else { return Parsed::Invalid { id: None } };
    let missing = message.id.get() == "[]";
    let id = Some(message.id).filter(|id| !id.get().starts_with(['[', '{']));
    let versioned = message.jsonrpc.and_then(text_of).as_deref() == Some("2.0");
    let method = message.method.and_then(text_of).filter(|method| versioned && !method.is_empty());
    let answers = message.result.is_some() || message.error.is_some();
    let is_answer = versioned && answers && message.method.is_none() && message.params.is_none();
    match (method, id) {
        (Some(method), Some(id)) => Parsed::Call { id, method, params: message.params },
        (Some(_), None) if missing => Parsed::Silent,
        (None, Some(_)) if is_answer => Parsed::Silent,
        (_, id) => Parsed::Invalid { id },
    }
}

//! Trial of a builder: a request that does no harm, and what its answer tells.
//!
//! # Why a cancel
//! Every dialect has one, and nobody has an order under a name that was drawn at random: whatever a builder answers, it does nothing,
//! and it has looked at the signature and the method before.

use crate::config::Push;
use crate::post::{Post, Unusable};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Bytes of a builder's own words that are shown.
const SAID_MAX_BYTES: usize = 300;
/// Words of builders that do not know a method, in lower case.
const UNKNOWN: [&str; 4] =
    ["method not found", "unknown method", "not supported", "does not exist/is not available"];
/// Words of builders that do not let a key in.
const STRANGER: [&str; 6] =
    ["signature", "unauthorized", "not authorized", "forbidden", "unknown signer", "not allowed"];

/// Trial of one builder.
pub struct Trial(Post);

/// Result of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// True if it answers.
    pub reachable: bool,
    /// `understood`, `not understood` or `unknown`.
    pub dialect: &'static str,
    /// `accepted`, `refused`, `unknown`, or `none` where nothing is signed.
    pub key: &'static str,
    /// Words of the builder, or those for the fault.
    pub said: String,
    /// Time until the answer.
    pub took: Duration,
}

impl Trial {
    /// Trial of a builder with these settings.
    ///
    /// # Errors
    /// When its key or its credential cannot be used.
    pub fn new(name: &str, push: &Push) -> Result<Self, Unusable> {
        Post::new(name, push).map(Self)
    }

    /// Asks once.
    pub async fn run(self) -> Word {
        let begun = Instant::now();
        let name = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
        let answer = self.0.ask(self.0.cancel(name)).await;
        let word = match answer {
            Ok(page) => judged(page.status.as_u16(), &page.body, self.0.signs()),
            Err(fault) => {
                let said = fault.to_owned();
                Word { reachable: false, dialect: "unknown", key: "unknown", said, took: Duration::ZERO }
            }
        };
        Word { took: begun.elapsed(), ..word }
    }
}

/// Meaning of an answer. Pure.
fn judged(status: u16, body: &[u8], signs: bool) -> Word {
    let answer = serde_json::from_slice::<Value>(body).ok();
    let answer = answer.filter(|answer| answer.get("result").is_some() || answer.get("error").is_some());
    let error = answer.as_ref().and_then(|answer| answer.get("error")).filter(|error| !error.is_null());
    let text = error.and_then(|error| error.get("message").or(Some(error))?.as_str()).unwrap_or_default();
    let code = error.and_then(|error| error.get("code")?.as_i64());
    let lower = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let is_stranger = matches!(status, 401 | 403) || says(&STRANGER);
    let dialect = match &answer {
        Some(_) if code == Some(-32_601) || says(&UNKNOWN) => "not understood",
        Some(_) => "understood",
        None if is_stranger || matches!(status, 429 | 500..) => "unknown",
        None => "not understood",
    };
    let key = match (signs, is_stranger, dialect) {
        (_, true, _) => "refused",
        (false, ..) => "none",
        (true, false, "understood") => "accepted",
        _ => "unknown",
    };
    let said = match error {
        Some(_) => text.get(..text.floor_char_boundary(SAID_MAX_BYTES)).unwrap_or_default().to_owned(),
        None if answer.is_some() => "ok".to_owned(),
        None => format!("HTTP status {status} without JSON-RPC"),
    };
    Word { reachable: true, dialect, key, said, took: Duration::ZERO }
}

#[cfg(test)]
mod tests {
    use super::judged;

    #[test]
    fn answers_tell_what_is_wrong() {
        let check = |status: u16, body: &str, signs: bool, expect: (&str, &str)| {
            let word = judged(status, body.as_bytes(), signs);
            assert_eq!((word.dialect, word.key), expect, "{status} {body}");
        };
        check(200, r#"{"result":null}"#, true, ("understood", "accepted"));
        check(200, r#"{"result":200}"#, false, ("understood", "none"));
        let error =
            |code: i64, text: &str| serde_json::json!({"error": {"code": code, "message": text}}).to_string();
        check(400, &error(-32_000, "bundle not found"), true, ("understood", "accepted"));
        check(200, &error(-32_601, "no"), true, ("not understood", "unknown"));
        check(200, &error(-32_000, "Method not found"), false, ("not understood", "none"));
        check(403, &error(-32_600, "Invalid Flashbots signature"), true, ("understood", "refused"));
        check(401, "who are you", true, ("unknown", "refused"));
        check(401, "who are you", false, ("unknown", "refused"));
        check(404, "<html>", true, ("not understood", "unknown"));
        check(502, "<html>", true, ("unknown", "unknown"));
        let long = judged(200, error(-1, &"\u{e4}".repeat(400)).as_bytes(), true);
        assert_eq!(long.said.len(), 300);
    }
}

//! Connection to one node, and its three questions.

use crate::pending::Answer;
use crate::verdict::{self, Class};
use maidenlane_chain::{B256, Bytes};
use maidenlane_jsonrpc::client::{self, Failure, LinkError, Remote, Seen};
use maidenlane_service::with_causes;
use maidenlane_wire::outcome::{REASON_MAX_BYTES, short_reason};
use serde_json::Value;

/// Connection to one node.
#[derive(Debug)]
pub struct Link(client::Link);

impl Link {
    /// No connection yet: the first request makes it.
    #[must_use]
    pub fn new(node: Remote) -> Self {
        Self(client::Link::new(node))
    }

    /// Asks the node for its chain.
    ///
    /// # Errors
    /// When it does not answer, or not with a number.
    pub async fn chain_id(&self) -> Result<u64, LinkError> {
        let id: alloy::primitives::U64 = self.0.call("eth_chainId", Vec::<()>::new()).await?;
        Ok(id.to())
    }

    /// Sends a transaction.
    pub async fn send(&self, hash: B256, raw: &Bytes) -> (Answer, Seen) {
        let sent = self.0.call::<B256>("eth_sendRawTransaction", [raw]).await;
        let (class, reason) = match sent {
            Ok(answered) if answered == hash => (Class::Accepted, None),
            Ok(other) => (Class::Lied, Some(format!("it answered with the hash {other}"))),
            Err(error) => classed(&error),
        };
        let seen = match class {
            Class::Limited => Seen::Limit,
            class if class.is_fault() => Seen::Fault,
            _ => Seen::Answer,
        };
        (Answer::Verdict { class, reason }, seen)
    }

    /// Asks whether the node knows a transaction.
    pub async fn look(&self, hash: B256) -> (Answer, Seen) {
        let found = self.0.call::<Option<Value>>("eth_getTransactionByHash", [hash]);
        match found.await {
            Ok(None) => (Answer::Looked(false), Seen::Answer),
            Ok(Some(found)) if names(&found, hash) => (Answer::Looked(true), Seen::Answer),
            Ok(Some(_)) => (Answer::Busy, Seen::Fault),
            Err(error) => match classed(&error).0 {
                Class::Limited => (Answer::Busy, Seen::Limit),
                class if class.is_fault() => (Answer::Busy, Seen::Fault),
                _ => (Answer::Busy, Seen::Answer),
            },
        }
    }
}

fn names(found: &Value, hash: B256) -> bool {
    let named = found.get("hash").and_then(Value::as_str).map(str::parse::<B256>);
    named.is_some_and(|named| named.is_ok_and(|named| named == hash))
}

/// Class of a failure, with the node's words.
fn classed(error: &LinkError) -> (Class, Option<String>) {
    let LinkError::Client(failed) = error else { return (Class::Unanswered, Some(error.to_string())) };
    match &failed.failure {
        Failure::Rpc(error) => {
            let data =
                error.data.as_ref().and_then(|data| serde_json::from_str::<String>(data.as_str()).ok());
            let text = match data {
                Some(data) if !error.message.contains(&data) => format!("{}: {data}", error.message),
                _ => error.message.to_string(),
            };
            (verdict::of_error(error.code, &text), Some(words(&text)))
        }
        Failure::Status(status) => (verdict::of_status(*status), Some(format!("HTTP status {status}"))),
        other => (Class::Unanswered, Some(words(&with_causes(other)))),
    }
}

/// Digits of a hash, and of no transaction.
const DIGITS_MAX: usize = 64;

/// A node's words, as far as they are kept and logged: not more than an outcome has room for, and without the transaction
/// itself, which some nodes repeat.
fn words(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("0x").filter(|_| kept.len() < REASON_MAX_BYTES) {
        let digits = behind.bytes().take_while(u8::is_ascii_hexdigit).count();
        let (number, after) = behind.split_at(digits);
        kept.push_str(before);
        match digits > DIGITS_MAX {
            true => kept.push_str(&format!("({} bytes)", digits / 2)),
            false => {
                kept.push_str("0x");
                kept.push_str(number);
            }
        }
        rest = after;
    }
    kept.push_str(rest.get(..rest.floor_char_boundary(REASON_MAX_BYTES)).unwrap_or_default());
    short_reason(kept)
}

#[cfg(test)]
mod tests {
    use super::words;
    use maidenlane_wire::outcome::REASON_MAX_BYTES;

    #[test]
    fn a_nodes_words_are_kept_without_the_transaction_and_not_without_end() {
        let hash = format!("0x{}", "ab".repeat(32));
        let said = format!("strange thing about 0x02f8{} ({hash}), code 0x", "6d".repeat(300));
        assert_eq!(words(&said), format!("strange thing about (302 bytes) ({hash}), code 0x"));
        assert_eq!(
            words("nonce too low: next nonce 5, tx nonce 3"),
            "nonce too low: next nonce 5, tx nonce 3"
        );
        for part in ["ä", "0x1", "x", "0x"] {
            let long = words(&part.repeat(3 << 20));
            assert!(
                long.len() <= REASON_MAX_BYTES && long.len() > REASON_MAX_BYTES - 4,
                "{part}: {}",
                long.len()
            );
        }
    }
}

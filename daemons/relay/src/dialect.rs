//! Dialects of builders: orders to requests, and what an answer means. Pure.
//!
//! | dialect | takes beyond transactions, block, timestamps and reverting hashes | cancels by |
//! |---|---|---|
//! | Flashbots | nothing | `eth_cancelBundle` |
//! | BuilderNet | dropping hashes, refunds, a place at the end of the block, numbers of replacements | no transactions |
//! | Titan | dropping hashes, refunds | `eth_cancelBundle` |
//!
//! # Why an order that a dialect cannot say is not sent without it
//! A bundle without its dropping hashes is another bundle, and its sender loses money with it. That builder is told of in the
//! order's status, with the field.
//!
//! # Correctness
//! The same order for the same block has the same bytes, always: builders then know it when it comes again.

use crate::redacted::Redacted;
use maidenlane_chain::{B256, Bytes};
use maidenlane_jsonrpc::Json;
use maidenlane_jsonrpc::json::{Object, push_data, push_list, push_str};
use maidenlane_wire::outcome::REASON_MAX_BYTES;
use maidenlane_wire::{Bundle, BundleKind, BundleVersion};
use serde_json::Value;
use uuid::Uuid;

/// Words of servers that have no room at the moment, in lower case.
const BUSY: [&str; 6] =
    ["rate limit", "too many request", "limit exceeded", "queue is full", "try again", "timed out"];
/// Words of servers that have it already.
const KNOWN: [&str; 3] = ["already known", "already exists", "duplicate bundle"];

/// Id of every request, as its text has it.
pub(crate) const ID: &str = "\"id\":1";

/// Dialect of a builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The first relay's, which most understand.
    Flashbots,
    /// BuilderNet's.
    BuilderNet,
    /// Titan's.
    Titan,
}

/// Field of an order that a dialect has no words for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this builder's dialect has no {0}")]
pub struct Unsaid(pub(crate) &'static str);

/// Meaning of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The builder has it.
    Taken,
    /// The builder does not want it, for a reason in its own words.
    Refused(String),
    /// The builder has no room at the moment.
    Busy,
    /// No verdict: something is wrong with the builder, in words of ours.
    Fault(&'static str),
}

impl Dialect {
    /// Request that delivers an order for a block, under a name that all who replace it have.
    ///
    /// # Errors
    /// When the dialect cannot say what the order says.
    pub fn order(self, order: &Bundle, block: u64, name: Uuid) -> Result<Redacted<String>, Unsaid> {
        self.can_say(order)?;
        let params = Json::object(|object| {
            object.list("txs", &order.txs, |out, tx: &Bytes| push_data(out, tx));
            object.quantity("blockNumber", block);
            write_terms(object, order);
            push_str(object.value("replacementUuid"), &name.to_string());
            if self == Self::BuilderNet {
                push_str(
                    object.value("version"),
                    if order.version == BundleVersion::V1 { "v1" } else { "v2" },
                );
                if let Some(nonce) = order.nonce {
                    object.raw("replacementNonce", &nonce.to_string());
                }
            }
        });
        Ok(Redacted::new(request("eth_sendBundle", params.as_str())))
    }

    /// Request that takes back what has this name.
    #[must_use]
    pub fn cancel(self, name: Uuid) -> Redacted<String> {
        let params = Json::object(|object| {
            push_str(object.value("replacementUuid"), &name.to_string());
            if self == Self::BuilderNet {
                object.raw("txs", "[]");
            }
        });
        let method = if self == Self::BuilderNet { "eth_sendBundle" } else { "eth_cancelBundle" };
        Redacted::new(request(method, params.as_str()))
    }

    fn can_say(self, order: &Bundle) -> Result<(), Unsaid> {
        let is_first = self == Self::Flashbots;
        let unsaid = [
            ("droppingTxHashes", is_first && !order.dropping.is_empty()),
            ("refundPercent", is_first && order.refund.is_some()),
            ("desiredState", self != Self::BuilderNet && order.kind == BundleKind::EndOfBlock),
            ("refundIdentity", self != Self::BuilderNet && order.refund_identity.is_some()),
        ];
        match unsaid.into_iter().find(|(_, is_there)| *is_there) {
            Some((field, _)) => Err(Unsaid(field)),
            None => Ok(()),
        }
    }

    /// Meaning of an answer to an order of this hash, or to a cancel.
    #[must_use]
    pub fn verdict(self, status: u16, body: &[u8], hash: Option<B256>) -> Verdict {
        let answer = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object);
        let Some(answer) = answer else {
            return match status {
                429 => Verdict::Busy,
                401 | 403 => Verdict::Fault("it does not let us in"),
                200..300 => Verdict::Fault("its answer is no JSON"),
                _ => Verdict::Fault("HTTP status"),
            };
        };
        match (answer.get("error").filter(|error| !error.is_null()), answer.get("result")) {
            (Some(error), _) => of_error(error),
            (None, Some(result)) => self.of_result(result, hash),
            (None, None) if status == 429 => Verdict::Busy,
            (None, None) => Verdict::Fault("its answer is no JSON-RPC"),
        }
    }

    /// A hash of another bundle is no word that ours is there. BuilderNet has hashes of its own.
    fn of_result(self, result: &Value, hash: Option<B256>) -> Verdict {
        let told = result.get("bundleHash").and_then(Value::as_str).map(str::parse::<B256>);
        match (self, told, hash) {
            (Self::Flashbots | Self::Titan, Some(told), Some(hash)) if told != Ok(hash) => {
                Verdict::Fault("it answered with the hash of another bundle")
            }
            _ => Verdict::Taken,
        }
    }
}

fn of_error(error: &Value) -> Verdict {
    let text = error.get("message").and_then(Value::as_str).unwrap_or("no reason given");
    let (code, lower) = (error.get("code").and_then(Value::as_i64), text.to_lowercase());
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if says(&KNOWN) {
        return Verdict::Taken;
    }
    if says(&BUSY) || code == Some(-32_005) {
        return Verdict::Busy;
    }
    if code == Some(-32_603) {
        return Verdict::Fault("internal error");
    }
    Verdict::Refused(text.get(..text.floor_char_boundary(REASON_MAX_BYTES)).unwrap_or_default().to_owned())
}

fn request(method: &str, params: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",{ID},\"method\":\"{method}\",\"params\":[{params}]}}")
}

/// Writes the fields of an order that all who build write alike, but for transactions and block.
pub(crate) fn write_terms(object: &mut Object<'_>, order: &Bundle) {
    object.list("revertingTxHashes", &order.reverting, |out, hash| push_data(out, hash.as_slice()));
    if !order.dropping.is_empty() {
        object.list("droppingTxHashes", &order.dropping, |out, hash| push_data(out, hash.as_slice()));
    }
    for (name, time) in [("minTimestamp", order.min_timestamp), ("maxTimestamp", order.max_timestamp)] {
        if let Some(time) = time {
            object.raw(name, &time.to_string());
        }
    }
    if let Some(refund) = &order.refund {
        object.raw("refundPercent", &refund.percent.to_string());
        object.data("refundRecipient", refund.recipient.as_slice());
        object.list("refundTxHashes", [refund.tx], |out, hash| push_data(out, hash.as_slice()));
        object.raw("delayedRefund", if refund.delayed { "true" } else { "false" });
    }
    if let Some(identity) = &order.refund_identity {
        object.data("refundIdentity", identity.as_slice());
    }
    if order.kind == BundleKind::EndOfBlock {
        push_str(object.value("desiredState"), "BottomOfBlock");
        object.list("targetAddresses", &order.targets, |out, target| {
            push_data(out, target.address.as_slice());
        });
        object.list("targetSlots", &order.targets, |out, target| {
            push_list(out, &target.slots, |out, slot| push_data(out, slot.as_slice()));
        });
    }
}

#[cfg(test)]
mod tests;

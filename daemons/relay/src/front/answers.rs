//! Answers to orders, in the shapes that clients know, with what they leave out behind it.

use super::called;
use crate::book::{Applied, Known, Standing};
use crate::bundle::Checked;
use crate::dialect::write_terms;
use crate::failsafe;
use crate::orders::Stored;
use crate::simulator::summary::Summary;
use crate::told::{End, History, Word};
use maidenlane_chain::{B256, Bytes};
use maidenlane_jsonrpc::Json;
use maidenlane_jsonrpc::json::{Object, push_data, push_str};
use maidenlane_wire::ContentId;

/// Field of an answer to what is durable and does not count everywhere yet.
const NOT_APPLIED: &str = "\"applied\":false";

/// True unless an answer says that something does not count yet. Answers to orders hold hashes and words of ours alone.
pub(super) fn is_settled(answer: &Json) -> bool {
    !answer.as_str().contains(NOT_APPLIED)
}

/// Names of a bundle that is about to be taken.
pub(super) struct Taken {
    hash: B256,
    content: ContentId,
    at_ms: u64,
}

impl Taken {
    pub(super) fn of(checked: &Checked) -> Self {
        let (hash, content) = (*checked.hash.reveal(), checked.content);
        Self { hash, content, at_ms: checked.bundle.taken.at_ms }
    }

    /// Answer once it is durable: `applied` says whether its turn among others of its name has come.
    pub(super) fn answer(&self, stored: Stored) -> Json {
        Json::object(|object| {
            object.data("bundleHash", self.hash.as_slice());
            object.data("contentId", self.content.reveal().as_slice());
            object.raw("durable", "true");
            object.raw("applied", if stored == Stored::Pending { "false" } else { "true" });
            object.raw(
                "known",
                if matches!(stored, Stored::Applied(Applied::Known, _)) { "true" } else { "false" },
            );
            object.raw("receivedAtMs", &self.at_ms.to_string());
        })
    }
}

/// Answer to a cancel: the bundle that it ended, if one counted.
pub(super) fn cancelled(hash: Option<B256>, applied: bool) -> Json {
    Json::object(|object| {
        object.list("bundleHashes", hash, |out, hash| push_data(out, hash.as_slice()));
        object.raw("durable", "true");
        object.raw("applied", if applied { "true" } else { "false" });
    })
}

/// Knowledge of an order of the caller's. `next` is the number of the next block.
pub(super) fn status(
    out: &mut String,
    known: &Known,
    (history, simulated): (Option<&History>, Option<&Summary>),
    next: u64,
) {
    let end = history.and_then(|history| history.end);
    let standing = match (end, known.standing) {
        (Some(End::Landed(_)), _) => "landed",
        (_, Standing::Replaced) => "replaced",
        (_, Standing::Cancelled) => "cancelled",
        (Some(End::Missed(_)), _) => "missed",
        (Some(End::Expired), _) => "expired",
        (None, Standing::Counts) if known.blocks.1 < next => "past",
        (None, Standing::Counts) if known.blocks.0 > next => "early",
        (None, Standing::Counts) => "due",
    };
    let mut object = Object::new(out);
    object.data("contentId", known.content.reveal().as_slice());
    push_str(object.value("status"), standing);
    object.quantity("firstBlock", known.blocks.0);
    object.quantity("lastBlock", known.blocks.1);
    object.raw("receivedAtMs", &known.taken.at_ms.to_string());
    if let Some(End::Landed(block) | End::Missed(block)) = end {
        object.quantity("blockNumber", block.number);
        object.data("blockHash", block.hash.as_slice());
    }
    object.raw("final", if history.is_some_and(|history| history.is_final) { "true" } else { "false" });
    let words = history.map(|history| &history.words);
    object.list("builders", words.into_iter().flatten(), |out, (name, word)| {
        let mut object = Object::new(out);
        push_str(object.value("builder"), name);
        let at_ms = match word {
            Word::Sent { at_ms } => {
                push_str(object.value("status"), "sent");
                at_ms
            }
            Word::Refused { reason, at_ms } => {
                push_str(object.value("status"), "refused");
                push_str(object.value("reason"), reason);
                at_ms
            }
        };
        object.raw("atMs", &at_ms.to_string());
        object.end();
    });
    if let Some(simulated) = simulated {
        called::summary(object.value("simulation"), simulated);
    }
    object.end();
}

/// Builders that took an order, and when. The public is none.
pub(super) fn sent(history: Option<&History>) -> impl Iterator<Item = (&str, u64)> {
    let words = history.map(|history| &history.words);
    let words = words.into_iter().flatten().filter(|(name, _)| *name != failsafe::NAME);
    words.filter_map(|(name, word)| match word {
        Word::Sent { at_ms } => Some((name.as_str(), *at_ms)),
        Word::Refused { .. } => None,
    })
}

/// An order for a builder that pulls.
pub(super) fn pulled(out: &mut String, checked: &Checked) {
    let bundle = &checked.bundle;
    let mut object = Object::new(out);
    object.data("bundleHash", checked.hash.reveal().as_slice());
    object.list("txs", &bundle.txs, |out, tx: &Bytes| push_data(out, tx));
    object.data("signingAddress", bundle.signer.as_slice());
    write_terms(&mut object, bundle);
    object.end();
}

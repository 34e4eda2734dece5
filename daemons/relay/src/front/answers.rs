//! Answers to orders, in the shapes that clients know, with what they leave out behind it.

use crate::book::{Applied, Known, Standing};
use crate::bundle::Checked;
use crate::orders::Stored;
use maidenlane_chain::{B256, Bytes};
use maidenlane_jsonrpc::Json;
use maidenlane_jsonrpc::json::{push_data, push_str};
use maidenlane_wire::ContentId;

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
            object.raw("known", if stored == Stored::Applied(Applied::Known) { "true" } else { "false" });
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
pub(super) fn status(out: &mut String, known: &Known, next: u64) {
    let standing = match known.standing {
        Standing::Replaced => "replaced",
        Standing::Cancelled => "cancelled",
        Standing::Counts if known.blocks.1 < next => "past",
        Standing::Counts if known.blocks.0 > next => "early",
        Standing::Counts => "due",
    };
    let mut object = maidenlane_jsonrpc::json::Object::new(out);
    object.data("contentId", known.content.reveal().as_slice());
    push_str(object.value("status"), standing);
    object.quantity("firstBlock", known.blocks.0);
    object.quantity("lastBlock", known.blocks.1);
    object.raw("receivedAtMs", &known.taken.at_ms.to_string());
    object.end();
}

/// An order for a builder that pulls.
pub(super) fn pulled(out: &mut String, checked: &Checked) {
    let bundle = &checked.bundle;
    let mut object = maidenlane_jsonrpc::json::Object::new(out);
    object.data("bundleHash", checked.hash.reveal().as_slice());
    object.list("txs", &bundle.txs, |out, tx: &Bytes| push_data(out, tx));
    object.list("revertingTxHashes", &bundle.reverting, |out, hash| push_data(out, hash.as_slice()));
    object.list("droppingTxHashes", &bundle.dropping, |out, hash| push_data(out, hash.as_slice()));
    object.data("signingAddress", bundle.signer.as_slice());
    for (name, time) in [("minTimestamp", bundle.min_timestamp), ("maxTimestamp", bundle.max_timestamp)] {
        if let Some(time) = time {
            object.raw(name, &time.to_string());
        }
    }
    if let Some(refund) = &bundle.refund {
        object.raw("refundPercent", &refund.percent.to_string());
        object.data("refundRecipient", refund.recipient.as_slice());
        object.list("refundTxHashes", [refund.tx], |out, hash| push_data(out, hash.as_slice()));
        object.raw("delayedRefund", if refund.delayed { "true" } else { "false" });
    }
    if let Some(identity) = &bundle.refund_identity {
        object.data("refundIdentity", identity.as_slice());
    }
    if bundle.kind == maidenlane_wire::BundleKind::EndOfBlock {
        push_str(object.value("desiredState"), "BottomOfBlock");
        object.list("targetAddresses", &bundle.targets, |out, target| {
            push_data(out, target.address.as_slice());
        });
        object.list("targetSlots", &bundle.targets, |out, target| {
            maidenlane_jsonrpc::json::push_list(out, &target.slots, |out, slot| {
                push_data(out, slot.as_slice());
            });
        });
    }
    object.end();
}

//! Order that says to builders what a tree says.

use super::tree::{Part, Tree};
use crate::bundle::{self, Asked, Checked, Circumstances};
use crate::refusal::Refusal;
use crate::simulation::prepared::Leave;
use maidenlane_chain::{Address, B256, Bytes};
use maidenlane_ethjson::raw;
use serde_json::{Value, json};

/// The one refund that a list can say.
struct Refund {
    percent: u64,
    /// Payee, where it is not whoever signed the first transaction.
    payee: Option<Address>,
    /// Transaction whose gain it is a part of.
    of: B256,
}

const SEVERAL: Refusal = Refusal::Unsupported { field: "validity.refund" };

/// The order of a tree.
///
/// # Errors
/// No order says the same, or it has a mistake.
pub fn order(tree: &Tree, with: &Circumstances) -> Result<Checked, Refusal> {
    let txs = tree.transactions();
    let of = |wanted: Leave| -> Result<Vec<B256>, Refusal> {
        let found = txs.iter().enumerate().filter(|(_, (_, leave))| *leave == wanted);
        found.map(|(index, (raw, _))| hash(index, raw)).collect()
    };
    let mut fields = json!({
        "txs": txs.iter().map(|(raw, _)| raw.to_string()).collect::<Vec<_>>(), "blockNumber": tree.blocks.0,
        "revertingTxHashes": of(Leave::Revert)?, "droppingTxHashes": of(Leave::Drop)?,
    });
    let mut set = |field: &str, value: Value| {
        if let Some(fields) = fields.as_object_mut() {
            fields.insert(field.to_owned(), value);
        }
    };
    for (field, json) in [("builders", &tree.builders), ("replacementUuid", &tree.name)] {
        if let Some(json) = json {
            set(field, serde_json::from_str(json).map_err(|_| Refusal::NotAnObject)?);
        }
    }
    if let Some(Refund { percent, payee, of }) = refund(tree)? {
        set("refundPercent", percent.into());
        set("refundTxHashes", json!([of]));
        if let Some(payee) = payee {
            set("refundRecipient", json!(payee));
        }
    }
    let Asked::Bundle(mut checked) = bundle::read(&fields.to_string(), with)? else {
        return Err(Refusal::NoTransactions);
    };
    let most = with.next.saturating_add(with.ahead_max);
    checked.bundle.blocks.1 = tree.blocks.1.min(most).max(tree.blocks.0);
    checked.content = checked.bundle.content();
    Ok(*checked)
}

fn hash(index: usize, raw: &Bytes) -> Result<B256, Refusal> {
    let sent = raw::decode(raw.clone());
    let sent = sent.map_err(|error| Refusal::Transaction { index, problem: error.message.into_owned() })?;
    Ok(*sent.tx.tx_hash())
}

/// The refund of a tree: to its first part, of what its other one earns, a transaction.
fn refund(tree: &Tree) -> Result<Option<Refund>, Refusal> {
    for part in &tree.parts {
        if let Part::Tree(inner) = part
            && refund(inner)?.is_some()
        {
            return Err(SEVERAL);
        }
    }
    let (index, percent) = match tree.refunds.as_slice() {
        [] => return Ok(None),
        [one] => *one,
        _ => return Err(SEVERAL),
    };
    match (index, tree.parts.as_slice()) {
        (0, [first, Part::Transaction(earning, _)]) => {
            let of = hash(tree.transactions().len().saturating_sub(1), earning)?;
            Ok(Some(Refund { percent, payee: payee(first)?, of }))
        }
        _ => Err(SEVERAL),
    }
}

fn payee(part: &Part) -> Result<Option<Address>, Refusal> {
    match part {
        Part::Transaction(..) => Ok(None),
        Part::Tree(tree) => match tree.payees.as_slice() {
            [] => tree.parts.first().map_or(Ok(None), payee),
            [(one, _)] => Ok(Some(*one)),
            _ => Err(Refusal::Unsupported { field: "validity.refundConfig" }),
        },
    }
}

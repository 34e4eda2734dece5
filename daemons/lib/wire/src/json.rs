//! JSON of records and frames, for people and scripts: names as in the schemas and `FORMAT.md`, bytes as hex.

use crate::avro::{DecodeError, Reader};
use crate::frame::{Allocation, Frame, State};
use crate::proofs::{NodePart, NodeRow, NodeSet};
use crate::record::{Advance, Open, Part, Record, Stamp, Stamped};
use crate::rows::{AccountRow, CodeRow, Rows, SlotRow, StorageRows};
use crate::{
    BundleFate, Filter, Order, Outcome, PoolChange, Refusal, RelayBeat, Sealed, Transaction, decode, schema,
};
use maidenlane_chain::{B256, BlockRef, Bytes};
use serde_json::{Map, Value, json};

/// JSON of one record with its stamp. `record` is its kind, the other keys are the fields of the schema it is written in.
#[must_use]
pub fn to_json(stamped: &Stamped) -> Value {
    let (kind, fields) = fields(&stamped.record);
    joined(json!({ "record": kind, "stamp": stamp(&stamped.stamp) }), fields)
}

/// JSON of one entry of any topic.
///
/// # Errors
/// When it is of no known schema or not exactly what its schema says.
pub fn entry_to_json(bytes: &[u8]) -> Result<Value, DecodeError> {
    match Reader(bytes).fingerprint()? {
        schema::TRANSACTION | schema::TRANSACTION_2 => {
            Transaction::decode(bytes).map(|transaction| transaction.to_json())
        }
        schema::OUTCOME => Outcome::decode(bytes).map(|outcome| outcome.to_json()),
        schema::REFUSAL => Refusal::decode(bytes).map(|refusal| refusal.to_json()),
        schema::POOL_CHANGE => PoolChange::decode(bytes).map(|change| change.to_json()),
        schema::SEALED => Sealed::decode(bytes).map(|sealed| sealed.to_json()),
        schema::BUNDLE | schema::BUNDLE_2 | schema::BUNDLE_CANCEL => {
            Order::decode(bytes).map(|order| order.to_json())
        }
        schema::BUNDLE_FATE => BundleFate::decode(bytes).map(|fate| fate.to_json()),
        schema::RELAY_BEAT => RelayBeat::decode(bytes).map(|beat| beat.to_json()),
        schema::FILTER_MOVED | schema::FILTER_CRITERIA => {
            Filter::decode(bytes).map(|filter| filter.to_json())
        }
        schema::NODE_PART => NodePart::decode(bytes).map(|part| part.to_json()),
        schema::NODE_SET => NodeSet::decode(bytes).map(|set| set.to_json()),
        _ => decode(bytes).map(|record| to_json(&record)),
    }
}

fn fields(record: &Record) -> (&'static str, Value) {
    match record {
        Record::Open(open) => ("Open", opened(open)),
        Record::Genesis(genesis) => (
            "Genesis",
            json!({
                "block": block(&genesis.block),
                "header": genesis.header,
                "body": genesis.body,
                "rows": rows(&genesis.rows),
            }),
        ),
        Record::Start(start) => (
            "Start",
            json!({ "block": block(&start.block), "header": start.header, "ancestors": start.ancestors }),
        ),
        Record::Advance(advance) => ("Advance", advanced(advance)),
        Record::Undo(undo) => (
            "Undo",
            json!({
                "block": block(&undo.block),
                "parent": undo.parent,
                "header": undo.header,
                "transactions": undo.transactions,
                "receipts": undo.receipts,
                "rows": rows(&undo.rows),
            }),
        ),
        Record::Final(finals) => (
            "Final",
            json!({
                "safe": finals.safe.as_ref().map(block),
                "finalized": finals.finalized.as_ref().map(block),
            }),
        ),
        Record::Heartbeat(heartbeat) => (
            "Heartbeat",
            json!({
                "published": block(&heartbeat.published),
                "master": block(&heartbeat.master),
                "resuming": heartbeat.resuming,
                "masterSeenMs": heartbeat.master_seen_ms,
            }),
        ),
        Record::Part(part) => ("Part", slice(part)),
    }
}

fn opened(open: &Open) -> Value {
    let fields = json!({
        "chainId": open.chain_id,
        "genesis": open.genesis,
        "chainConfig": open.chain_config,
        "clientVersion": open.client_version,
    });
    match open.network_id {
        Some(id) => joined(fields, json!({ "networkId": id })),
        None => fields,
    }
}

fn advanced(advance: &Advance) -> Value {
    let fields = json!({
        "block": block(&advance.block),
        "parent": advance.parent,
        "header": advance.header,
        "body": advance.body,
        "receipts": advance.receipts,
        "rows": rows(&advance.rows),
        "proofs": advance.proofs,
    });
    match &advance.senders {
        Some(senders) => joined(fields, json!({ "senders": senders })),
        None => fields,
    }
}

fn slice(part: &Part) -> Value {
    json!({
        "index": part.index,
        "count": part.count,
        "wholeLen": part.whole_len,
        "data": part.data,
    })
}

/// JSON of one frame. `frame` is its kind, the other keys are its fields.
#[must_use]
pub fn frame_to_json(frame: &Frame) -> Value {
    let (kind, fields) = match frame {
        Frame::Init { chain_config, client_version } => {
            ("INIT", json!({ "chainConfig": chain_config, "clientVersion": client_version }))
        }
        Frame::Genesis { block, alloc } => {
            ("GENESIS", json!({ "block": block, "alloc": alloc.iter().map(allocation).collect::<Vec<_>>() }))
        }
        Frame::Block { hash, block, senders: None } => ("BLOCK", json!({ "hash": hash, "block": block })),
        Frame::Block { hash, block, senders } => {
            ("BLOCK", json!({ "hash": hash, "block": block, "senders": senders }))
        }
        Frame::Receipts { hash, receipts } => ("RECEIPTS", json!({ "hash": hash, "receipts": receipts })),
        Frame::State(frame) => ("STATE", state(frame)),
        Frame::Trie { hash, nodes } => {
            ("TRIE", json!({ "hash": hash, "nodes": nodes.iter().map(NodeRow::to_json).collect::<Vec<_>>() }))
        }
        Frame::End { hash, parent, number } => {
            ("END", json!({ "hash": hash, "parent": parent, "number": number }))
        }
        Frame::Failed { hash, number, error } => {
            ("FAILED", json!({ "hash": hash, "number": number, "error": error }))
        }
        Frame::Hole { hash, number, reason } => {
            ("HOLE", json!({ "hash": hash, "number": number, "reason": reason }))
        }
    };
    joined(json!({ "frame": kind }), fields)
}

fn joined(head: Value, tail: Value) -> Value {
    let fields = [head, tail].into_iter().filter_map(|value| match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    Value::Object(fields.flatten().collect::<Map<_, _>>())
}

fn stamp(stamp: &Stamp) -> Value {
    let hex = |id: [u8; 16]| Bytes::copy_from_slice(&id);
    json!({
        "feed": hex(stamp.feed),
        "epoch": stamp.epoch,
        "writer": hex(stamp.writer),
        "seq": stamp.seq,
        "finalized": stamp.finalized,
        "more": stamp.more,
    })
}

fn block(block: &BlockRef) -> Value {
    json!({ "number": block.number, "hash": block.hash })
}

fn rows(rows: &Rows) -> Value {
    let account =
        |row: &AccountRow| json!({ "address": row.address, "before": row.before, "after": row.after });
    let slot = |row: &SlotRow| {
        json!({
            "key": row.key,
            "plain": row.plain,
            "before": row.before,
            "after": row.after,
        })
    };
    let storage = |account: &StorageRows| json!({ "address": account.address, "slots": account.slots.iter().map(slot).collect::<Vec<_>>() });
    let code = |row: &CodeRow| json!({ "hash": row.hash, "code": row.code });
    json!({
        "accounts": rows.accounts.iter().map(account).collect::<Vec<_>>(),
        "storage": rows.storage.iter().map(storage).collect::<Vec<_>>(),
        "codes": rows.codes.iter().map(code).collect::<Vec<_>>(),
    })
}

fn state(state: &State) -> Value {
    json!({
        "hash": state.hash,
        "number": state.number,
        "originRoot": state.origin_root,
        "root": state.root,
        "rows": rows(&state.rows),
    })
}

fn allocation(account: &Allocation) -> Value {
    let slot = |(slot, value): &(B256, Bytes)| json!({ "slot": slot, "value": value });
    json!({
        "address": account.address,
        "nonce": account.nonce,
        "balance": account.balance,
        "code": account.code,
        "storage": account.storage.iter().map(slot).collect::<Vec<_>>(),
    })
}

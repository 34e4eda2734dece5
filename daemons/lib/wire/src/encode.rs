//! Encoding of records: Avro single-object encoding.

use crate::avro::Writer;
use crate::record::{Advance, Final, Genesis, Heartbeat, Open, Part, Record, Stamp, Stamped, Start, Undo};
use crate::rows::{Rows, StorageRows};
use crate::schema;
use maidenlane_chain::BlockRef;

/// Bytes of a log entry: `C3 01`, the schema's fingerprint (little-endian), the datum.
#[must_use]
pub fn encode(stamped: &Stamped) -> Vec<u8> {
    let mut out = Writer::entry(fingerprint(&stamped.record), 256 + content_len(&stamped.record));
    stamp(&mut out, &stamped.stamp);
    match &stamped.record {
        Record::Open(record) => open(&mut out, record),
        Record::Genesis(record) => genesis(&mut out, record),
        Record::Start(record) => start(&mut out, record),
        Record::Advance(record) => advance(&mut out, record),
        Record::Undo(record) => undo(&mut out, record),
        Record::Final(record) => finality(&mut out, record),
        Record::Heartbeat(record) => heartbeat(&mut out, record),
        Record::Part(record) => part(&mut out, record),
    }
    out.0
}

const fn fingerprint(record: &Record) -> u64 {
    match record {
        Record::Open(Open { network_id: None, .. }) => schema::OPEN,
        Record::Open(_) => schema::OPEN_2,
        Record::Genesis(_) => schema::GENESIS,
        Record::Start(_) => schema::START,
        Record::Advance(Advance { senders: None, .. }) => schema::ADVANCE,
        Record::Advance(_) => schema::ADVANCE_2,
        Record::Undo(_) => schema::UNDO,
        Record::Final(_) => schema::FINAL,
        Record::Heartbeat(_) => schema::HEARTBEAT,
        Record::Part(_) => schema::PART,
    }
}

/// Lower bound of the length, so that large records are written without growing the buffer often.
fn content_len(record: &Record) -> usize {
    match record {
        Record::Genesis(record) => record.body.len() + record.rows.accounts.len() * 64,
        Record::Advance(record) => {
            record.body.len() + record.receipts.len() + record.rows.accounts.len() * 128
        }
        Record::Undo(record) => record.receipts.len() + record.rows.accounts.len() * 128,
        Record::Part(record) => record.data.len(),
        _ => 0,
    }
}

fn stamp(out: &mut Writer, stamp: &Stamp) {
    out.fixed(&stamp.feed);
    out.long(stamp.epoch);
    out.fixed(&stamp.writer);
    out.long(stamp.seq);
    out.long(stamp.finalized);
    out.boolean(stamp.more);
}

pub(crate) fn block(out: &mut Writer, block: &BlockRef) {
    out.long(block.number);
    out.fixed(block.hash.as_slice());
}

fn open(out: &mut Writer, record: &Open) {
    out.long(record.chain_id);
    out.fixed(record.genesis.as_slice());
    out.bytes(record.chain_config.as_bytes());
    out.bytes(record.client_version.as_bytes());
    if let Some(id) = record.network_id {
        out.long(id);
    }
}

fn genesis(out: &mut Writer, record: &Genesis) {
    block(out, &record.block);
    out.bytes(&record.header);
    out.bytes(&record.body);
    rows(out, &record.rows);
}

fn start(out: &mut Writer, record: &Start) {
    block(out, &record.block);
    out.bytes(&record.header);
    out.array(&record.ancestors, |out, header| out.bytes(header));
}

fn advance(out: &mut Writer, record: &Advance) {
    block(out, &record.block);
    out.fixed(record.parent.as_slice());
    out.bytes(&record.header);
    out.bytes(&record.body);
    out.bytes(&record.receipts);
    rows(out, &record.rows);
    out.option(record.proofs.as_ref(), |out, digest| out.fixed(digest.as_slice()));
    if let Some(senders) = &record.senders {
        out.array(senders, |out, sender| out.fixed(sender.as_slice()));
    }
}

fn undo(out: &mut Writer, record: &Undo) {
    block(out, &record.block);
    out.fixed(record.parent.as_slice());
    out.bytes(&record.header);
    out.array(&record.transactions, |out, hash| out.fixed(hash.as_slice()));
    out.bytes(&record.receipts);
    rows(out, &record.rows);
}

fn finality(out: &mut Writer, record: &Final) {
    out.option(record.safe.as_ref(), block);
    out.option(record.finalized.as_ref(), block);
}

fn heartbeat(out: &mut Writer, record: &Heartbeat) {
    block(out, &record.published);
    block(out, &record.master);
    out.boolean(record.resuming);
    out.long(record.master_seen_ms);
}

pub(crate) fn part(out: &mut Writer, record: &Part) {
    out.long(u64::from(record.index));
    out.long(u64::from(record.count));
    out.long(record.whole_len);
    out.bytes(&record.data);
}

pub(crate) fn rows(out: &mut Writer, rows: &Rows) {
    out.array(&rows.accounts, |out, row| {
        out.fixed(row.address.as_slice());
        out.option(row.before.as_ref(), |out, value| out.bytes(value));
        out.option(row.after.as_ref(), |out, value| out.bytes(value));
    });
    out.array(&rows.storage, storage);
    out.array(&rows.codes, |out, row| {
        out.fixed(row.hash.as_slice());
        out.bytes(&row.code);
    });
}

fn storage(out: &mut Writer, account: &StorageRows) {
    out.fixed(account.address.as_slice());
    out.array(&account.slots, |out, row| {
        out.fixed(row.key.as_slice());
        out.option(row.plain.as_ref(), |out, slot| out.fixed(slot.as_slice()));
        out.option(row.before.as_ref(), |out, value| out.bytes(value));
        out.option(row.after.as_ref(), |out, value| out.bytes(value));
    });
}

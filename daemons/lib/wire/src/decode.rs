//! Decoding of records. Takes any bytes, never panics, allocates no more than a small multiple of the input.

use crate::avro::{DecodeError, Reader};
use crate::record::{Advance, Final, Genesis, Heartbeat, Open, Part, Record, Stamp, Stamped, Start, Undo};
use crate::rows::{AccountRow, CodeRow, Rows, SlotRow, StorageRows};
use crate::schema;
use maidenlane_chain::BlockRef;

/// Kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is documented at the type of its record")]
pub enum Kind {
    Open,
    Genesis,
    Start,
    Advance,
    Undo,
    Final,
    Heartbeat,
    Part,
}

/// Kind and stamp of a log entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heading {
    /// Kind of the record.
    pub kind: Kind,
    /// Stamp: writer and place in the writer's sequence.
    pub stamp: Stamp,
}

/// Reads kind and stamp of one log entry of a feed, which decide about it; the rest is not looked at.
///
/// # Errors
/// When it is of no known schema, or too short.
pub fn heading(bytes: &[u8]) -> Result<Heading, DecodeError> {
    Ok(begin(&mut Reader(bytes))?.0)
}

/// Reads one log entry.
///
/// # Errors
/// When the bytes are not exactly one record of a known schema.
pub fn decode(bytes: &[u8]) -> Result<Stamped, DecodeError> {
    let input = &mut Reader(bytes);
    let (Heading { kind, stamp }, schema) = begin(input)?;
    let record = match kind {
        Kind::Open => Record::Open(open(input, schema)?),
        Kind::Genesis => Record::Genesis(genesis(input)?),
        Kind::Start => Record::Start(start(input)?),
        Kind::Advance => Record::Advance(advance(input, schema)?),
        Kind::Undo => Record::Undo(undo(input)?),
        Kind::Final => Record::Final(finality(input)?),
        Kind::Heartbeat => Record::Heartbeat(heartbeat(input)?),
        Kind::Part => Record::Part(part(input)?),
    };
    input.end()?;
    Ok(Stamped { stamp, record })
}

/// Reads the heading, and the fingerprint of the schema: of a record's several ones, later have more fields.
pub(crate) fn begin(input: &mut Reader<'_>) -> Result<(Heading, u64), DecodeError> {
    let schema = input.fingerprint()?;
    let kind = match schema {
        schema::OPEN | schema::OPEN_2 => Kind::Open,
        schema::GENESIS => Kind::Genesis,
        schema::START => Kind::Start,
        schema::ADVANCE | schema::ADVANCE_2 => Kind::Advance,
        schema::UNDO => Kind::Undo,
        schema::FINAL => Kind::Final,
        schema::HEARTBEAT => Kind::Heartbeat,
        schema::PART => Kind::Part,
        fingerprint => return Err(DecodeError::UnknownSchema { fingerprint }),
    };
    Ok((Heading { kind, stamp: stamp(input)? }, schema))
}

fn stamp(input: &mut Reader<'_>) -> Result<Stamp, DecodeError> {
    Ok(Stamp {
        feed: input.array_of("feed")?,
        epoch: input.long("epoch")?,
        writer: input.array_of("writer")?,
        seq: input.long("seq")?,
        finalized: input.long("finalized")?,
        more: input.boolean("more")?,
    })
}

pub(crate) fn block(input: &mut Reader<'_>, what: &'static str) -> Result<BlockRef, DecodeError> {
    Ok(BlockRef { number: input.long(what)?, hash: input.hash(what)? })
}

pub(crate) fn open(input: &mut Reader<'_>, schema: u64) -> Result<Open, DecodeError> {
    Ok(Open {
        chain_id: input.long("chainId")?,
        genesis: input.hash("genesis")?,
        chain_config: input.string("chainConfig")?,
        client_version: input.string("clientVersion")?,
        network_id: (schema == schema::OPEN_2).then(|| input.long("networkId")).transpose()?,
    })
}

fn genesis(input: &mut Reader<'_>) -> Result<Genesis, DecodeError> {
    Ok(Genesis {
        block: block(input, "block")?,
        header: input.bytes("header")?,
        body: input.bytes("body")?,
        rows: rows(input)?,
    })
}

fn start(input: &mut Reader<'_>) -> Result<Start, DecodeError> {
    Ok(Start {
        block: block(input, "block")?,
        header: input.bytes("header")?,
        ancestors: input.array("ancestors", 1, |input| input.bytes("ancestors"))?,
    })
}

fn advance(input: &mut Reader<'_>, schema: u64) -> Result<Advance, DecodeError> {
    Ok(Advance {
        block: block(input, "block")?,
        parent: input.hash("parent")?,
        header: input.bytes("header")?,
        body: input.bytes("body")?,
        receipts: input.bytes("receipts")?,
        rows: rows(input)?,
        proofs: input.option("proofs", Reader::hash)?,
        senders: (schema == schema::ADVANCE_2)
            .then(|| input.array("senders", 20, |input| input.address("senders")))
            .transpose()?,
    })
}

fn undo(input: &mut Reader<'_>) -> Result<Undo, DecodeError> {
    Ok(Undo {
        block: block(input, "block")?,
        parent: input.hash("parent")?,
        header: input.bytes("header")?,
        transactions: input.array("transactions", 32, |input| input.hash("transactions"))?,
        receipts: input.bytes("receipts")?,
        rows: rows(input)?,
    })
}

pub(crate) fn finality(input: &mut Reader<'_>) -> Result<Final, DecodeError> {
    Ok(Final { safe: input.option("safe", block)?, finalized: input.option("finalized", block)? })
}

fn heartbeat(input: &mut Reader<'_>) -> Result<Heartbeat, DecodeError> {
    Ok(Heartbeat {
        published: block(input, "published")?,
        master: block(input, "master")?,
        resuming: input.boolean("resuming")?,
        master_seen_ms: input.long("masterSeenMs")?,
    })
}

pub(crate) fn part(input: &mut Reader<'_>) -> Result<Part, DecodeError> {
    Ok(Part {
        index: input.int("index")?,
        count: input.int("count")?,
        whole_len: input.long("wholeLen")?,
        data: input.bytes("data")?,
    })
}

pub(crate) fn rows(input: &mut Reader<'_>) -> Result<Rows, DecodeError> {
    Ok(Rows {
        accounts: input.array("accounts", 22, |input| {
            Ok(AccountRow {
                address: input.address("account")?,
                before: input.option("before", Reader::bytes)?,
                after: input.option("after", Reader::bytes)?,
            })
        })?,
        storage: input.array("storage", 21, |input| {
            Ok(StorageRows {
                address: input.address("storage")?,
                slots: input.array("slots", 35, |input| {
                    Ok(SlotRow {
                        key: input.hash("slot")?,
                        plain: input.option("plain", Reader::hash)?,
                        before: input.option("before", Reader::bytes)?,
                        after: input.option("after", Reader::bytes)?,
                    })
                })?,
            })
        })?,
        codes: input.array("codes", 33, |input| {
            Ok(CodeRow { hash: input.hash("code")?, code: input.bytes("code")? })
        })?,
    })
}

/// Decodes rows alone, in the layout they have inside a record, as a store keeps them for undoing a block.
///
/// # Errors
/// When the bytes are not exactly one set of rows.
pub fn decode_rows(bytes: &[u8]) -> Result<Rows, DecodeError> {
    let input = &mut Reader(bytes);
    let rows = rows(input)?;
    input.end()?;
    Ok(rows)
}

/// Encodes rows for [`decode_rows`].
#[must_use]
pub fn encode_rows(rows: &Rows) -> Vec<u8> {
    let mut out = crate::avro::Writer::default();
    crate::encode::rows(&mut out, rows);
    out.0
}

//! Private order flow: bundles and private transactions, as relays take them.
//!
//! No entries of a log as they are: [`Sealed`](crate::Sealed) ones hold them.
//!
//! # Why contents have an id of their own
//! Of one order sent twice, only one may be delivered; of two that differ in anything, both. The hash of a bundle that all
//! builders know speaks of its transactions alone. The content id covers every field and the signer: their encoding has one
//! reading only, and how the order came here is not among them.

use crate::avro::{DecodeError, Reader, Writer};
use crate::record::Id;
use crate::schema;
use maidenlane_chain::{Address, B256, Bytes, keccak256};
use serde_json::{Value, json};
use std::fmt;

/// First bytes of what the content id is the hash of: no order of one kind has the id of one of the other.
const BUNDLE: &[u8] = b"maidenlane bundle";

/// Id of an order's content. Not printed: whoever guesses an order could compute it, and see that the guess is right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(B256);

impl ContentId {
    /// Id of this value.
    #[must_use]
    pub const fn new(id: B256) -> Self {
        Self(id)
    }

    /// The value, for whoever may see the order.
    #[must_use]
    pub const fn reveal(self) -> B256 {
        self.0
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentId")
    }
}

/// How an order came to a relay: all that is not its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Relay that took it.
    pub relay: Id,
    /// Name of the caller who sent it, as the relay knew it.
    pub identity: Option<String>,
    /// Unix time in milliseconds.
    pub at_ms: u64,
}

/// Kind of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleKind {
    /// Transactions that go together, wherever the builder puts them.
    Bundle,
    /// The same, behind all other transactions of the block.
    EndOfBlock,
    /// One transaction that its sender wants no pool to see.
    Private,
}

/// Rules that a bundle was written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleVersion {
    /// Transactions, a block, timestamps, reverting hashes.
    V1,
    /// Also dropping hashes and refunds.
    V2,
}

/// Part of what a bundle earns that goes back to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Percent, 1 to 99.
    pub percent: u32,
    /// Receiver.
    pub recipient: Address,
    /// Transaction whose earnings are meant.
    pub tx: B256,
    /// True if it is paid outside the block.
    pub delayed: bool,
}

/// Contract whose state the transactions are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleTarget {
    /// Address of the contract.
    pub address: Address,
    /// Slots of its storage; empty for all.
    pub slots: Vec<B256>,
}

/// A bundle that was checked and taken.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle {
    /// How it came.
    pub taken: Taken,
    /// Address whose key signed the request.
    pub signer: Address,
    /// Kind.
    pub kind: BundleKind,
    /// Rules that it was written for.
    pub version: BundleVersion,
    /// Transactions as nodes pass them on: typed envelopes, blobs with commitments and proofs.
    pub txs: Vec<Bytes>,
    /// First and last block that may hold them.
    pub blocks: (u64, u64),
    /// Least timestamp of that block's header.
    pub min_timestamp: Option<u64>,
    /// Greatest timestamp of that block's header.
    pub max_timestamp: Option<u64>,
    /// Hashes of transactions that may revert and stay, sorted.
    pub reverting: Vec<B256>,
    /// Hashes of transactions that are left out if they fail, sorted.
    pub dropping: Vec<B256>,
    /// Name under which the signer replaces or cancels it.
    pub replacement: Option<String>,
    /// Number of the replacement: of several the highest counts.
    pub nonce: Option<u64>,
    /// Refund.
    pub refund: Option<Refund>,
    /// Address that refunds are booked to instead of the signer's.
    pub refund_identity: Option<Address>,
    /// Contracts that its place in the block depends on.
    pub targets: Vec<BundleTarget>,
    /// Names of the builders that get it; empty for all.
    pub builders: Vec<String>,
    /// True for a transaction that may become public where no block has held it for some blocks.
    pub mempool: bool,
}

impl Bundle {
    /// Id of the content: of two bundles with the same one, one is to be delivered.
    #[must_use]
    pub fn content(&self) -> ContentId {
        let mut out = Writer(BUNDLE.to_vec());
        self.write(&mut out);
        ContentId(keccak256(out.0))
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        let hash = |out: &mut Writer, hash: &B256| out.fixed(hash.as_slice());
        let address = |out: &mut Writer, address: &Address| out.fixed(address.as_slice());
        let number = |out: &mut Writer, number: &u64| out.long(*number);
        let text = |out: &mut Writer, text: &String| out.bytes(text.as_bytes());
        address(out, &self.signer);
        out.long(self.kind as u64);
        out.long(self.version as u64);
        out.array(&self.txs, |out, tx| out.bytes(tx));
        out.long(self.blocks.0);
        out.long(self.blocks.1);
        out.option(self.min_timestamp.as_ref(), number);
        out.option(self.max_timestamp.as_ref(), number);
        out.array(&self.reverting, hash);
        out.array(&self.dropping, hash);
        out.option(self.replacement.as_ref(), text);
        out.option(self.nonce.as_ref(), number);
        out.option(self.refund.as_ref(), |out, refund| {
            out.long(refund.percent.into());
            address(out, &refund.recipient);
            hash(out, &refund.tx);
            out.boolean(refund.delayed);
        });
        out.option(self.refund_identity.as_ref(), address);
        out.array(&self.targets, |out, target| {
            address(out, &target.address);
            out.array(&target.slots, hash);
        });
        out.array(&self.builders, text);
        // Not there in the first schema, and so neither in what the id is made of: one order has one id for all readers.
        if self.mempool {
            out.boolean(true);
        }
    }

    /// Schema in which it is written: the first where that can say it all, for readers that know no other.
    pub(crate) const fn schema(&self) -> u64 {
        if self.mempool { schema::BUNDLE_2 } else { schema::BUNDLE }
    }

    pub(crate) fn read(input: &mut Reader<'_>, is_first: bool) -> Result<Self, DecodeError> {
        Ok(Self {
            taken: Taken::read(input)?,
            signer: input.address("signer")?,
            kind: match input.long("kind")? {
                0 => BundleKind::Bundle,
                1 => BundleKind::EndOfBlock,
                2 => BundleKind::Private,
                _ => return Err(DecodeError::Invalid { what: "kind" }),
            },
            version: match input.long("version")? {
                0 => BundleVersion::V1,
                1 => BundleVersion::V2,
                _ => return Err(DecodeError::Invalid { what: "version" }),
            },
            txs: input.array("txs", 1, |input| input.bytes("tx"))?,
            blocks: (input.long("firstBlock")?, input.long("lastBlock")?),
            min_timestamp: input.option("minTimestamp", Reader::long)?,
            max_timestamp: input.option("maxTimestamp", Reader::long)?,
            reverting: input.array("reverting", 32, |input| input.hash("reverting"))?,
            dropping: input.array("dropping", 32, |input| input.hash("dropping"))?,
            replacement: input.option("replacement", Reader::string)?,
            nonce: input.option("nonce", Reader::long)?,
            refund: input.option("refund", |input, what| {
                Ok(Refund {
                    percent: input.int(what)?,
                    recipient: input.address(what)?,
                    tx: input.hash(what)?,
                    delayed: input.boolean(what)?,
                })
            })?,
            refund_identity: input.option("refundIdentity", Reader::address)?,
            targets: input.array("targets", 21, |input| {
                let address = input.address("target")?;
                let slots = input.array("slots", 32, |input| input.hash("slot"))?;
                Ok(BundleTarget { address, slots })
            })?,
            builders: input.array("builders", 1, |input| input.string("builder"))?,
            mempool: !is_first && input.boolean("mempool")?,
        })
    }
}

impl Taken {
    pub(crate) fn write(&self, out: &mut Writer) {
        out.fixed(&self.relay);
        out.option(self.identity.as_ref(), |out, name| out.bytes(name.as_bytes()));
        out.long(self.at_ms);
    }

    pub(crate) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            relay: input.array_of("relay")?,
            identity: input.option("identity", Reader::string)?,
            at_ms: input.long("takenMs")?,
        })
    }
}

impl Bundle {
    /// JSON for people who may see it: names as in the schema, bytes as hex.
    pub(crate) fn to_json(&self) -> Value {
        let Taken { relay, identity, at_ms } = &self.taken;
        let refund = self.refund.map(|refund| {
            let Refund { percent, recipient, tx, delayed } = refund;
            json!({ "percent": percent, "recipient": recipient, "tx": tx, "delayed": delayed })
        });
        let targets = self.targets.iter();
        let targets: Vec<Value> =
            targets.map(|target| json!({ "address": target.address, "slots": target.slots })).collect();
        let mut json = json!({
            "record": "Bundle",
            "relay": Bytes::copy_from_slice(relay),
            "identity": identity,
            "takenMs": at_ms,
            "signer": self.signer,
            "kind": format!("{:?}", self.kind),
            "version": format!("{:?}", self.version),
            "txs": self.txs,
            "firstBlock": self.blocks.0,
            "lastBlock": self.blocks.1,
            "minTimestamp": self.min_timestamp,
            "maxTimestamp": self.max_timestamp,
            "reverting": self.reverting,
            "dropping": self.dropping,
            "replacement": self.replacement,
            "nonce": self.nonce,
            "refund": refund,
            "refundIdentity": self.refund_identity,
            "targets": targets,
            "builders": self.builders,
        });
        if let (true, Some(fields)) = (self.mempool, json.as_object_mut()) {
            fields.insert("mempool".to_owned(), Value::Bool(true));
        }
        json
    }
}

/// Nothing of the content: what is private is printed by [`Order::to_json`](crate::Order::to_json) alone, on purpose and never by the way.
impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle").field("taken", &self.taken).finish_non_exhaustive()
    }
}

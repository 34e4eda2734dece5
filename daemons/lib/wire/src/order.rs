//! Private orders: a bundle, or a cancel of some.
//!
//! No entries of a log as they are: [`Sealed`](crate::Sealed) ones hold them.

use crate::avro::{DecodeError, Reader, Writer};
use crate::bundle::{Bundle, ContentId, Taken};
use crate::schema;
use maidenlane_chain::{Address, B256, Bytes, keccak256};
use serde_json::{Value, json};
use std::fmt;

/// First bytes of what the content id of a cancel is the hash of.
const CANCEL: &[u8] = b"maidenlane bundle cancel";

/// A cancel that was taken.
#[derive(Clone, PartialEq, Eq)]
pub struct BundleCancel {
    /// How it came.
    pub taken: Taken,
    /// Address whose key signed the request.
    pub signer: Address,
    /// Order that it is about.
    pub of: Cancelled,
}

/// Order that a cancel is about.
#[derive(Clone, PartialEq, Eq)]
pub enum Cancelled {
    /// Bundles under this name of the signer's: all, or those of lower numbers.
    Replacement {
        /// Name.
        name: String,
        /// Number of the cancel among replacements.
        nonce: Option<u64>,
    },
    /// A private transaction.
    Transaction(B256),
}

/// An order that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is documented at its type")]
pub enum Order {
    Bundle(Box<Bundle>),
    Cancel(BundleCancel),
}

impl BundleCancel {
    /// Id of the content.
    #[must_use]
    pub fn content(&self) -> ContentId {
        let mut out = Writer(CANCEL.to_vec());
        self.write(&mut out);
        ContentId::new(keccak256(out.0))
    }

    fn fields(&self) -> (Option<&String>, Option<&u64>, Option<&B256>) {
        match &self.of {
            Cancelled::Replacement { name, nonce } => (Some(name), nonce.as_ref(), None),
            Cancelled::Transaction(hash) => (None, None, Some(hash)),
        }
    }

    fn write(&self, out: &mut Writer) {
        let (name, nonce, tx) = self.fields();
        out.fixed(self.signer.as_slice());
        out.option(name, |out, name| out.bytes(name.as_bytes()));
        out.option(nonce, |out, nonce| out.long(*nonce));
        out.option(tx, |out, hash| out.fixed(hash.as_slice()));
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (taken, signer) = (Taken::read(input)?, input.address("signer")?);
        let name = input.option("replacement", Reader::string)?;
        let nonce = input.option("nonce", Reader::long)?;
        let of = match (name, nonce, input.option("tx", Reader::hash)?) {
            (Some(name), nonce, None) => Cancelled::Replacement { name, nonce },
            (None, None, Some(hash)) => Cancelled::Transaction(hash),
            _ => return Err(DecodeError::Invalid { what: "cancel" }),
        };
        Ok(Self { taken, signer, of })
    }
}

impl Order {
    /// Id of the content.
    #[must_use]
    pub fn content(&self) -> ContentId {
        match self {
            Self::Bundle(bundle) => bundle.content(),
            Self::Cancel(cancel) => cancel.content(),
        }
    }

    /// Address whose key signed the request.
    #[must_use]
    pub const fn signer(&self) -> Address {
        match self {
            Self::Bundle(bundle) => bundle.signer,
            Self::Cancel(cancel) => cancel.signer,
        }
    }

    /// Bytes to be sealed: Avro single-object encoding, as of records.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out;
        match self {
            Self::Bundle(bundle) => {
                let bytes: usize = bundle.txs.iter().map(|tx| tx.len() + 8).sum();
                out = Writer::entry(bundle.schema(), 300 + bytes);
                bundle.taken.write(&mut out);
                bundle.write(&mut out);
            }
            Self::Cancel(cancel) => {
                out = Writer::entry(schema::BUNDLE_CANCEL, 200);
                cancel.taken.write(&mut out);
                cancel.write(&mut out);
            }
        }
        out.0
    }

    /// Reads what was sealed.
    ///
    /// # Errors
    /// When the bytes are not exactly one order of a known schema.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let input = &mut Reader(bytes);
        let order = match input.fingerprint()? {
            fingerprint @ (schema::BUNDLE | schema::BUNDLE_2) => {
                Self::Bundle(Box::new(Bundle::read(input, fingerprint == schema::BUNDLE)?))
            }
            schema::BUNDLE_CANCEL => Self::Cancel(BundleCancel::read(input)?),
            fingerprint => return Err(DecodeError::UnknownSchema { fingerprint }),
        };
        input.end()?;
        Ok(order)
    }

    /// JSON for people who may see orders: names as in the schema, bytes as hex.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Bundle(bundle) => bundle.to_json(),
            Self::Cancel(cancel) => {
                let ((name, nonce, tx), Taken { relay, identity, at_ms }) = (cancel.fields(), &cancel.taken);
                json!({
                    "record": "BundleCancel", "relay": Bytes::copy_from_slice(relay), "identity": identity,
                    "takenMs": at_ms, "signer": cancel.signer, "replacement": name, "nonce": nonce, "tx": tx,
                })
            }
        }
    }
}

/// Nothing of the content.
impl fmt::Debug for BundleCancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BundleCancel").field("taken", &self.taken).finish_non_exhaustive()
    }
}

/// Nothing of the content.
impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cancelled")
    }
}

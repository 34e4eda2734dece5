//! Wire formats: *frames* from the hook in geth to the tap's spool, *records* from the tap to every consumer of a
//! feed. Types, bytes, and nothing else: no IO, no clock, no async.
//!
//! | file | idea |
//! |---|---|
//! | [`record`] | the shapes of a feed's records |
//! | [`rows`] | state rows with before and after |
//! | [`schema`] | the published `.avsc` and their fingerprints |
//! | `encode`, `decode`, `avro` | records to bytes and back |
//! | `outline` | outlines of records: the head they move to, without bodies and rows |
//! | [`parts`] | records too large for one log entry |
//! | [`proofs`] | the trie nodes that a block changed, in a topic of their own |
//! | [`transaction`] | transactions that a replica takes for the nodes, in a topic of its own |
//! | [`outcome`] | what became of them, in another |
//! | [`refusal`] | those that were not taken, in the same |
//! | [`pool`] | what a master has in its pool, in one of its feed |
//! | [`order`], [`bundle`], [`bundle_fate`] | private orders that a relay takes, and what became of them |
//! | [`relay_beat`] | which relays live, and how far each has read |
//! | [`sealed`] | the form in which those stand in topics of their own |
//! | `filter` | positions of filters, in a topic of their own |
//! | [`frame`] | frames that the hook writes to the spool |
//! | `json` | both for people to read |
//!
//! The bytes are a contract: see `FORMAT.md` and the golden vectors.

mod avro;
pub mod bundle;
pub mod bundle_fate;
mod decode;
mod encode;
mod filter;
pub mod frame;
mod json;
pub mod order;
pub mod outcome;
mod outline;
mod packed;
pub mod parts;
pub mod pool;
pub mod proofs;
pub mod record;
pub mod refusal;
pub mod relay_beat;
pub mod rows;
pub mod schema;
pub mod sealed;
pub mod transaction;

pub use avro::DecodeError;
pub use bundle::{Bundle, BundleKind, BundleTarget, BundleVersion, ContentId, Refund, Taken};
pub use bundle_fate::{BundleFate, BundleFateId, Delivery};
pub use decode::{Heading, Kind, decode, decode_rows, encode_rows, heading};
pub use encode::encode;
pub use filter::{Filter, FilterCriteria, FilterMoved};
pub use json::{entry_to_json, frame_to_json, to_json};
pub use order::{BundleCancel, Cancelled, Order};
pub use outcome::{Fate, Outcome, OutcomeId};
pub use outline::{Outline, outline};
pub use parts::Joiner;
pub use pool::{PoolChange, PoolStep, Pooled};
pub use proofs::{Gatherer, NodePart, NodeRow, NodeSet};
pub use record::{Advance, Final, Genesis, Heartbeat, Id, Open, Part, Record, Stamp, Stamped, Start, Undo};
pub use refusal::Refusal;
pub use relay_beat::RelayBeat;
pub use rows::{AccountRow, CodeRow, Rows, SlotRow, StorageRows};
pub use sealed::{Sealed, SealedHeader, SealedKind};
pub use transaction::Transaction;

#[cfg(test)]
mod tests;

//! What travels: *frames* from the hook in geth to the tap's spool, *records* from the tap to every consumer of a
//! feed. Types, bytes, and nothing else: no IO, no clock, no async.
//!
//! | file | idea |
//! |---|---|
//! | [`record`] | the shapes of a feed's records |
//! | [`rows`] | state rows with before and after |
#![doc = "The bytes are a contract: see `FORMAT.md` and the golden vectors."]

pub mod record;
pub mod rows;

pub use record::{Advance, Final, Genesis, Heartbeat, Open, Part, Record, Stamp, Stamped, Start, Undo};
pub use rows::{AccountRow, CodeRow, Rows, SlotRow, StorageRows};

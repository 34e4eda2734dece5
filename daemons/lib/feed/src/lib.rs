//! Reader protocol of feeds: which entries of a log count, the records they make, and the position of a reader.
//!
//! A feed is one master's canonical history, written by one tap after another into one log. Nothing fences a tap that
//! was displaced, so the log also holds entries that nobody must take. All readers of a feed (a tap of its own,
//! replicas, all that come) read it through this crate, so that all of them take the same entries.
//!
//! | file | idea |
//! |---|---|
//! | [`reader`] | pure: entries in, whole records out |
//! | [`position`] | pure: a position in a feed, found again after a restart |
//! | [`pool`] | pure: changes of the master's pool, in a topic beside the feed |
//! | [`signs`] | pure: age of a sign of life, whatever the tap's clock says |
//! | [`scan`] | the edge: entries of the log from any place, and the newest record on a chain |
//!
//! # The protocol
//! - **Writers.** A tap begins an *epoch* with OPEN: the highest epoch it read, and one. The first OPEN of an epoch
//!   wins, and ends every lower one. Entries that are not of the newest epoch's winner do not count, whatever they say.
//! - **Proof.** A tap writes nothing but its OPEN before it has read that its OPEN won. So any other record proves its
//!   writer's OPEN, which is what a reader goes by that begins in the middle of the log.
//! - **Sequence.** `seq` is dense within an epoch. A lower one is a duplicate and does not count; a higher one is a
//!   gap.
//! - **Feed.** The first OPEN names the feed. An entry that counts and names another ends the reading; a losing OPEN of
//!   an empty feed does not count, so its name is nobody's business.
//! - **Parts.** Large records come in parts. A set that was left unfinished when the next epoch began is dropped.
//! - **Head changes.** While a record says `more`, a head change is half-way and no head may be shown. An OPEN never
//!   ends a head change: its writer may not have read the record before it.

pub mod pool;
pub mod position;
pub mod reader;
pub mod scan;
pub mod signs;

pub use pool::PoolReader;
pub use position::Position;
pub use reader::{Reader, Violation, Whole};
pub use scan::{Error, Scanner};

#[cfg(test)]
mod tests;

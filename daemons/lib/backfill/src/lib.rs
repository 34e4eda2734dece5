//! Back-fill: blocks and receipts from before a replica's beginning, brought behind its head, downward.
//!
//! | module | idea |
//! |---|---|
//! | [`job`] | the whole: a group of blocks after the other, down to where the settings say |
//! | `sources` | sources in their order: who has a block, who failed, and when to ask again |
//! | [`source`] | the door for sources |
//! | `open` | a source by its address |
//! | `archives` | archives in the place of the node that an import asks |
//! | `era` | a directory of `era1` and `ere` archives |
//! | `e2store` | one such file, read by block number |
//! | `export` | a file of `geth export` |
//! | `node` | a node that is asked |
//! | `pace` | the rate |
//! | [`error`] | why a source is of no use, and what to do |
//! | [`events`] | what is logged |
//!
//! # Why nothing of a source is believed
//! The oldest block that a replica has names its parent by hash, and so on down: each header must have the hash that its
//! child names, body and receipts must have the roots of the header. So sources need no order, no common format and no
//! trust, and the back-fill writes the same rows whatever they are.

mod archives;
mod e2store;
mod era;
pub mod error;
pub mod events;
mod export;
pub mod job;
mod node;
mod open;
mod pace;
pub mod source;
mod sources;
#[cfg(test)]
mod tests;

pub use archives::Archives;
pub use error::Error;
pub use job::{Plan, run};
pub use source::Address;

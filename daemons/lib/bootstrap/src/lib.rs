//! A store from what a stock geth exports, for a chain whose beginning no hook has seen.
//!
//! | module | idea |
//! |---|---|
//! | `import` | the whole: rows in, a database out, or nothing |
//! | [`source`] | files of a state, whatever made them, as rows in order |
//! | `row` | rows of a state |
//! | `export` | `geth db export snapshot` and `code` |
//! | `dump` | `geth snapshot dump` |
//! | `rounds` | one round: rows read, checked and written side by side |
//! | `check` | the state root, from rows as they pass |
//! | `pending` | accounts whose slots are still to come |
//! | `runs` | trie nodes of one trie, brought into the order of their keys |
//! | `series` | sorted files of one table |
//! | `journal` | how far an import has come, for the next start |
//! | [`master`] | headers, bodies and receipts, from a node |
//! | [`progress`] | rate and time left |
//! | [`error`] | why it failed, and what to do |
//! | [`failpoints`] | points at which tests kill an import |
//!
//! # Why nothing is sorted here but trie nodes
//! geth walks its own tables in the order of their keys, and those are hashes as ours are: an account or a slot goes from
//! its file into ours as it comes, in a few hundred megabytes of memory whatever the state's size. What is out of order is
//! refused. Only the nodes of a trie are made in another order than they are kept in.

mod check;
mod dump;
pub mod error;
mod export;
pub mod failpoints;
mod import;
mod journal;
pub mod master;
mod pending;
pub mod progress;
mod rounds;
mod row;
mod runs;
mod series;
pub mod source;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use import::{Imported, Plan, import};
pub use source::Files;

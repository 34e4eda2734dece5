//! Test kit: helpers that the tests of several crates need. No daemon uses it.
//!
//! | file | idea |
//! |---|---|
//! | [`certificates`] | an authority and what it signs |
//! | [`chain`] | the execution-apis chain in memory, as a view |
//! | `execution` | its blocks, executed |
//! | `tries` | the tries of its states |
//! | [`feed`] | random chains, and feeds of them |
//! | [`keys`] | accounts whose transactions real nodes take |
//! | [`spool`] | small blocks, and the frames that the hook writes of them |
//! | [`geth`] | a geth's socket, answering from such blocks as a test says |
//!
//! Brokers, cases of execution-apis and the recorded vectors are the harness's, which runs before the product is built.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "what a test asks for is there, or the test must fail"
)]

pub mod certificates;
pub mod chain;
mod execution;
pub mod feed;
pub mod geth;
pub mod keys;
pub mod spool;
mod tries;

pub use maidenlane_tests::{kafka, product::vectors, rpc_compat};

//! Replays a feed into RocksDB and answers JSON-RPC.
//!
//! | module | idea |
//! |---|---|
//! | `run` | the daemon: follows a feed, then serves |
//! | [`rpc`] | the answers |
//! | [`submission`] | transactions that clients send, into the log |
//! | [`filters`] | filters and their cursors, in the log |
//! | [`outcomes`] | fates of transactions, out of the log |
//! | [`mempool`] | the master's pool, out of the log |
//! | [`snapshots`] | what an empty replica begins with, and what a running one makes |
//! | [`config`] | the settings |
//!
//! `maidenlane_replay` turns a feed into a store, `maidenlane_evm` runs calls, `maidenlane_ethjson` writes JSON as geth
//! does.

extern crate maidenlane_config as serde_dhall;

pub mod config;
pub mod filters;
pub mod mempool;
pub mod outcomes;
pub mod rpc;
mod run;
pub mod snapshots;
pub mod submission;

pub use run::Daemon;

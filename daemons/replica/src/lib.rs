//! Replays a feed into RocksDB and answers JSON-RPC.
//!
//! | module | idea |
//! |---|---|
//! | `run` | the daemon: follows a feed, then serves |
//! | [`rpc`] | the answers |
//! | [`submission`] | transactions that clients send, into the log |
//! | [`filters`] | where filters stand, in the log |
//! | [`config`] | the settings |
//!
//! How a feed becomes a store is `maidenlane_replay`'s, how a call runs `maidenlane_evm`'s, how geth writes
//! `maidenlane_ethjson`'s.

extern crate maidenlane_config as serde_dhall;

pub mod config;
pub mod filters;
pub mod rpc;
mod run;
pub mod submission;

pub use run::Daemon;

//! Replays a feed into RocksDB and answers JSON-RPC.

extern crate maidenlane_config as serde_dhall;

pub mod config;
pub mod evm;
pub mod rpc;

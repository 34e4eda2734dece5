//! Replays a feed into RocksDB and answers JSON-RPC.

pub mod evm;
pub mod rpc;

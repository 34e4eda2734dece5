//! Replays a feed into RocksDB and answers JSON-RPC.
//!
//! | module | idea |
//! |---|---|
//! | [`apply`] | pure: what a record means to a store at a position |
//! | [`follow`] | the one loop: read, decide, write, show |
//! | [`locate`] | where to go on after a restart |
//! | [`store`] | the database; the only place that knows RocksDB |
//! | [`trie`] | pure: the state's Merkle-Patricia tries, node by node |
//! | [`live`] | the newest head as the RPC sees it, and how fresh it is |
//! | `memo` | what was read of one head's state, decoded |
//! | [`rpc`], [`evm`] | the answers |
//! | [`intake`] | transactions that clients send, into the log |
//! | [`filters`] | where filters stand, in the log |
//! | [`verify`] | for the command line: state root and dump of a stopped replica |

extern crate maidenlane_config as serde_dhall;

pub mod apply;
pub mod catch_up;
pub mod config;
mod doors;
pub mod error;
pub mod events;
pub mod evm;
pub mod failpoints;
pub mod filters;
pub mod follow;
pub mod intake;
pub mod live;
pub mod locate;
mod memo;
pub mod rpc;
mod run;
pub mod store;
pub mod trie;
pub mod verify;

pub use run::Daemon;

/// The database's directory within a replica's state directory.
#[must_use]
pub fn store_path(state_dir: &std::path::Path) -> std::path::PathBuf {
    state_dir.join("db")
}

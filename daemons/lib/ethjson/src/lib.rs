//! geth's JSON and geth's words: what clients send and what they are answered, as functions of values. Transport is
//! another crate's business; of `maidenlane_jsonrpc` only the error, its codes and the reader of parameters are used.
//!
//! | file | idea |
//! |---|---|
//! | [`params`] | quantities, data, selectors of blocks |
//! | [`call_args`] | the call of `eth_call`, state and block overrides |
//! | [`select`] | block selectors to blocks, with geth's errors |
//! | [`block`], [`transaction`], [`receipt`], [`log_json`] | consensus bytes to JSON |
//! | [`errors`] | errors of the EVM in geth's words |
//! | [`raw`], [`admit`] | raw transactions: decoded, and refused as a node would refuse them |
//! | [`unsigned`] | a call as the transaction that a block would hold |

pub mod admit;
mod authorization;
pub mod block;
pub mod block_overrides;
pub mod call_args;
pub mod errors;
pub mod log_json;
pub mod params;
pub mod raw;
pub mod receipt;
pub mod select;
pub mod transaction;
pub mod unsigned;

use maidenlane_jsonrpc::Error;
use maidenlane_state::ReadError;

/// Error for a failed read: the fault is ours, and the database's owner must see its cause.
#[must_use]
pub fn unreadable(error: ReadError) -> Error {
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    tracing::error!(%error, cause, "state cannot be read");
    Error::internal(error)
}

//! `trace_…`: Parity's traces and state diffs.

mod filter;
pub(crate) mod parity;
mod state_diff;

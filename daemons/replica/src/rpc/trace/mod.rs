//! `trace_…`: Parity's traces and state diffs.

pub(crate) mod parity;
mod state_diff;

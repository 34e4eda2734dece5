//! Mined blocks and calls run again under a tracer, always on the pool.
//!
//! | file | idea |
//! |---|---|
//! | `blocks`, `call` | `debug_trace…`: which block or call, and the answer |
//! | `config` | which tracer, with what, for how long |
//! | `bounds` | what ends a trace |
//! | `rerun`, `traceable` | a block's transactions once more, where that can be |
//! | `calls`, `prestate` | what the named tracers answer |
//! | `chain` | a range of blocks, as a subscription |
//! | `parity`, `state_diff` | `trace_…` |
//! | `roots` | state roots in the middle of a block |
//! | `witness` | all of the state that a block needs |

pub(super) mod blocks;
pub(super) mod bounds;
pub(super) mod call;
mod calls;
pub(super) mod chain;
mod config;
pub(super) mod parity;
mod prestate;
mod rerun;
pub(super) mod roots;
mod state_diff;
mod traceable;
pub(super) mod witness;

#[cfg(test)]
mod tests;

//! `debug_…`: consensus bytes, walks through the state, and traces.
//!
//! | file | idea |
//! |---|---|
//! | `raw` | consensus bytes |
//! | `walk` | walks through the state |
//! | `trace_block`, `trace_call`, `trace_chain` | which block, call or range is traced, and the answer |
//! | `config` | which tracer, with what, for how long |
//! | `roots` | state roots in the middle of a block |
//! | `witness` | all of the state that a block needs |

pub(crate) mod config;
pub(crate) mod raw;
pub(crate) mod roots;
pub(crate) mod trace_block;
pub(crate) mod trace_call;
pub(crate) mod trace_chain;
pub(crate) mod walk;
pub(crate) mod witness;

#[cfg(test)]
mod tests;

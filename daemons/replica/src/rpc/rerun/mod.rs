//! Mined blocks and calls run again under a tracer, always on the pool; for `debug_trace…` and `trace_…`.
//!
//! | file | idea |
//! |---|---|
//! | `bounds` | the limits of a trace: time, size, cancellation |
//! | `run`, `traceable` | a block's transactions run again, where its parent's state is there |
//! | `calls`, `prestate` | the answers of the named tracers |

pub(crate) mod bounds;
pub(crate) mod calls;
pub(crate) mod prestate;
pub(crate) mod run;
pub(crate) mod traceable;

#[cfg(test)]
mod tests;

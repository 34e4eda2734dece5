//! Mined blocks and calls run again under a tracer, always on the pool; for `debug_trace…` and `trace_…`.
//!
//! | file | idea |
//! |---|---|
//! | `bounds` | the limits of a trace: time, size, cancellation |
//! | `run`, `traceable` | a block's transactions once more, where that can be |
//! | `calls`, `prestate` | what the named tracers answer |

pub(crate) mod bounds;
pub(crate) mod calls;
pub(crate) mod prestate;
pub(crate) mod run;
pub(crate) mod traceable;

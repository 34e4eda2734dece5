//! Whole networks of real parts, one file per scenario.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod feed;
mod reorg;

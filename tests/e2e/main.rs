//! Whole networks of real parts, one file per scenario.
#![expect(clippy::unwrap_used, reason = "tests")]

mod feed;

//! For tests alone: what the tests of several crates need.
//!
//! | file | idea |
//! |---|---|
//! | [`chain`] | the execution-apis chain in memory, as a view |
//! | `execution` | its blocks, executed |
//! | `tries` | the tries of its states |

#![expect(clippy::indexing_slicing, reason = "what a test asks for is there, or the test must fail")]

pub mod chain;
mod execution;
mod tries;

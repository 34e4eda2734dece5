//! JSON-RPC 2.0 over HTTP as geth speaks it: limits, batches, positional parameters and the one table of error codes.
//! Knows nothing of blocks or storage: what a request is answered from is the [`Api`]'s `Pin`.
//!
//! | file | idea |
//! |---|---|
//! | [`codes`] | the table of error codes |
//! | [`error`] | one error: code, message, data |
//! | [`json`] | answers are written, not built: [`json::Object`] appends to one string |
//! | [`args`] | positional parameters with geth's rules and texts |
//! | [`exchange`] | one body to one answer: calls, batches, limits; pure but for the calls themselves |
//! | [`server`] | HTTP/1.1 on any byte stream |
//!
//! # Why not jsonrpsee here
//! Answers are megabytes of ready JSON, and jsonrpsee parses every answer again before it sends it (262 µs for a
//! block of 154 kB against 4 µs for a copy), twice in a batch. Its batch, id and size rules differ from geth's in
//! codes, and its connection limit counts requests, not connections. What is left to write for HTTP is
//! [`exchange`] and [`server`].

pub mod args;
pub mod codes;
pub mod error;
pub mod exchange;
pub mod json;
pub mod server;

pub use args::Args;
pub use error::Error;
pub use exchange::{Api, Limits, MinBlock};
pub use json::Json;
pub use server::serve;

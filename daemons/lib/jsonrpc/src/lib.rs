//! JSON-RPC 2.0 over HTTP, WebSocket and IPC sockets as geth speaks it: limits, batches, positional parameters and the one table of error codes.
//! Knows no storage: the [`Api`]'s `Pin` is what a request is answered from. Of Ethereum it knows geth's error codes,
//! minimum-block headers and that methods named `eth_sendRawTransaction…` send.
//!
//! | file | idea |
//! |---|---|
//! | [`codes`] | the table of error codes |
//! | [`error`] | one error: code, message, data |
//! | [`json`] | answers are written, not built: [`json::Object`] appends to one string |
//! | [`args`] | positional parameters with geth's rules and texts |
//! | [`dispatch`] | one body to one answer: calls, batches, limits; pure but for the calls themselves |
//! | `list` | lists that clients send, as far as they are looked at |
//! | `min_block` | minimum block: how new a block a client wants, and the headers that say so |
//! | [`limits`] | every size and time that a client can cause |
//! | [`subscriptions`] | notifications: channels, back-pressure, turns |
//! | [`server`] | listeners and connections |
//! | `http` | one HTTP request to its answer: CORS, authentication, gzip, upgrade |
//! | [`listener`] | rules of one listener, and callers at it |
//! | [`access`] | tokens, JWTs and client certificates to identities, their rights and rates |
//! | `jwt` | JSON Web Tokens of engine-like endpoints |
//! | [`tls`] | encryption, with certificates that are read again when they change |
//! | `connection` | WebSocket and IPC connections: messages, notifications, keepalive, close reasons |
//! | `websocket`, [`ipc`] | framing of those two |
//! | [`origin`] | Origin and Host rules against web pages |
//! | `gzip` | compressed answers |
//! | [`client`] | clients over HTTP, WebSocket and IPC |
//! | [`openrpc`] | what is served, for those who ask |
//! | `write_timeout` | stream that gives up clients which take nothing |
//!
//! # Why not jsonrpsee here
//! Answers are megabytes of ready JSON, and jsonrpsee parses every answer again before it sends it (262 µs for a
//! block of 154 kB against 4 µs for a copy), twice in a batch. Its batch, id and size rules differ from geth's in
//! codes, and its connection limit counts requests, not connections. What is left to write is small.

pub mod access;
pub mod args;
pub mod client;
pub mod codes;
mod connection;
pub mod dispatch;
pub mod error;
mod gzip;
mod http;
pub mod ipc;
mod jwt;
pub mod limits;
mod list;
pub mod listener;
mod min_block;
pub mod openrpc;
pub mod origin;
pub mod server;
pub mod subscriptions;
pub mod tls;
mod websocket;
mod write_timeout;

pub use args::Args;
pub use dispatch::Api;
pub use error::Error;
pub use limits::Limits;
pub use listener::Listener;
pub use maidenlane_json::{self as json, Json};
pub use min_block::MinBlock;
pub use openrpc::Described;
pub use origin::{Hosts, Origins};
pub use server::{Socket, serve};
pub use subscriptions::{Events, Publisher};

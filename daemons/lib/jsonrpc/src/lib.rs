//! JSON-RPC 2.0 over HTTP, WebSocket and IPC sockets as geth speaks it: limits, batches, positional parameters and the
//! one table of error codes. Knows no storage: a request is answered from the [`Api`]'s `Pin`. Of Ethereum it knows
//! geth's error codes, minimum-block headers and that methods named `eth_sendRawTransaction…` send.
//!
//! | file | idea |
//! |---|---|
//! | [`codes`] | the table of error codes |
//! | [`error`] | one error: code, message, data |
//! | [`json`] | answers are written, not built: [`json::Object`] appends to one string |
//! | [`args`] | positional parameters with geth's rules and texts |
//! | [`dispatch`] | one body to one answer: calls, batches, limits; pure but for the calls themselves |
//! | [`body`] | body of an answer, in pieces that are not copied |
//! | `message` | one message: a call, a notification, or what is neither |
//! | [`list`] | lists that clients send, as far as they are looked at |
//! | `min_block` | minimum block: how new a block a client wants, and the headers that say so |
//! | [`in_flight`] | bytes of answers and notifications on their way, bounded over all connections |
//! | [`limits`] | every size and time that a client can cause |
//! | [`subscriptions`] | notifications: channels, back-pressure, turns |
//! | [`server`] | listeners and connections |
//! | `http` | one HTTP request to its answer: CORS, authentication, gzip, upgrade |
//! | `http2` | HTTP/2 connections: streams, idle and slow clients |
//! | `turns` | turns of batches on the IO threads, of which every owner has his |
//! | `write_turns` | turns of writers: long answers are written piece by piece |
//! | `room` | places of connections, of which nobody takes all |
//! | `opening` | how a connection begins and ends |
//! | [`listener`] | rules of one listener, and callers at it |
//! | [`listeners`] | listeners of a daemon, from its settings |
//! | `owner` | owners of what requests cause to be kept: identities and addresses |
//! | [`access`] | tokens, JWTs and client certificates to identities |
//! | [`identity`] | identities, their rights and rates |
//! | [`roll`] | identities that come and go while a daemon runs |
//! | `jwt` | JSON Web Tokens of engine-like endpoints |
//! | [`tls`] | encryption, with certificates that are read again when they change |
//! | `connection` | WebSocket and IPC connections: messages, notifications, keepalive, close reasons |
//! | `websocket`, [`ipc`] | framing of those two |
//! | [`origin`] | Origin and Host rules against web pages |
//! | `gzip` | compressed answers |
//! | [`control`] | control sockets of daemons: a question, an answer |
//! | [`client`] | clients over HTTP, WebSocket and IPC, and for pages |
//! | [`openrpc`] | document of the served methods |
//! | `write_timeout` | stream that gives up clients which take nothing |
//!
//! # Why the server is not jsonrpsee's
//! The clients are. The server was prototyped on `jsonrpsee_server::http::call_with_service` (0.26.1) inside an accept
//! loop like ours, with answers that go past its serialiser as response extensions. Microseconds per request, medians
//! of three runs of 60,000 empty and 10,000 large ones; release build, one connection over loopback, two cores that
//! were busy with other work; the prototypes lack our headers, rules, deadlines and compression, so that they are lower
//! bounds:
//!
//! | path | empty: server's CPU | round trip | 150 kB: server's CPU | round trip |
//! |---|---|---|---|---|
//! | ours | 13.2 | 19.8 | 28.0 | 45.3 |
//! | jsonrpsee, ready answer copied once, as ours | 10.7 | 18.7 | 27.9 | 47.6 |
//! | jsonrpsee, ready answer in three pieces, shared | 11.3 | 18.9 | 24.7 | 39.7 |
//! | jsonrpsee, answer serialised and parsed by it | 17.0 | 22.0 | 195.4 | 216.4 |
//!
//! Speed allows it, then, where ready answers go past it; the rest does not:
//! - Ids are null, strings or unsigned 64-bit numbers. A call under -1 or 1.5, which geth answers, is taken for a
//!   notification: it is not run and gets no answer.
//! - Bodies that are no call, and batches that are too large or empty, are answered before our service is asked, with
//!   other codes, texts and HTTP statuses than geth's. All values of a batch are kept before they are counted: a body
//!   of 2.6 million numbers holds the IO thread for 223 ms, ours for 106.
//! - WebSocket: a task per message without a bound on their number, no reason in the close frame, no write timeout.
//!   IPC: none.
//!
//! Putting that right behind it takes more lines than the parsing it would save. A trait of jsonrpsee's for [`Api`]
//! would add nothing where ids, answers and batches go past its types.

pub mod access;
pub mod args;
pub mod body;
pub mod client;
pub mod codes;
mod connection;
pub mod control;
pub mod dispatch;
pub mod error;
mod gzip;
mod http;
mod http2;
pub mod identity;
pub mod in_flight;
pub mod ipc;
mod jwt;
pub mod limits;
pub mod list;
pub mod listener;
pub mod listeners;
mod message;
mod min_block;
mod opening;
pub mod openrpc;
pub mod origin;
mod owner;
pub mod roll;
mod room;
pub mod server;
pub mod subscriptions;
pub mod tls;
mod turns;
mod websocket;
mod write_timeout;
mod write_turns;

pub use args::Args;
pub use dispatch::Api;
pub use error::Error;
pub use limits::Limits;
pub use listener::Listener;
pub use maidenlane_json::{self as json, Cached, Json};
pub use min_block::MinBlock;
pub use openrpc::Described;
pub use origin::{Hosts, Origins};
pub use owner::Owner;
pub use server::{Socket, serve};
pub use subscriptions::{Events, Publisher};
pub use write_timeout::WriteTimeout;

//! The relay: private orders of searchers, wallets and users, kept durably and delivered to builders before their block.
//!
//! | module | idea |
//! |---|---|
//! | [`redacted`] | pure: values that nothing prints |
//! | [`signature`] | pure: who signed a request |
//! | [`repeats`] | pure: requests that came before |
//! | [`fields`] | pure: the fields of a bundle, as any client writes them |
//! | [`bundle`] | pure: fields to an order that may be delivered |
//! | [`refusal`] | pure: every mistake, with a word for programs and a cure |
//! | [`ids`] | pure: the names that everybody gives a bundle |
//! | [`window`] | pure: blocks that may hold an order |
//! | [`replacement`] | pure: of several orders under one name, which counts |
//! | [`simulation`] | pure: what a bundle does in the next block |
//! | [`allowance`] | pure: gas that accounts may have simulated |
//! | [`pull`] | pure: orders that builders pull |
//! | [`private`] | pure: private transactions to bundles of one |
//! | [`blobs`] | pure: blob transactions of which one is to land |
//! | [`wishes`] | pure: what a wallet wants, as its address says |
//! | [`book`] | pure: all orders, as the topic tells them |
//! | [`keyring`], [`seal`] | pure: what the log keeps, so that only relays read it |
//! | `civil` | pure: times as clients expect them |
//! | [`told`] | pure: fates of orders, as the topic tells them |
//! | [`failsafe`] | what may become public, does |
//! | [`landing`] | pure: fates that the chain decides |
//! | [`dialect`] | pure: orders and answers, as builders write them |
//! | [`queue`] | pure: what one builder is to get, and when |
//! | [`journal`] | appends orders and fates |
//! | [`reader`], [`intake`] | reads them back |
//! | [`orders`] | orders between their clients and the log |
//! | [`fates`] | fates between relays and the log |
//! | [`feeds`] | what senders are told of them |
//! | [`rejected`] | pure: notices of transactions that somebody refused |
//! | [`earned`] | pure: what orders paid |
//! | [`tips`] | reads that from the chain |
//! | [`peers`] | pure: other relays on the same log |
//! | [`progress`] | pure: what this one has acted on |
//! | [`company`] | all of them |
//! | [`sign`] | pure: keys with which the relay itself signs |
//! | [`stratum`] | pure: requests to builders that listen for stratum |
//! | [`post`] | one builder |
//! | [`courier`] | delivery to all of them |
//! | [`share`] | pure: trees of transactions whose parts get something of what the others earn |
//! | [`simulator`] | simulation of what the next block may hold, on each head |
//! | `heads` | what a new head means to all of these |
//! | `judge` | tells the fates that heads decide |
//! | [`enrolled`] | identities that operators let in |
//! | [`trial`] | a builder, tried out |
//! | [`desk`] | operators' questions |
//! | [`caller`] | who asks |
//! | [`front`] | the JSON-RPC |
//! | `run`, [`config`], [`metrics`], [`error`], [`failpoints`] | the daemon |
//!
//! # Why a database of its own
//! What a block may hold depends on the chain's head, and what an order earns on its state. Asking a replica would take a round
//! trip for each, and two answers could be of two blocks. RocksDB's read-only mode on a replica's files knows no snapshots,
//! so that it mixes blocks while it catches up. So the relay replays the feed into a small database of its own, as a replica does.

extern crate maidenlane_config as serde_dhall;

pub mod allowance;
pub mod blobs;
pub mod book;
pub mod bundle;
pub mod caller;
mod civil;
pub mod company;
pub mod config;
pub mod courier;
pub mod desk;
pub mod dialect;
pub mod earned;
pub mod enrolled;
pub mod error;
pub mod failpoints;
pub mod failsafe;
pub mod fates;
pub mod feeds;
pub mod fields;
pub mod front;
mod heads;
pub mod hours;
pub mod ids;
pub mod intake;
pub mod journal;
mod judge;
pub mod keyring;
pub mod landing;
pub mod metrics;
pub mod orders;
pub mod peers;
pub mod post;
pub mod private;
pub mod progress;
pub mod pull;
pub mod queue;
pub mod reader;
pub mod redacted;
pub mod refusal;
pub mod rejected;
pub mod repeats;
pub mod replacement;
mod run;
pub mod seal;
pub mod share;
pub mod sign;
pub mod signature;
pub mod simulation;
pub mod simulator;
pub mod stratum;
pub mod tips;
pub mod told;
pub mod trial;
pub mod window;
pub mod wishes;

pub use run::Daemon;

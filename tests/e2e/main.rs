//! Whole networks of real parts, one file per scenario.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[expect(clippy::indexing_slicing, reason = "of JSON, where what is not there is null")]
mod bootstrap;
mod clients;
mod consensus;
mod differ;
mod emitter;
mod feed;
mod filters;
#[expect(clippy::indexing_slicing, reason = "of JSON, where what is not there is null")]
mod foundry;
mod get_proof;
mod geth_kill;
mod guarded;
mod health;
mod hostile;
mod listeners;
#[expect(clippy::indexing_slicing, reason = "of JSON, where what is not there is null")]
mod pool;
mod proofs;
#[expect(clippy::indexing_slicing, reason = "of JSON, where what is not there is null")]
mod relay;
mod reorg;
mod repair;
mod snapshot;
mod stall;
mod subscribed;
mod three_brokers;
mod transactions;
mod two_taps;
mod unharmed;
mod unknown_fork;
#[expect(clippy::indexing_slicing, reason = "of JSON, where what is not there is null")]
mod walks;
mod workload;

use maidenlane_tests::suite::long;

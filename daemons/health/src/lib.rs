//! The health daemon: load balancers, Prometheus and people get one explained verdict for each node, fast enough that no client
//! sees a stale answer, and calm enough that nothing flaps.
//!
//! | module | idea |
//! |---|---|
//! | [`verdict`] | pure: verdicts, checks, reasons |
//! | [`observe`] | pure: what one round brings, and what all are asked in common |
//! | [`limits`] | pure: limits, by the time between two blocks |
//! | [`votes`] | pure: the chain as most sources tell it |
//! | [`checks`] | pure: one round's answers against limits and against others |
//! | [`steady`] | pure: how often a check must fail to count |
//! | [`board`] | pure: all targets, from observations and time to verdicts |
//! | [`view`] | pure: what everybody is told |
//! | [`availability`] | pure: how long it runs, how long a failure lasts |
//! | [`history`] | pure: changes of verdicts, and times in which nobody watched |
//! | [`allow`] | pure: who is answered |
//! | [`zone`] | pure: who serves, as answers of DNS |
//! | [`foreign`] | pure: texts of others, made harmless |
//! | [`words`] | views in JSON |
//! | [`probe`] | asks a target again and again |
//! | [`hub`] | the one loop that owns the board |
//! | [`incidents`], [`cordons`], [`unwritten`] | what outlives the process, and what of it the disk does not take |
//! | [`agent`], [`http`], [`dns`], [`control`] | answers for haproxy, for everybody over HTTP, for resolvers, for operators |
//! | [`listen`] | listeners |
//! | `run`, [`config`], [`metrics`] | the daemon |
//!
//! # Why nobody probes on request
//! A balancer that asks ten times a second would probe ten times a second, and one slow target would keep it waiting. Here each
//! target has a task of its own; answers are made of the last view, in memory, whoever asks.

extern crate maidenlane_config as serde_dhall;

pub mod agent;
pub mod allow;
pub mod availability;
pub mod board;
pub mod checks;
pub mod config;
pub mod control;
pub mod cordons;
pub mod dns;
pub mod foreign;
pub mod history;
pub mod http;
pub mod hub;
pub mod incidents;
pub mod limits;
pub mod listen;
pub mod metrics;
pub mod observe;
pub mod probe;
mod run;
pub mod steady;
pub mod unwritten;
pub mod verdict;
pub mod view;
pub mod votes;
pub mod words;
pub mod zone;

pub use run::{Daemon, serve_http};

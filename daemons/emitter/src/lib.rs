//! The emitter: transactions that replicas made durable go to the nodes, again and again until a block decides, and what
//! becomes of each goes back into the log.
//!
//! | module | idea |
//! |---|---|
//! | [`sound`] | pure: what an entry of the topic must be before anything is said of it |
//! | [`verdict`] | pure: what a node's words say of a transaction |
//! | [`answer`] | pure: one node's last answer, and when to ask again |
//! | [`route`] | pure: which nodes get a transaction |
//! | [`life`], [`turn`] | pure: the life of one transaction, and a step of it |
//! | [`pending`] | pure: all of them, and what is due when |
//! | [`position`] | pure: the position in a partition |
//! | `recent` | pure: the blocks of late |
//! | [`rebuild`] | pure: the set of a partition, from its topics alone |
//! | [`chain`] | pure: which transactions the blocks hold |
//! | [`intake`] | the member of the consumer group: entries, shares, commits |
//! | [`journal`] | appends outcomes |
//! | [`follow`] | follows the feed |
//! | [`upstream`] | one node |
//! | [`deliver`] | the loop that ties them together |
//! | `run`, [`config`], [`metrics`], [`error`], [`failpoints`] | the daemon |
//!
//! # Why the log is the journal
//! A journal of its own on the emitter's disk would go with its machine, and with it every transaction that a node had
//! taken and no block yet held: nobody would send those again. The topics of transactions and outcomes say all there is
//! to know, on disks that are copied or at least not the emitter's. So it has no state of its own at all, and whoever is given a
//! partition reads what is on its way there.

extern crate maidenlane_config as serde_dhall;

pub mod answer;
pub mod chain;
pub mod config;
pub mod deliver;
pub mod error;
pub mod failpoints;
pub mod follow;
pub mod intake;
pub mod journal;
pub mod life;
pub mod metrics;
pub mod pending;
pub mod position;
pub mod rebuild;
mod recent;
pub mod route;
mod run;
pub mod sound;
pub mod turn;
pub mod upstream;
pub mod verdict;

pub use run::Daemon;

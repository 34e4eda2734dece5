//! Simulation: what a bundle does in the next block. A state, a block's header and a bundle in, an account of each transaction out.
//!
//! | module | idea |
//! |---|---|
//! | [`next`] | header of the next block, and what of it nobody can know |
//! | [`prepared`] | bundles, as the EVM takes them |
//! | [`run`] | the run, transaction by transaction |
//! | [`outcome`] | the account of it |
//! | [`tried`] | transactions that ran before on the same state |
//!
//! # Rules
//! Those of builders, so that what is whole here is whole there:
//! - A transaction that runs and fails stays where its hash is among those that may revert, is left out with all that it did where it
//!   is among those that may be dropped, and ends the bundle otherwise.
//! - One that no block can hold at its place (nonce, balance, price, gas or blobs that are left) is left out where it may be dropped,
//!   and ends the bundle otherwise: leave to revert is none to be invalid.
//! - A nonce that is ahead of the sender's ends the bundle as well, but as one that waits: another order may bring the others.
//! - A bundle of which nothing is left ends as one that failed.
//!
//! # Why an order stands alone at the top of the block
//! Nobody knows what a builder puts before it. Orders for the end of a block are simulated likewise: before what they wait for.

pub mod next;
pub mod outcome;
pub mod prepared;
pub mod run;
pub mod tried;

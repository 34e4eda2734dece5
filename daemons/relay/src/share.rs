//! Bundles of MEV-Share, `mev_sendBundle` v0.1: a tree of transactions, whose parts get something of what the others earn. Pure.
//!
//! | module | idea |
//! |---|---|
//! | [`tree`] | the tree, as clients write it |
//! | [`order`] | the order that says the same to builders |
//! | [`refunds`] | profit of a tree in a simulation, and what of it goes to whom |
//!
//! # Why trees are compiled down
//! Builders have dropped them, and take lists with one refund. A tree becomes such a list where one says the same, and is refused
//! with the field named where none does: several refunds, or several payees of one.
//!
//! # Declined: other people's transactions by their hashes
//! Nothing that is entrusted to this relay is shown to others, not even in part. So nobody has a hash to name.

pub mod order;
pub mod refunds;
pub mod tree;

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
//! | [`pull`] | pure: orders that builders pull |
//! | [`private`] | pure: private transactions to bundles of one |
//! | [`book`] | pure: all orders, as the topic tells them |
//! | [`keyring`], [`seal`] | pure: what the log keeps, so that only relays read it |

pub mod book;
pub mod bundle;
pub mod fields;
pub mod ids;
pub mod keyring;
pub mod private;
pub mod pull;
pub mod redacted;
pub mod refusal;
pub mod repeats;
pub mod replacement;
pub mod seal;
pub mod signature;
pub mod window;

//! Views of a chain as one block sees it: state and blocks behind a trait, so that the EVM and the JSON-RPC know no
//! database; and the tries that prove a state. Pure: no IO, no clock.
//!
//! | file | idea |
//! |---|---|
//! | [`view`] | one block's view of everything, as a trait |
//! | [`trie`] | Merkle-Patricia tries, node by node |

pub mod trie;
pub mod view;

pub use view::{Account, At, Before, Head, LogQuery, ReadError, StateView};

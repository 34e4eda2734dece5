//! How a geth that was synced without the hook becomes a master, while its own data stay as they are.
//!
//! | module | idea |
//! |---|---|
//! | `adopt` | the whole: copies, blocks executed again with the hook, the state exported |
//! | `adoption` | what is to be adopted, and how, as an operator names it |
//! | `rerun` | blocks executed again, from the state on geth's disk or below it |
//! | [`plan`] | what that will do, how long it takes and how to go back, while geth still runs |
//! | [`facts`] | what is known of a node, and what speaks against adopting it |
//! | `events` | what an operator is told meanwhile |
//! | `data_dir` | geth's data directory, and the lock that keeps geth from starting |
//! | `listing` | its files, and which of them a copy may share |
//! | `freezer` | tables of old blocks among these: which files geth changes, how many items there are |
//! | `copy` | copies of it |
//! | `user` | geth's user, to whom all belongs that is made |
//! | `geth` | geth's own commands on a copy |
//! | `probe` | whether a geth has the hook |
//! | `spool` | settings of the hook, and the frames of an adoption |
//! | `frames` | of which blocks those are |
//! | `way` | how a node keeps its state, and how that is to be had |
//! | `metadata` | what `geth db metadata` prints |
//! | `above` | blocks that geth exported, from the one of a state's root up |
//! | `journal` | how far an adoption has come, for the next start |
//! | [`error`] | why it failed, and what to do |
//! | [`failpoints`] | points at which tests kill an adoption |
//!
//! # Why there are two copies
//! geth's disk holds the state of a block some hundred blocks behind its head; what is above is in memory, and in a journal
//! while geth is stopped. The state is exported from the disk, so the feed begins there, and the blocks between have to be
//! executed once more with the hook. A geth that lacks its journal does that. On the node itself that would be a rewind,
//! from which a consensus client may not bring it back; so a copy loses its journal, and another one, which executes
//! nothing, is exported. The blocks are executed before geth itself starts with the hook, as a spool has one writer.
//!
//! A node that takes over a feed must execute from the feed's newest block on. Where its disk is above that, the copy goes back
//! over the differences of states that geth keeps; nothing else of the node knows how to.

mod above;
mod adopt;
mod adoption;
mod copy;
mod data_dir;
pub mod error;
mod events;
pub mod facts;
pub mod failpoints;
mod frames;
mod freezer;
mod geth;
mod journal;
mod listing;
mod metadata;
pub mod plan;
mod probe;
mod rerun;
mod spool;
mod user;
mod way;

pub use adopt::{Adopted, adopt};
pub use adoption::Adoption;
pub use data_dir::DataDir;
pub use error::Error;
pub use events::Event;
pub use geth::Geth;
pub use spool::Hook;
pub use way::Way;

//! How a geth that was synced without the hook becomes a master, while its own data stay as they are.
//!
//! | module | idea |
//! |---|---|
//! | `adopt` | the whole: copies, blocks executed again with the hook, the state exported |
//! | [`plan`] | what that will do, how long it takes and how to go back, while geth still runs |
//! | [`facts`] | what is known of a node, and what speaks against adopting it |
//! | `data_dir` | geth's data directory: which files a copy may share, and the lock that keeps geth from starting |
//! | `copy` | copies of it |
//! | `geth` | geth's own commands on a copy |
//! | `spool` | settings of the hook, and the frames of an adoption |
//! | `frames` | of which blocks those are |
//! | `way` | how a node keeps its state, and how that is to be had |
//! | `metadata` | what `geth db metadata` prints |
//! | `above` | the block of a state's root, among blocks that geth exported |
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

mod above;
mod adopt;
mod copy;
mod data_dir;
pub mod error;
pub mod facts;
pub mod failpoints;
mod frames;
mod geth;
mod journal;
mod metadata;
pub mod plan;
mod spool;
mod way;

pub use adopt::{Adopted, Adoption, Event, adopt};
pub use data_dir::DataDir;
pub use error::Error;
pub use geth::Geth;
pub use spool::Hook;
pub use way::Way;
